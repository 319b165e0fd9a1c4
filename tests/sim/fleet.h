// Credentials for simulated hosts, made once in a process, and plans of groups among them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/world.h"
#include "tests/support/pki.h"

namespace gkmpd::sim {

inline constexpr std::size_t kMaxHosts = 200;

/// Why a host that a member list names must not get keys.
enum class Flaw {
  kLowLevel,    // certified for less than the group
  kNoCategory,  // lacks a category of the group
  kNoRole,      // no member role
  kRevoked,     // on the list that all others hold
  kStranger,    // another security manager's host
  kOldCrl,      // its own revocation list is older than the controller's
  kOtherName,   // answers under another name than the list's
};
inline constexpr std::size_t kFlawCount = 7;

class Fleet {
 public:
  /// Made at the first call, always with the same octets.
  [[nodiscard]] static Fleet& shared();

  /// A host that may do everything in every group; `index` below kMaxHosts. Its key is of a type
  /// that depends on the index. Like every other it has an address of each family.
  [[nodiscard]] HostSetup good(std::size_t index) const;
  /// A host with `flaw`, at the address that good(index) would have.
  [[nodiscard]] HostSetup flawed(Flaw flaw, std::size_t index) const;
  [[nodiscard]] static IpAddress address(std::size_t index);
  [[nodiscard]] static IpAddress address_v6(std::size_t index);
  /// Commanders of every group, on hosts at the addresses that good(index) would have.
  [[nodiscard]] HostSetup commander(std::size_t index) const;
  /// On the list that all others hold, and not on its own.
  [[nodiscard]] HostSetup revoked_commander(std::size_t index) const;

  /// A group named in `policy`, controlled by `controller`, of `listed` hosts of `world` (without
  /// the controller); `refused` of them are listed, but not entitled. The first `sender_count` of
  /// the controller and the entitled hosts are senders. Fills the rest of the policy.
  struct PlanOptions {
    test::PolicyOptions policy;
    HostIndex controller = 0;
    std::vector<HostIndex> other_controllers;  // ranked behind `controller`; entitled
    std::vector<HostIndex> listed;
    std::set<HostIndex> refused;
    std::set<HostIndex> joiners;  // not listed; entitled, and to ask by themselves
    std::size_t sender_count = 1;
    /// Names that the list gives for hosts that really have others.
    std::map<HostIndex, std::string> list_names;
    bool with_addresses = true;
  };
  [[nodiscard]] GroupPlan plan(std::uint64_t seed, const World& world, PlanOptions options) const;

  /// The host that a flaw of kOtherName is listed as.
  static constexpr const char* kAbsentName = "absent";

 private:
  Fleet();

  test::TestPki pki_;
  test::TestPki strange_pki_;
  std::vector<test::TestHost> hosts_;
  std::map<Flaw, test::TestHost> flawed_;
  test::TestHost commander_;
  test::TestHost revoked_commander_;
  std::optional<identity::TrustStore> old_trust_;
  std::optional<identity::TrustStore> trust_;
  std::optional<identity::TrustStore> strange_trust_;
};

}  // namespace gkmpd::sim
