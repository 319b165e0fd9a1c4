// Rogues on the simulated network, and one security manager with all that is tried in vain.
#pragma once

#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/sim/world.h"
#include "tests/support/rogue/tries.h"

namespace gkmpd::rogue {

// What GoogleTest shows of a try.
inline void PrintTo(const FaceTry& one, std::ostream* out) { *out << one.name; }
inline void PrintTo(const AgentTry& one, std::ostream* out) { *out << one.name; }
inline void PrintTo(const TokenTry& one, std::ostream* out) { *out << one.name; }

}  // namespace gkmpd::rogue

namespace gkmpd::sim {

/// Credentials and tries, made once in a process.
class Ground {
 public:
  [[nodiscard]] static Ground& shared();

  [[nodiscard]] const rogue::Tries& tries() const { return *tries_; }
  [[nodiscard]] const identity::TrustStore& trust() const { return *trust_; }
  [[nodiscard]] const rogue::FaceTry& face(const std::string& name) const;

  static constexpr std::size_t kGoodHosts = 4;
  /// Good hosts; number 0 is the controller of the group.
  [[nodiscard]] HostSetup good(std::size_t index) const;
  [[nodiscard]] HostSetup unfit(const rogue::AgentTry& agent, std::size_t index) const;
  [[nodiscard]] static SocketAddress address(std::size_t index);

  /// The group of the good hosts, `others` being listed before or behind them.
  struct Listed {
    HostIndex host = 0;
    std::string name;
    SocketAddress address;
  };
  [[nodiscard]] GroupPlan plan(const std::vector<Listed>& first,
                               const std::vector<Listed>& last) const;

 private:
  Ground();

  mutable test::TestPki pki_;
  test::TestPki other_manager_;
  rogue::Setting setting_;
  std::vector<test::TestHost> hosts_;
  std::optional<identity::TrustStore> old_trust_;
  std::optional<rogue::Revoked> revoked_;
  std::optional<identity::TrustStore> trust_;
  std::optional<identity::TrustStore> other_trust_;
  std::optional<rogue::Tries> tries_;
  std::map<std::string, test::TestHost> unfit_;
};

/// Carries a rogue's datagrams and timers.
class SimRogue {
 public:
  SimRogue(World& world, std::size_t index);

  /// From here on `peer` answers in this place.
  void be(std::unique_ptr<rogue::Peer> peer);
  /// Sends what the peer has to send.
  void flush();

  [[nodiscard]] rogue::Peer& peer() { return *peer_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] HostIndex host() const { return host_; }
  [[nodiscard]] const SocketAddress& address() const { return address_; }

 private:
  void arm();

  World& world_;
  SocketAddress address_;
  crypto::SeededRandom random_;
  /// The world outlives us: what it still has to call of ours looks here first.
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  HostIndex host_;
  std::unique_ptr<rogue::Peer> peer_;
};

}  // namespace gkmpd::sim
