// What operators are shown, as JSON (docs/OPERATING.md, "JSON"). The shapes are stable.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/time.h"
#include "agent/protocol/endpoint.h"
#include "xfrm/usage.h"

namespace gkmpd::daemon {

using Json = nlohmann::ordered_json;

/// "2026-01-31T12:00:00Z"
[[nodiscard]] std::string time_text(WallTime time);

/// What a kernel has not got, in one line: "chacha20-poly1305 over IPv4 and IPv6: the kernel says
/// ..."; what has one cause is told together.
[[nodiscard]] std::string lacks_text(const std::vector<xfrm::KernelLack>& lacks);

struct Status {
  std::string version;
  std::string host;
  std::string control;  // every address, with the port
  std::string interface;
  std::string certificate_serial;
  WallTime certificate_not_after{};
  std::optional<std::uint64_t> crl_number;
  std::optional<WallTime> crl_this_update;
  std::optional<WallTime> crl_next_update;
  std::uint64_t crl_entries = 0;
  WallTime now{};
  bool clock_trusted = true;  // false: the system's clock is below the time floor
  std::uint64_t uptime_s = 0;
  std::uint64_t kernel_sas = 0;       // of our record, found in the kernel
  std::uint64_t kernel_policies = 0;  // likewise
  std::uint64_t kernel_recorded = 0;  // SAs and policies in our record
  std::string kernel_error;
  std::vector<xfrm::KernelLack> kernel_lacks;
  bool kernel_hides_keys = false;
  std::vector<protocol::GroupView> groups;
  std::map<std::string, std::uint64_t> counters;
};

/// One SA of ours in the kernel.
struct SaView {
  std::string group;
  std::string sender;  // host name; empty if not known, or any
  std::uint32_t epoch = 0;
  bool current = true;  // false: of an epoch before the newest
  std::uint64_t age_s = 0;
  xfrm::SaUsage usage = {};
};

/// What passed and was dropped under all SAs of one sender in a group.
struct SenderView {
  std::string name;   // host name; empty if not known, or any
  IpAddress address;  // unspecified: any sender's
  std::uint64_t packets = 0;
  std::uint64_t octets = 0;
  std::uint64_t replayed = 0;       // as in SaUsage
  std::uint64_t behind_window = 0;  // likewise
  std::uint64_t forged = 0;         // likewise
  friend bool operator==(const SenderView&, const SenderView&) = default;
};

[[nodiscard]] Json to_json(const SaView& sa);
[[nodiscard]] Json to_json(const SenderView& sender);
[[nodiscard]] Json to_json(const protocol::GroupView& group);
/// Name, id, role, state, controller and how many members are in which state.
[[nodiscard]] Json summary_json(const protocol::GroupView& group);
[[nodiscard]] Json to_json(const protocol::Report& report);
[[nodiscard]] Json to_json(const Status& status);

}  // namespace gkmpd::daemon
