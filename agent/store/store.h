// What must survive a restart, and be on disk before its effect (profile P34).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/base/ids.h"
#include "agent/base/time.h"

namespace gkmpd::store {

inline constexpr ErrorKind kOpenFailed{"store.open-failed"};
inline constexpr ErrorKind kWriteFailed{"store.write-failed"};
inline constexpr ErrorKind kReadFailed{"store.read-failed"};
inline constexpr ErrorKind kFloorLowered{"store.floor-lowered"};
inline constexpr ErrorKind kIntentTaken{"store.intent-taken"};
inline constexpr ErrorKind kSlotsFull{"store.slots-full"};

/// Highest values used or seen for a group. (The protocol has the same struct; the store sits below
/// it and may not include it: the daemon maps one to the other.)
struct Floor {
  std::string group_name;
  std::uint32_t token_version = 0;
  Digest token_hash{};
  EpochTuple tuple;
  std::uint16_t next_sender_id = 1;
  /// The last counter of each commander's orders, under its name hash; that of all other
  /// commanders under zeros.
  std::map<NameHash, std::uint64_t> command_marks;
  friend bool operator==(const Floor&, const Floor&) = default;
};

/// An outbound SA that is about to be installed (profile S14). Once written it is burnt: the same
/// epoch and SPI are never installed for output again, whatever happens.
struct SaIntent {
  GroupId group{};
  EpochId epoch_id{};
  std::uint32_t spi = 0;
  std::string boot_id;  // /proc/sys/kernel/random/boot_id
  friend bool operator==(const SaIntent&, const SaIntent&) = default;
};

/// A group that we put into the kernel of one network namespace: what the next start has to know of
/// it. Written with its records, gone with the last of them.
struct InstalledGroup {
  enum class Role : std::uint8_t { kController = 1, kMember = 2 };
  std::string network_namespace;  // as in KernelRecord
  GroupId group{};
  std::string name;
  Role role = Role::kMember;
  std::string controller;       // host name
  std::string data_address;     // text
  std::uint16_t data_port = 0;  // 0: any
  std::string control_address;  // text
  std::uint16_t control_port = 0;
  EpochId epoch_id{};
  EpochTuple tuple;
  WallTime not_after;
  bool remove_on_stop = false;  // the token's word for an orderly stop
  WallTime release_at{};        // the end of the deactivation delay
  std::uint8_t data_protocol = 17;
  std::uint8_t spi_prefix = 0;        // 0: not known, of a row of a former version without SAs
  WallTime activate_at{};             // the end of the activation delay
  std::string controller_address;     // text; empty: not known, of a row of a former version
  std::uint16_t controller_port = 0;  // likewise
  friend bool operator==(const InstalledGroup&, const InstalledGroup&) = default;
};

/// An SA or policy that we put into the kernel, so that a later start knows it as ours.
struct KernelRecord {
  enum class Kind : std::uint8_t { kSa = 1, kPolicy = 2 };
  Kind kind = Kind::kSa;
  GroupId group{};
  std::string network_namespace;  // inode of the agent's network namespace, and boot id
  std::string destination;        // address text
  std::uint32_t spi_or_index = 0;
  std::uint32_t reqid = 0;  // 0 for a policy without template
  friend bool operator==(const KernelRecord&, const KernelRecord&) = default;
};

/// SQLite, WAL, synchronous=FULL: when a call returns success the change is on disk. One process at
/// a time: a second opener gets `store.open-failed` saying who holds it.
class Store {
 public:
  [[nodiscard]] static Result<Store> open(const std::string& path);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  [[nodiscard]] Result<std::map<GroupId, Floor>> floors();
  /// Never lowers a token version or a tuple, nor a sender id within one tuple, nor changes the
  /// hash of a token version, nor lets a commander's counter come again: `store.floor-lowered`,
  /// nothing written.
  [[nodiscard]] Result<void> raise_floor(const GroupId& group, const Floor& floor);

  /// The newest revocation list accepted of each issuer, as DER.
  [[nodiscard]] Result<std::optional<Bytes>> crl(const Digest& issuer_key_hash);
  /// Never lowers the number: `store.floor-lowered`.
  [[nodiscard]] Result<void> save_crl(const Digest& issuer_key_hash, std::uint64_t number,
                                      ByteView der);

  /// Wall-clock floor, raised only (profile S27): an earlier time changes nothing.
  [[nodiscard]] Result<std::optional<WallTime>> time_floor();
  [[nodiscard]] Result<void> raise_time_floor(WallTime time);

  /// The slot of a group in our reqid and policy index ranges; the same for ever after the first
  /// question. Lowest free; `store.slots-full` beyond `max_slot`.
  [[nodiscard]] Result<std::uint16_t> slot_of(const GroupId& group, std::uint16_t max_slot);
  /// Likewise of a data address (text), in numbers of their own.
  [[nodiscard]] Result<std::uint16_t> slot_of_address(const std::string& address,
                                                      std::uint16_t max_slot);

  /// Burns (epoch id, SPI); `store.intent-taken` if it was burnt before.
  [[nodiscard]] Result<void> burn(const SaIntent& intent);

  [[nodiscard]] Result<std::vector<KernelRecord>> kernel_records();
  [[nodiscard]] Result<std::vector<InstalledGroup>> installed_groups();
  /// Written before the kernel is touched, in one transaction: `group`, in the place of what stood
  /// there for it, and `records`, of which those that are there already stay.
  [[nodiscard]] Result<void> record_install(const InstalledGroup& group,
                                            const std::vector<KernelRecord>& records);
  /// With the last record of a group in its namespace the group goes too.
  [[nodiscard]] Result<void> remove_kernel_records(const std::vector<KernelRecord>& records);

 private:
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gkmpd::store
