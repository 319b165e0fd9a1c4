// gkmpctl group rekey on the controller's host, against an agent that only answers its socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "agent/crypto/cms.h"
#include "agent/crypto/hash.h"
#include "agent/daemon/control_server.h"
#include "agent/daemon/loop.h"
#include "agent/identity/command.h"
#include "agent/protocol/errors.h"
#include "tests/unit/ctl/program.h"

namespace gkmpd::ctl {
namespace {

using daemon::Json;
using testing::HasSubstr;

Json group(const std::string& tuple, bool ordered) {
  return Json{{"name", "demo"},          {"state", "active"}, {"why", ""},
              {"tuple", tuple},          {"installed", true}, {"install_error", ""},
              {"sending", true},         {"rekey_error", ""}, {"rekey_ordered", ordered},
              {"members", Json::array()}};
}

class LocalRekeyTest : public testing::Test {
 protected:
  void SetUp() override {
    succeeds(place_.init());
    succeeds(place_.issue("chief", "--role commander --group demo"));
    place_.write("demo.toml", kPolicy);
    place_.write("members.toml",
                 "kind = \"gkmp-member-list-1\"\ngroup = \"demo\"\n[[member]]\nname = \"a\"\n"
                 "[[member]]\nname = \"b\"\naddress = \"10.9.0.2\"\n");
    succeeds(
        place_.gkmpctl("token sign --policy demo.toml --members members.toml --cert chief.pem "
                       "--key chief.key --out demo.token"));
  }
  void succeeds(const Outcome& outcome) { ASSERT_EQ(outcome.code, 0) << outcome.output; }

  std::string answer(const daemon::Request& request) {
    if (std::holds_alternative<daemon::StatusRequest>(request)) {
      return daemon::encode_reply("status", Json{{"host", "a"}});
    }
    const auto* order = std::get_if<daemon::OrderRequest>(&request);
    if (order == nullptr) return daemon::encode_refusal({protocol::kUnexpectedMessage, ""});
    order_ = *order;
    return refusal_ ? daemon::encode_refusal(*refusal_)
                    : daemon::encode_reply("group", group("1.1.0.1", true));
  }

  /// gkmpctl, with the agent at work beside it.
  Outcome rekey(const std::string& more) {
    const Outcome where = place_.run("pwd");
    auto loop = *daemon::Loop::make();
    daemon::Counters counters;
    const auto server = *daemon::ControlServer::open(
        where.output.substr(0, where.output.find('\n')) + "/control.sock", loop, counters,
        [this](const daemon::Request& request) { return answer(request); },
        [this](const daemon::WatchRequest&) {
          return daemon::encode_reply("watching", "demo") + daemon::encode_notice("group", later_);
        });
    const Fd done(::eventfd(0, EFD_CLOEXEC));
    auto source = *loop.io(done.get(), EPOLLIN, [&loop](std::uint32_t) { loop.stop(0); });
    Outcome outcome;
    std::thread client([&] {
      outcome = place_.gkmpctl(
          "--socket control.sock group rekey demo.token --cert chief.pem "
          "--key chief.key " +
          more);
      const std::uint64_t one = 1;
      ASSERT_EQ(::write(done.get(), &one, sizeof one), 8);
    });
    EXPECT_TRUE(loop.run());
    client.join();
    return outcome;
  }

  Workplace place_;
  std::optional<daemon::OrderRequest> order_;
  std::optional<Error> refusal_;
  Json later_ = group("1.1.0.2", false);
};

TEST_F(LocalRekeyTest, SignsAnOrderForTheAgentsHost) {
  const Outcome outcome = rekey("");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.output, "demo: accepted at epoch 1.1.0.1\n");
  ASSERT_TRUE(order_);
  EXPECT_EQ(as_text(order_->token), place_.read("demo.token"));
  const auto cms = crypto::cms_verify(order_->command, crypto::oid_command());
  ASSERT_TRUE(cms) << cms.error().text();
  const auto text = identity::parse_command(as_text(cms->content));
  ASSERT_TRUE(text) << text.error().text();
  EXPECT_EQ(text->action, identity::CommandAction::kRekey);
  EXPECT_EQ(text->group, "demo");
  EXPECT_EQ(text->controller, "a");
  EXPECT_EQ(text->token_hash, crypto::sha256({order_->token}));
  const std::uint64_t counter = text->counter;
  EXPECT_EQ(rekey("").code, 0);
  const auto next = crypto::cms_verify(order_->command, crypto::oid_command());
  EXPECT_GT(identity::parse_command(as_text(next->content))->counter, counter);
}

TEST_F(LocalRekeyTest, FollowsItToItsEnd) {
  const Outcome outcome = rekey("--wait 20");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.output,
            "demo: accepted at epoch 1.1.0.1\ndemo: epoch 1.1.0.2\ndemo: complete\n");
  const Outcome json = rekey("--wait 20 --json");
  EXPECT_EQ(json.code, 0);
  const Json shown = Json::parse(json.output);
  EXPECT_EQ(shown["accepted"], true);
  EXPECT_EQ(shown["complete"], true);
  EXPECT_EQ(shown["group"]["tuple"], "1.1.0.2");
}

TEST_F(LocalRekeyTest, TellsWhatIsMissingWhenTimeIsUp) {
  later_ = group("1.1.0.1", true);
  later_["rekey_error"] = "protocol.save-failed: disk full";
  const Outcome outcome = rekey("--wait 1");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("demo: not rekeyed: protocol.save-failed: disk full\n"));
  EXPECT_THAT(outcome.output,
              HasSubstr("gkmpctl: the new epoch is not there yet: protocol.save-failed"));
}

TEST_F(LocalRekeyTest, TellsARefusalAsTheAgentDoes) {
  refusal_ = Error{protocol::kGroupNotLive, "create it again"};
  const Outcome outcome = rekey("--json");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("\"error\": \"protocol.group-not-live\""));
  EXPECT_THAT(outcome.output, HasSubstr("gkmpctl: protocol.group-not-live: create it again"));
}

TEST_F(LocalRekeyTest, WantsPapersAndAnAgent) {
  EXPECT_EQ(place_.gkmpctl("group rekey demo.token").code, 2);
  EXPECT_EQ(place_.gkmpctl("group rekey demo.token --cert chief.pem").code, 2);
  EXPECT_EQ(place_
                .gkmpctl("group rekey demo.token --cert chief.pem --key chief.key "
                         "--controller 127.0.0.1")
                .code,
            2);
  EXPECT_EQ(place_
                .gkmpctl("--socket nobody.sock group rekey demo.token --cert chief.pem "
                         "--key chief.key")
                .code,
            3);
  const Outcome list = place_.gkmpctl("group rekey members.toml --cert chief.pem --key chief.key");
  EXPECT_EQ(list.code, 1);
  EXPECT_THAT(list.output, HasSubstr("crypto.bad-cms"));
}

}  // namespace
}  // namespace gkmpd::ctl
