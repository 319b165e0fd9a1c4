// A commander's session driven by hand, without the checks by which an honest commander would spare
// the controller its refusals; and the other end likewise.
#pragma once

#include "agent/identity/command.h"
#include "agent/protocol/handshake.h"
#include "agent/wire/report.h"
#include "tests/unit/protocol/hosts.h"

namespace gkmpd::test {

/// A host that may command the group "demo".
[[nodiscard]] HostOptions commander_options();

/// An order to controller "a" for `group` that is good now, with `counter`.
[[nodiscard]] identity::CommandText good_order(const TestNet& net, const TestGroup& group,
                                               std::uint64_t counter = 100);
/// Signed by `host`, without any check.
[[nodiscard]] Bytes sign_order(TestNet& net, const TestHost& host,
                               const identity::CommandText& text);

class RawCommander {
 public:
  /// Takes over the net's filter as long as it lives. Nothing but the replies to it reaches it.
  RawCommander(TestNet& net, const TestHost& host, const TestGroup& group,
               std::uint16_t port = 40000);
  RawCommander(const RawCommander&) = delete;
  RawCommander& operator=(const RawCommander&) = delete;
  ~RawCommander();

  // Each sends one message to the controller "a" and gives the name of the message that came back;
  // a refusal's own name for a refusal; "" for silence.
  std::string create();
  std::string negotiate(const std::function<void(protocol::Agreed&)>& change = {});
  std::string command(const Bytes& order, const std::optional<std::string>& member_list);
  std::string status(std::uint16_t first = 0);

  /// All fragments of a command but the last.
  void begin_command(const Bytes& order, const std::string& member_list);

  /// `create` and `negotiate`: true if both were answered.
  [[nodiscard]] bool open() {
    return create() == "Create_Session_KEK_2" && negotiate() == "Negotiate_Session_Keys_2";
  }
  [[nodiscard]] const wire::GroupReport& report() const { return report_; }
  [[nodiscard]] const SocketAddress& address() const { return address_; }
  /// Every datagram this session sent.
  [[nodiscard]] const std::vector<Bytes>& sent() const { return sent_; }
  /// Sends `octets` once more, from `from`.
  void repeat(const Bytes& octets, const SocketAddress& from);
  [[nodiscard]] std::size_t answers() const { return answers_; }

 private:
  std::string ask(std::vector<Bytes> datagrams, const Secret* opens_with);
  [[nodiscard]] std::vector<Bytes> seal_command(const Bytes& order,
                                                const std::optional<std::string>& member_list);
  [[nodiscard]] std::string name_of(const protocol::Incoming& in);

  TestNet& net_;
  TestGroup group_;
  SocketAddress address_;
  crypto::SeededRandom random_{77};
  protocol::Context context_;
  protocol::Channel channel_;
  std::optional<protocol::Opened> opened_;
  std::optional<protocol::Agreed> agreed_;
  Bytes negotiate_1_;
  std::optional<keys::PairwiseKeys> keys_;
  std::optional<protocol::Incoming> reply_;
  wire::GroupReport report_;
  std::vector<Bytes> inbox_;
  std::vector<Bytes> sent_;
  std::size_t answers_ = 0;
};

/// What a host beside an endpoint knows of itself.
[[nodiscard]] protocol::Context context_of(TestNet& net, const TestHost& host, Random& random);

}  // namespace gkmpd::test
