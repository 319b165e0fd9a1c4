// A member's side of figures 1 and 2 driven by hand, for what an honest member would never send.
#pragma once

#include <deque>
#include <optional>

#include "agent/protocol/handshake.h"
#include "tests/unit/protocol/hosts.h"

namespace gkmpd::test {

class RawMember {
 public:
  /// Answers the controller "a" from 10.9.0.50 with the credentials of `host`. Takes over the net's
  /// filter as long as it lives.
  RawMember(TestNet& net, const TestHost& host);
  RawMember(const RawMember&) = delete;
  RawMember& operator=(const RawMember&) = delete;
  ~RawMember();

  [[nodiscard]] const SocketAddress& address() const { return address_; }

  /// Answers the Create message that has come, and takes what answers that: true if it is a
  /// Negotiate message.
  [[nodiscard]] bool create();
  /// Sends a Negotiate_2 with `sources`, after `change`: the name of what answers, a refusal's own
  /// name for a refusal, "" for silence.
  std::string negotiate(std::vector<IpAddress> sources,
                        const std::function<void(protocol::Agreed&)>& change = {});
  /// After a download: sends an acknowledgement of it with `change` made to it.
  void acknowledge(const std::function<void(wire::KeyDownloadAck&)>& change);

 private:
  /// The next whole message from the controller, opened with `key`.
  [[nodiscard]] std::optional<protocol::Incoming> take(const Secret* key);
  void send(const std::vector<Bytes>& datagrams);

  TestNet& net_;
  SocketAddress address_;
  crypto::SeededRandom random_{78};
  protocol::Context context_;
  std::optional<protocol::Channel> channel_;
  std::optional<protocol::Agreed> agreed_;
  std::optional<keys::PairwiseKeys> keys_;
  Bytes negotiate_1_;
  Bytes statement_;
  std::optional<wire::Header> ack_header_;
  std::deque<Bytes> inbox_;
};

}  // namespace gkmpd::test
