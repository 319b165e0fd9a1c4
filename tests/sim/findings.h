// What the rules of the simulator found wrong, and what they know of the groups they watch.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/base/ids.h"
#include "agent/base/time.h"
#include "tests/sim/network.h"

namespace gkmpd::sim {

struct Violation {
  MonoTime at;
  HostIndex host = 0;
  std::string rule;  // stable name
  std::string detail;
};

/// Violations in the order in which they were found; only the first few are kept.
class Findings {
 public:
  void add(MonoTime at, HostIndex host, std::string rule, std::string detail) {
    if (violations_.size() < kMaxKept) {
      violations_.push_back({at, host, std::move(rule), std::move(detail)});
    }
  }
  [[nodiscard]] bool none() const { return violations_.empty(); }
  [[nodiscard]] const std::vector<Violation>& all() const { return violations_; }
  [[nodiscard]] bool has(const std::string& rule) const {
    for (const Violation& violation : violations_) {
      if (violation.rule == rule) return true;
    }
    return false;
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const Violation& violation : violations_) {
      out += "at " + std::to_string(violation.at.time_since_epoch().count()) + " ms, host " +
             std::to_string(violation.host) + ", " + violation.rule + ": " + violation.detail +
             "\n";
    }
    return out;
  }

 private:
  static constexpr std::size_t kMaxKept = 20;
  std::vector<Violation> violations_;
};

/// What ought to hold for a group, as the test that made it knows.
struct GroupFacts {
  GroupId id{};
  std::string name;
  std::set<HostIndex> entitled;  // may hold its keys
  std::map<std::string, HostIndex> members;
  std::set<HostIndex> senders;
  std::size_t sender_count = 0;  // in the token
  milliseconds activation_delay{};
  IpAddress destination;
  SocketAddress control_multicast;
};

}  // namespace gkmpd::sim
