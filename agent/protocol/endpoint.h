// The sans-IO core of GKMP: every exchange of one host, in every group, as controller and as
// member.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/error.h"
#include "agent/base/ids.h"
#include "agent/base/random.h"
#include "agent/base/time.h"
#include "agent/crypto/signature.h"
#include "agent/identity/token.h"
#include "agent/identity/trust.h"
#include "agent/protocol/command_marks.h"
#include "agent/wire/messages.h"
#include "xfrm/spec.h"

namespace gkmpd::protocol {

/// What an endpoint is, given once.
struct EndpointConfig {
  identity::TrustStore trust;
  identity::LocalLimits limits;
  crypto::Certificate certificate;
  std::vector<crypto::Certificate> intermediates;
  crypto::PrivateKey key;
  /// Where peers reach us, and what we send groups' data from: one address of a family at most.
  std::vector<IpAddress> addresses;
  std::uint16_t port = 0;
  /// Names to control addresses, one of a family at most, for member lists that name no address
  /// (never DNS).
  std::map<std::string, std::vector<IpAddress>> hosts;
  /// What this host's kernel has not got: a token that asks for it is refused.
  std::vector<xfrm::KernelLack> kernel_lacks = {};
};

/// Highest values used or seen for a group; survives restarts (profile S5, P34).
struct GroupFloor {
  identity::TokenMark token;
  EpochTuple tuple;  // highest signed or accepted
  std::uint16_t next_sender_id = 1;
  CommandMarks marks;  // of commanders who signed orders
  friend bool operator==(const GroupFloor&, const GroupFloor&) = default;
};

/// Names one request to save; answered by handle_saved.
using SaveId = std::uint64_t;
/// Names one request to change the kernel; answered by handle_installed.
using InstallId = std::uint64_t;

enum class GroupRole { kController, kMember };
[[nodiscard]] std::string_view to_text(GroupRole role);

// --- What outlives a run -------------------------------------------------------------------------

/// What the next start has to know of a group beside its spec.
struct GroupMemo {
  GroupRole role = GroupRole::kMember;
  std::string controller;
  SocketAddress control_multicast;
  EpochTuple tuple;
  WallTime not_after;
  identity::StopPolicy on_stop = identity::StopPolicy::kKeep;
  /// The end of the deactivation delay: from then on nothing of the epoch before is of use.
  WallTime release_at{};
  std::uint8_t spi_prefix = 0;  // 0: not known, of a group that a former version recorded
  /// The end of the activation delay: from then on this host sends under the epoch.
  WallTime activate_at{};
  /// Where the controller answers: this host asks there for keys, if it has lost its own.
  SocketAddress controller_address{};
  friend bool operator==(const GroupMemo&, const GroupMemo&) = default;
};

/// A group that an earlier run left at work in this host's kernel.
struct AdoptedGroup {
  GroupId id{};
  std::string name;
  IpAddress data_address;
  std::uint8_t data_protocol = 17;
  std::uint16_t data_port = 0;
  EpochId epoch_id{};
  GroupMemo memo;
  bool sending = false;  // a protect policy and its SA stand
  std::string missing;   // what should stand and does not; empty: the group is whole
};

// --- What poll_event tells ---------------------------------------------------------------------

/// Write `floor` to disk before anything that depends on it happens (profile P34). The endpoint
/// goes on only after handle_saved.
struct SaveFloor {
  SaveId id = 0;
  GroupId group{};
  std::string group_name;
  GroupFloor floor;
};

/// Make the kernel hold `spec` for the group: the whole of it, not a change.
struct InstallGroup {
  InstallId id = 0;
  GroupId group{};
  EpochId epoch_id{};
  xfrm::GroupSpec spec;  // slots and attachment are the daemon's to give
  GroupMemo memo;
  /// The rest of this host's run of sender ids: an outbound SA whose key may have been used before
  /// gives its place to the first of these of which that is not so (profile S14).
  std::vector<xfrm::SenderSa> standby{};
  /// Nothing of the group has changed since it was last asked for: whatever this finds to be done
  /// is the repair of somebody else's doing.
  bool repair = false;
};

/// What stays in the kernel of an adopted group beside the policies that close its address.
enum class Keep : std::uint8_t {
  kBoth,      // SAs of every epoch that stands, and sending under the one that is sent under
  kSwitched,  // SAs of every epoch that stands, and sending under the newest
  kNewest,    // SAs of the newest epoch, and sending under it
  kClosed,    // none: the epoch has ended
};

/// Make the kernel hold that much of a group of which there are no keys here. Guard and inbound
/// policy are put back where they are missing, and so is the protect policy over an SA that stands;
/// no SA is. Answered by handle_kept.
struct KeepGroup {
  InstallId id = 0;
  GroupId group{};
  Keep keep = Keep::kBoth;
  /// As in InstallGroup: nothing has changed that would take something out of the kernel.
  bool repair = false;
};

/// What came of it: as in AdoptedGroup.
struct Kept {
  bool sending = false;
  std::string missing;
};

/// Listen on the group's control multicast address (the interface is the daemon's choice).
struct JoinControl {
  GroupId group{};
  SocketAddress control_multicast;
};

/// Stop listening there.
struct LeaveControl {
  GroupId group{};
  SocketAddress control_multicast;
};

/// Something an operator may want to read; the daemon logs it and hands it to `watch`.
struct Report {
  enum class Level { kDebug, kInfo, kWarning, kError };
  Level level = Level::kInfo;
  /// Stable name of what happened: "member-keyed", "member-failed", "refused", ...
  std::string what;
  std::string group;  // name, empty if none
  std::string peer;   // host name or address, empty if none
  std::string detail;
};

using Event = std::variant<SaveFloor, InstallGroup, KeepGroup, JoinControl, LeaveControl, Report>;

/// A datagram to send.
struct Transmit {
  SocketAddress to;  // a unicast address, or a group's control multicast address
  Bytes octets;
};

// --- What an operator sees ---------------------------------------------------------------------

enum class MemberState { kWaiting, kAsked, kNegotiating, kDownloading, kKeyed, kFailed };
[[nodiscard]] std::string_view to_text(MemberState state);

struct MemberView {
  std::string name;
  std::optional<IpAddress> address;
  MemberState state = MemberState::kWaiting;
  std::string why;  // the error's text, if failed
};

/// kCreating: no epoch yet. kPending: keyed, but listed members are still being keyed (controller)
/// or no heartbeat said "active" yet (member). kActive: keyed and going. kSilent: no heartbeat of
/// the controller for 3 intervals. kExpired: not-after has passed. kFailed: could not be created.
/// kAdopted: an earlier run's SAs are at work, and this run has no keys of the group. kJoining: the
/// operator wants this host to join, and its controller has not keyed it yet; kFailed if it
/// refused.
enum class GroupState {
  kCreating,
  kPending,
  kActive,
  kSilent,
  kExpired,
  kFailed,
  kAdopted,
  kJoining
};
[[nodiscard]] std::string_view to_text(GroupState state);

struct GroupView {
  GroupId id{};
  std::string name;
  GroupRole role = GroupRole::kMember;
  GroupState state = GroupState::kCreating;
  std::string why;  // for kFailed
  std::string controller;
  std::optional<SocketAddress> controller_address;  // member only: where the controller answers
  std::optional<EpochTuple> tuple;
  std::optional<EpochId> epoch_id;
  IpAddress data_address;
  std::uint16_t data_port = 0;
  SocketAddress control_multicast;
  WallTime not_after;
  std::optional<WallTime> rekey_at;  // of an epoch whose token allows to rekey it
  bool sending = false;              // an outbound SA is in use
  bool installed = false;            // the kernel holds what it should
  std::string install_error;
  /// Every id of this host's run may have been sent under before: nothing is sent until the next
  /// epoch. Everything else is installed.
  bool outbound_burnt = false;
  // Controller only.
  bool rekey_ordered = false;  // no epoch answers the order yet
  std::string rekey_error;     // why the last attempt at a rekey failed; it is made again
  std::vector<MemberView> members;
};

/// Command_Create_Group (RFC 2093 4.1) given on this host.
struct CreateGroupCommand {
  Bytes token;              // CMS, DER
  std::string member_list;  // its exact text
};

/// Any other order (RFC 2093 4.1) given on this host, as its commander signed it.
struct SignedOrder {
  Bytes command;  // CMS, DER: see identity::check_command
  Bytes token;    // that of the group, CMS, DER
};

class Endpoint {
 public:
  /// `floors` are what the store holds, `adopted` what an earlier run left at work: it is shown,
  /// kept as it is (KeepGroup) and ended in its time, until this host is keyed for the group again.
  /// Fails if the host's own certificate does not pass its own checks: `identity.*`.
  [[nodiscard]] static Result<Endpoint> make(EndpointConfig config,
                                             std::map<GroupId, GroupFloor> floors, Random& random,
                                             Now now,
                                             const std::vector<AdoptedGroup>& adopted = {});
  Endpoint(Endpoint&&) noexcept;
  Endpoint& operator=(Endpoint&&) noexcept;
  ~Endpoint();

