// A few endpoints on one perfect network, driven by hand: every datagram is seen, and may be held
// back or changed, before it arrives.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/crypto/random.h"
#include "agent/protocol/endpoint.h"
#include "tests/support/pki.h"

namespace gkmpd::test {

/// One host: its endpoint and what its daemon would have done.
struct TestNode {
  std::string name;
  SocketAddress address;
  crypto::SeededRandom random;
  std::optional<protocol::Endpoint> endpoint;
  std::map<GroupId, protocol::GroupFloor> disk;
  std::vector<protocol::AdoptedGroup> adopted;  // what its next start is given
  std::optional<xfrm::GroupSpec> kernel;        // the last spec installed
  protocol::GroupMemo memo;                     // what came with it
  std::vector<xfrm::SenderSa> standby;          // likewise
  std::size_t repairs = 0;                      // installs that were to repair
  std::vector<protocol::Keep> kept;             // what adopted groups asked for
  std::vector<SocketAddress> joined;
  std::vector<protocol::Report> reports;
  identity::LocalLimits limits;
  std::vector<xfrm::KernelLack> kernel_lacks;
  Result<void> save_outcome;     // what the next saves answer
  Result<void> install_outcome;  // what the next installs answer
  Result<protocol::Kept> keep_outcome = protocol::Kept{.sending = true, .missing = {}};

  explicit TestNode(std::uint64_t seed) : random(seed) {}

  [[nodiscard]] std::uint64_t count(ErrorKind kind) const;
  [[nodiscard]] bool reported(std::string_view what) const;
};

/// A datagram on its way.
struct Sent {
  std::string from;
  SocketAddress to;
  Bytes octets;

  [[nodiscard]] std::string message() const;
};

class TestNet {
 public:
  TestPki pki;
  /// Answers false to drop the datagram; may change its octets.
  std::function<bool(Sent&)> filter = [](Sent&) { return true; };
  /// Every datagram that was sent, before the filter.
  std::vector<Sent> log;

  /// Adds a host at 10.9.0.(1 + hosts so far), with the present revocation list.
  TestNode& add(const std::string& name, const HostOptions& options = {});
  TestNode& add_controller(const std::string& name);
  /// Starts the host's endpoint anew from its disk, with its limits, its kernel and the present
  /// list.
  void restart(TestNode& node);
  [[nodiscard]] TestNode& node(const std::string& name) { return *nodes_.at(name); }
  [[nodiscard]] TestHost& credentials(const std::string& name) { return credentials_.at(name); }

  /// A group of all hosts so far, controlled by "a", all of `senders` sending.
  [[nodiscard]] TestGroup group(PolicyOptions options = {});
  /// Gives the command and lets the network run until nothing moves.
  [[nodiscard]] Result<GroupId> create(const std::string& controller, const TestGroup& group);

  /// Delivers what is under way until nothing is left, without passing time.
  void settle();
  /// Lets `duration` pass, with every timeout at its time.
  void pass(milliseconds duration);
  void deliver(const Sent& sent);

  [[nodiscard]] Now now() const { return now_; }
  /// Names of the messages sent so far, in order, a run of fragments counting once; no heartbeats.
  [[nodiscard]] std::vector<std::string> messages() const;

 private:
  void drain(TestNode& node);

  Now now_{MonoTime(milliseconds(1000)), kNow};
  std::map<std::string, std::unique_ptr<TestNode>> nodes_;
  std::map<std::string, TestHost> credentials_;
  std::vector<Sent> under_way_;
};

/// Hosts a and b, both senders, keyed and sending; a controls.
class KeyedPair : public testing::Test {
 protected:
  explicit KeyedPair(std::uint32_t token_grace_s) {
    options_.senders = {"a", "b"};
    options_.rekey_interval_s = 120;
    options_.token_grace_s = token_grace_s;
  }
  void SetUp() override {
    net_.add_controller("a");
    net_.add("b");
    group_ = net_.group(options_);
    ASSERT_TRUE(net_.create("a", group_));
    net_.pass(seconds(10));
  }

  protocol::GroupView view(const std::string& name) {
    return net_.node(name).endpoint->group("demo").value_or(protocol::GroupView{});
  }

  TestNet net_;
  PolicyOptions options_;
  TestGroup group_;
};

}  // namespace gkmpd::test
