// Creates groups with real endpoints, all in one thread without a network between them, and counts
// the CPU time that each of them uses.
#pragma once

#include <deque>
#include <vector>

#include "agent/base/suite.h"
#include "agent/crypto/random.h"
#include "agent/protocol/endpoint.h"
#include "tests/bench/cpu_time.h"
#include "tests/support/pki.h"

namespace gkmpd::bench {

/// What the creation of one group took at each host. Reading the command (state 1) is not in it.
struct GroupCost {
  Duration controller{};
  /// In the order of the member list: the first one made the keys in figure 1, the others got them
  /// in figure 2.
  std::vector<Duration> members;
};

struct NamedSuite {
  Suite suite = Suite::kX25519Sha256;
  const char* name = "x25519-sha256";  // as a policy names it
};

/// A controller, its possible members, and what they have from their security manager.
class Hosts {
 public:
  /// All hosts have keys of one type, and their groups use one suite.
  Hosts(crypto::KeyType key_type, NamedSuite suite, std::size_t members);

  /// Starts fresh agents on the controller and on the first `members` others and creates a group of
  /// them. Ends the process if not everyone is keyed: then there is nothing to measure.
  [[nodiscard]] GroupCost create_group(std::size_t members);

  [[nodiscard]] const crypto::Certificate& anchor() const { return pki_.anchor(); }
  [[nodiscard]] const test::TestHost& controller() const { return hosts_[0]; }
  [[nodiscard]] const test::TestHost& member() const { return hosts_[1]; }
  [[nodiscard]] const test::TestHost& commander() const { return commander_; }
  [[nodiscard]] Suite suite() const { return suite_.suite; }

 private:
  struct Running {
    protocol::Endpoint endpoint;
    SocketAddress address;
    Duration used{};
  };
  [[nodiscard]] Running start(std::size_t host);
  [[nodiscard]] const test::TestGroup& group_of(std::size_t members);
  void deliver_all(std::vector<Running>& running);

  NamedSuite suite_;
  test::TestPki pki_;
  std::vector<test::TestHost> hosts_;
  test::TestHost commander_;
  std::vector<std::pair<std::size_t, test::TestGroup>> groups_;
  crypto::SystemRandom random_;
};

}  // namespace gkmpd::bench