  // Input. Each may make transmits, events and timeouts: poll until none is left.
  void handle_datagram(Now now, const SocketAddress& from, ByteView octets);
  void handle_timeout(Now now);
  /// Starts the group, or says why not; then nothing has changed.
  [[nodiscard]] Result<GroupId> handle_command(Now now, const CreateGroupCommand& command);
  /// Asks the controller at `controller` for the keys of the group, until this host is keyed or
  /// refused: `protocol.already-member`, `protocol.group-exists` (it controls the group),
  /// `protocol.address-family`, `protocol.too-many-joins`.
  [[nodiscard]] Result<GroupId> handle_join(Now now, const std::string& group_name,
                                            const SocketAddress& controller);
  /// Begins what is ordered, or says why not; then nothing has changed. The order is checked as one
  /// that came over the network.
  [[nodiscard]] Result<GroupId> handle_order(Now now, const SignedOrder& order);
  void handle_saved(Now now, SaveId id, const Result<void>& outcome);
  void handle_installed(Now now, InstallId id, const Result<void>& outcome);
  void handle_kept(Now now, InstallId id, const Result<Kept>& outcome);
  /// Somebody may have changed what the kernel holds for groups of that data address: asks for all
  /// of it anew (InstallGroup with `repair`, KeepGroup), also for groups that have ended.
  void handle_kernel_change(Now now, const IpAddress& data_address);

