// A group that has keys, on controller and member alike: from its epoch to the SAs that should
// exist, over activation delay and expiry.
#pragma once

#include "agent/protocol/epoch.h"

namespace gkmpd::protocol {

class LiveGroup {
 public:
  /// Asks for the control address to be joined and the SAs to be installed; the outbound SA is used
  /// only after the statement's activation delay. If an epoch before this one is at work (held by
  /// this run and named in `before`, or adopted), it is used until then, and its SAs go only after
  /// the deactivation delay. If it is this very epoch that was adopted, the delays go on as they
  /// began.
  LiveGroup(Context& context, identity::GroupToken token, Epoch epoch,
            const SocketAddress& controller, Now now, const LiveGroup* before = nullptr);
  LiveGroup(LiveGroup&&) = default;
  LiveGroup& operator=(LiveGroup&&) = default;

  /// Another epoch takes the place of this one, which is used until its delays are over.
  void advance(identity::GroupToken token, Epoch epoch, const SocketAddress& controller, Now now);

  [[nodiscard]] const identity::GroupToken& token() const { return token_; }
  [[nodiscard]] const Epoch& epoch() const { return epoch_; }
  [[nodiscard]] bool expired() const { return expired_; }
  /// Until when something of an epoch before this one may be at work.
  [[nodiscard]] std::optional<MonoTime> earlier_until() const { return release_at_; }
  [[nodiscard]] SocketAddress control_multicast() const {
    return {token_.policy.control_address, token_.policy.control_port};
  }

  void handle_timeout(Now now);
  /// True if the install was one of this group's.
  bool handle_installed(Now now, InstallId id, const Result<void>& outcome);
  /// Asks for the group anew, if that is its data address: what was changed is put right.
  void handle_kernel_change(Now now, const IpAddress& data_address);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;

  /// Fills what operators see of keys and kernel.
  void describe(GroupView& view) const;
  /// As Endpoint::sender_names.
  [[nodiscard]] std::map<std::uint32_t, std::string> sender_names() const;
  /// As the next start would find it.
  [[nodiscard]] AdoptedGroup to_adopted() const;

 private:
  /// Begins the delays, or takes them up where an earlier run of the agent began them.
  void begin_delays(Now now, bool before);

  enum class Cause { kOurs, kRepair };

  /// Spec and standby of `install`.
  [[nodiscard]] Result<void> fill(InstallGroup& install, Now now) const;
  /// An SA for each id of each sender; of this host's own run the first, the others standing by.
  [[nodiscard]] Result<void> add_senders(InstallGroup& install, std::uint64_t lifetime_s) const;
  /// The one SA of all senders (RFC 5374 3.1): from any source, without a replay window.
  [[nodiscard]] Result<void> add_shared(xfrm::GroupSpec& spec, std::uint64_t lifetime_s) const;
  void install(Now now, Cause cause = Cause::kOurs);
  /// What the kernel did not take is tried again.
  void install_failed(Now now, const Error& why);
  /// No key is left to send under; all else is installed, and trying again would change nothing.
  void outbound_lost(const Error& why);
  [[nodiscard]] GroupMemo memo() const;
  [[nodiscard]] xfrm::Generation generation() const;
  [[nodiscard]] bool is_own(const wire::SenderTable::Entry& entry) const;

  Context* context_;
  identity::GroupToken token_;
  Epoch epoch_;
  SocketAddress controller_;  // where it answers
  std::optional<MonoTime> activate_at_;
  std::optional<MonoTime> release_at_;  // until then the epoch before may stand
  /// Both delays for the next start, whatever there was before.
  /// When the next run of the agent is to send under the epoch.
  [[nodiscard]] WallTime switch_by() const;
  WallTime activate_by_;
  WallTime release_by_;
  MonoTime expire_at_;
  bool expired_ = false;
  bool active_ = false;  // the activation delay is over
  std::optional<InstallId> install_;
  std::optional<MonoTime> retry_at_;
  milliseconds retry_wait_ = kRetryInstallFirst;
  bool installed_ = false;
  std::string install_error_;
  bool outbound_burnt_ = false;
};

}  // namespace gkmpd::protocol
