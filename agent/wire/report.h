// What a controller tells a commander of a group (docs/PROTOCOL.md, "Report").
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/wire/messages.h"

namespace gkmpd::wire {

/// As a controller sees a group of its own.
enum class ReportedGroup : std::uint8_t {
  kCreating = 1,
  kPending = 2,
  kActive = 3,
  kExpired = 4,
  kFailed = 5,
};
enum class ReportedMember : std::uint8_t {
  kWaiting = 1,
  kAsked = 2,
  kNegotiating = 3,
  kDownloading = 4,
  kKeyed = 5,
  kFailed = 6,
};

/// Octets of a reason: an error's name, and its sentence as far as there is room.
inline constexpr std::size_t kMaxReasonOctets = 255;
/// Octets of a host's name.
inline constexpr std::size_t kMaxNameOctets = 64;

/// What a report tells of an epoch.
struct ReportedEpoch {
  EpochTuple tuple;
  EpochId id{};
  WallTime not_after;
  friend bool operator==(const ReportedEpoch&, const ReportedEpoch&) = default;
};

struct GroupReport {
  struct Member {
    std::string name;
    ReportedMember state = ReportedMember::kWaiting;
    std::string why;
    friend bool operator==(const Member&, const Member&) = default;
  };

  ReportedGroup state = ReportedGroup::kCreating;
  std::string why;  // why it failed
  std::optional<ReportedEpoch> epoch;
  bool installed = false;  // the controller's kernel holds what it should
  bool sending = false;    // the controller sends under the group's key
  std::string install_error;
  bool rekey_ordered = false;  // no epoch answers the order yet
  std::string rekey_error;     // why the last attempt at a rekey failed
  // Of all listed hosts but the controller.
  std::uint16_t listed = 0;
  std::uint16_t keyed = 0;
  std::uint16_t failed = 0;
  std::uint16_t first = 0;      // place in the list of the first one below
  std::vector<Member> members;  // in the list's order, none left out between
  friend bool operator==(const GroupReport&, const GroupReport&) = default;
};

/// Reasons are brought to what the format takes: characters other than printable ASCII become
/// '?', and what is too long is cut. `report.members` may hold more than fit kMaxReportOctets: the
/// last ones are left out then.
[[nodiscard]] Bytes encode(const GroupReport& report);
[[nodiscard]] Result<GroupReport> decode_group_report(ByteView octets);

}  // namespace gkmpd::wire