  // Output.
  [[nodiscard]] std::optional<Transmit> poll_transmit();
  [[nodiscard]] std::optional<Event> poll_event();
  /// When handle_timeout wants to be called next.
  [[nodiscard]] std::optional<MonoTime> poll_timeout() const;

  // Views.
  [[nodiscard]] const identity::Host& self() const;
  [[nodiscard]] std::vector<GroupView> groups() const;
  [[nodiscard]] std::optional<GroupView> group(std::string_view name) const;
  /// Of every group that has, or is to have, something in the kernel; each once.
  [[nodiscard]] std::vector<IpAddress> data_addresses() const;
  /// Whose SPIs they are, of the epoch that is held of the group; none without one, and none of an
  /// SPI that all senders share.
  [[nodiscard]] std::map<std::uint32_t, std::string> sender_names(const GroupId& group) const;
  /// How often each named error or drop has happened.
  [[nodiscard]] const std::map<std::string_view, std::uint64_t>& counters() const;

  /// For the simulator's invariants: the keys this host holds for a group, if any. Never logged.
  struct HeldKeys {
    EpochId epoch_id{};
    Secret gtek;
    Secret gkek;
  };
  [[nodiscard]] std::optional<HeldKeys> held_keys(const GroupId& group) const;

 private:
  class Impl;
  explicit Endpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gkmpd::protocol
