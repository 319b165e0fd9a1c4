// Hosts a, b and c of a group that is rekeyed each minute; a controls, a and b send.
#pragma once

#include <algorithm>

#include "agent/wire/messages.h"
#include "tests/unit/protocol/hosts.h"

namespace gkmpd::test {

class RekeyedGroup : public testing::Test {
 protected:
  static constexpr seconds kInterval{60};

  RekeyedGroup() {
    options_.senders = {"a", "b"};
    options_.actions = {"create", "rekey"};
    options_.rekey_interval_s = kInterval.count();
    options_.token_grace_s = 240;
  }
  void SetUp() override {
    net_.add_controller("a");
    net_.add("b", options_of_b_);
    net_.add("c");
    create();
  }
  void create() {
    group_ = net_.group(options_);
    ASSERT_TRUE(net_.create("a", group_));
    net_.pass(seconds(10));
    first_ = epoch("a");
  }

  [[nodiscard]] TestNode& node(const std::string& name) { return net_.node(name); }
  [[nodiscard]] protocol::GroupView view(const std::string& name) {
    return node(name).endpoint->group("demo").value_or(protocol::GroupView{});
  }
  /// The last field of the tuple; 0 without keys.
  [[nodiscard]] std::uint32_t epoch(const std::string& name) {
    const auto tuple = view(name).tuple;
    return tuple ? tuple->epoch : 0;
  }
  [[nodiscard]] protocol::MemberState state_of(const std::string& member) {
    const auto members = view("a").members;
    return std::ranges::find(members, member, &protocol::MemberView::name)->state;
  }
  [[nodiscard]] std::size_t reports(const std::string& name, std::string_view what) {
    return static_cast<std::size_t>(
        std::ranges::count(node(name).reports, what, &protocol::Report::what));
  }

  [[nodiscard]] std::vector<Sent> all(std::string_view message) const {
    std::vector<Sent> found;
    std::ranges::copy_if(net_.log, std::back_inserter(found),
                         [&](const Sent& sent) { return sent.message() == message; });
    return found;
  }
  [[nodiscard]] std::size_t count(std::string_view message) const { return all(message).size(); }

  /// Lets time pass until the controller has come to that epoch.
  void wait_for_epoch(std::uint32_t wanted) {
    for (int i = 0; i < 2000 && epoch("a") < wanted; ++i) net_.pass(milliseconds(100));
    ASSERT_EQ(epoch("a"), wanted);
  }

  /// To that host alone, and what follows from it.
  void deliver_to(const std::string& name, const Sent& sent) {
    node(name).endpoint->handle_datagram(net_.now(), node(sent.from).address, sent.octets);
    net_.settle();
  }

  [[nodiscard]] static wire::Statement statement_of(const Sent& rekey) {
    const auto datagram = wire::decode_datagram(rekey.octets);
    const auto message = wire::decode_body(datagram->header.type, datagram->body);
    return *wire::decode_statement(std::get<wire::RekeyMulticast>(*message).statement);
  }

  TestNet net_;
  HostOptions options_of_b_;
  PolicyOptions options_;
  TestGroup group_;
  std::uint32_t first_ = 0;
};

}  // namespace gkmpd::test
