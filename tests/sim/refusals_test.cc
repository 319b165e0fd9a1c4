// Everything that is tried in vain (tests/support/rogue/tries.h): the side that refuses counts and
// reports exactly that error, the other side is told inside an authenticated exchange only, nothing
// changes, and the rest of the group is keyed all the same. docs/REFUSALS.md is the table of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/protocol/errors.h"
#include "tests/sim/rogues.h"

namespace gkmpd::sim {
namespace {

using protocol::Flow;
using protocol::MemberState;
using rogue::Expected;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr HostIndex kController = 0;
constexpr HostIndex kVictim = 1;
/// More than the repetitions of a message that nobody answers.
constexpr milliseconds kAttack{20'000};
constexpr milliseconds kSettled{120'000};

using Counters = std::map<std::string, std::uint64_t>;

/// Four good hosts on a network that loses nothing, and room for others.
class Stage {
 public:
  Stage() : world(options()) {
    for (std::size_t i = 0; i < Ground::kGoodHosts; ++i) world.add(Ground::shared().good(i));
  }

  /// What a host has counted. Without heartbeats, which come by multicast, whatever is tried, and
  /// without the later fragments of what is repeated: the first one is known again, they are
  /// unexpected.
  [[nodiscard]] Counters counters(HostIndex host) const {
    Counters counters;
    for (const auto& [name, count] : world.endpoint(host).counters()) {
      const std::string text(name);
      if (text == protocol::kOwnGroup.name() || text == protocol::kUnexpectedMessage.name() ||
          text.starts_with("protocol.heartbeat-")) {
        continue;
      }
      counters[text] = count;
    }
    return counters;
  }
  [[nodiscard]] std::vector<protocol::Report> reports(HostIndex host,
                                                      const std::string& what) const {
    std::vector<protocol::Report> found;
    for (const auto& [from, report] : reports_) {
      if (from == host && report.what == what) found.push_back(report);
    }
    return found;
  }
  [[nodiscard]] std::vector<std::string> details(HostIndex host, const std::string& what) const {
    std::vector<std::string> found;
    for (const auto& report : reports(host, what)) found.push_back(report.detail);
    return found;
  }
  void forget_reports() { reports_.clear(); }

  /// Creates the group and waits until the good hosts are keyed.
  void key(const GroupPlan& plan) {
    world.watch(plan);
    const auto started = world.command(plan);
    ASSERT_TRUE(started) << started.error().text();
    ASSERT_TRUE(world.run_until([&] { return world.is_settled(plan); }, kSettled))
        << "the rest of the group is not keyed\n"
        << world.findings().text();
  }
  void expect_clean() {
    world.finish();
    EXPECT_TRUE(world.findings().none()) << world.findings().text();
  }

 private:
  WorldOptions options() {
    WorldOptions options;
    options.seed = 1;
    options.network.jitter = milliseconds(0);
    options.listener = [this](HostIndex host, const protocol::Report& report) {
      reports_.emplace_back(host, report);
    };
    return options;
  }

  std::vector<std::pair<HostIndex, protocol::Report>> reports_;

 public:
  World world;
};

/// What must not change where something is refused.
struct Standing {
  World::Effects effects;
  std::optional<protocol::GroupFloor> floor;
  std::optional<EpochId> epoch;

  Standing(const World& world, HostIndex host, const GroupId& group)
      : effects(world.effects(host)), floor(world.floor(host, group)) {
    effects.transmits = 0;  // refusals and heartbeats are sent
    if (const auto held = world.endpoint(host).held_keys(group)) epoch = held->epoch_id;
  }
  friend bool operator==(const Standing&, const Standing&) = default;
};

std::string name_of(std::string try_name) {
  std::ranges::replace(try_name, '-', '_');
  return try_name;
}
template <typename Try>
std::string name_of_try(const testing::TestParamInfo<Try>& info) {
  return name_of(info.param.name);
}

void expect_told(const rogue::Peer& peer, const Expected& expected) {
  EXPECT_EQ(peer.own_error(), std::nullopt);
  EXPECT_FALSE(peer.keyed());
  if (expected.told) {
    EXPECT_EQ(peer.refusal(), expected.error.name());
    EXPECT_THAT(peer.heard(), testing::Contains("Refusal"));
  } else {
    EXPECT_EQ(peer.refusal(), std::nullopt);
    EXPECT_THAT(peer.heard(), testing::Not(testing::Contains("Refusal")));
  }
}

// --- Rogues as members, before the controller
// ----------------------------------------------------

std::vector<rogue::FaceTry> faces(std::optional<Expected> rogue::FaceTry::* role) {
  auto list = Ground::shared().tries().faces();
  std::erase_if(list, [&](const rogue::FaceTry& face) { return !(face.*role); });
  return list;
}

class RogueMember : public testing::TestWithParam<rogue::FaceTry> {
 protected:
  /// `is_first`: it is asked to make the group's keys (figure 1), else to take them (figure 2).
  static void run(bool is_first) {
    const rogue::FaceTry& face = GetParam();
    Stage stage;
    SimRogue rogue(stage.world, 9);
    rogue.be(std::make_unique<rogue::Member>(face.face, Ground::shared().trust(), rogue.address(),
                                             std::set<std::string>{"blue"}, rogue.random()));
    const Ground::Listed listed{rogue.host(), face.name, rogue.address()};
    const GroupPlan plan =
        is_first ? Ground::shared().plan({listed}, {}) : Ground::shared().plan({}, {listed});
    stage.key(plan);
    const auto state = [&] {
      const auto view = stage.world.view(kController, plan);
      return *std::ranges::find(view->members, face.name, &protocol::MemberView::name);
    };
    EXPECT_TRUE(
        stage.world.run_until([&] { return state().state == MemberState::kFailed; }, kSettled));

    expect_told(rogue.peer(), *face.as_member);
    expect_refused(stage, plan, state());
    stage.expect_clean();
  }

  static void expect_refused(const Stage& stage, const GroupPlan& plan,
                             const protocol::MemberView& view) {
    const Expected& expected = *GetParam().as_member;
    const std::string error(expected.error.name());
    const Counters counters = stage.counters(kController);
    ASSERT_EQ(counters.size(), 1U) << testing::PrintToString(counters);
    ASSERT_TRUE(counters.contains(error)) << testing::PrintToString(counters);
    const auto failed = stage.reports(kController, "member-failed");
    ASSERT_FALSE(failed.empty());
    EXPECT_EQ(failed.front().peer, GetParam().name);
    if (expected.told) {
      EXPECT_EQ(counters.at(error), 1U);
      EXPECT_EQ(failed.size(), 1U);
      EXPECT_THAT(failed.front().detail, StartsWith(error + ": "));
      EXPECT_THAT(view.why, StartsWith(error + ": "));
    } else {
      // What it says never opened: to the controller it is as if nobody answered.
      EXPECT_THAT(stage.details(kController, "dropped"), testing::Contains(StartsWith(error)));
      EXPECT_THAT(view.why, StartsWith("protocol.timeout"));
    }
    // One save, and one install before and one after the activation delay: as without it.
    EXPECT_EQ(stage.world.effects(kController).saves, 1U);
    EXPECT_EQ(stage.world.effects(kController).installs, 2U);
    for (HostIndex host = 1; host < Ground::kGoodHosts; ++host) {
      EXPECT_EQ(stage.counters(host), Counters{}) << host;
    }
    EXPECT_TRUE(stage.world.is_settled(plan));
  }
};

TEST_P(RogueMember, IsRefusedAsTheFirst) { run(true); }
TEST_P(RogueMember, IsRefusedAsAnother) { run(false); }

INSTANTIATE_TEST_SUITE_P(Tries, RogueMember, testing::ValuesIn(faces(&rogue::FaceTry::as_member)),
                         name_of_try<rogue::FaceTry>);

// --- Rogues as controllers, before a member
// ------------------------------------------------------

/// One attack on the victim.
struct Attack {
  rogue::Face face;
  Bytes token;
  std::string group;
  std::optional<Digest> announced_hash;
  std::optional<Suite> suite;
  Expected expected;
};

void expect_refused_by_victim(const Stage& stage, const Counters& before, const Attack& attack,
                              const SimRogue& rogue) {
  const std::string error(attack.expected.error.name());
  Counters counted = stage.counters(kVictim);
  for (const auto& [name, count] : before) counted[name] -= count;
  std::erase_if(counted, [](const auto& entry) { return entry.second == 0; });
  ASSERT_EQ(counted.size(), 1U) << testing::PrintToString(counted);
  ASSERT_TRUE(counted.contains(error)) << testing::PrintToString(counted);

  const auto refused = stage.reports(kVictim, "refused");
  const auto untrusted = stage.reports(kVictim, "controller-not-trusted");
  if (attack.expected.told) {
    EXPECT_EQ(counted.at(error), 1U);
    ASSERT_EQ(refused.size(), 1U);
    EXPECT_EQ(refused.front().peer, rogue.address().text());
    EXPECT_THAT(refused.front().detail, StartsWith(error + ": "));
    EXPECT_TRUE(untrusted.empty());
  } else if (!untrusted.empty()) {
    EXPECT_EQ(counted.at(error), 1U);
    EXPECT_EQ(untrusted.size(), 1U);
    EXPECT_EQ(untrusted.front().peer, rogue.address().text());
    EXPECT_THAT(untrusted.front().detail, StartsWith(error + ": "));
    EXPECT_TRUE(refused.empty());
  } else {
    // Not even the Create message holds.
    EXPECT_THAT(stage.details(kVictim, "dropped"), testing::Each(StartsWith(error)));
    EXPECT_EQ(stage.reports(kVictim, "dropped").size(), counted.at(error));
  }
}

void strike(Stage& stage, const GroupPlan& plan, const Attack& attack, Flow flow,
            std::size_t index) {
  SCOPED_TRACE(flow == Flow::kGroup ? "figure 1" : "figure 2");
  SimRogue rogue(stage.world, index);
  const Counters before = stage.counters(kVictim);
  const Standing standing(stage.world, kVictim, plan.id());
  const GroupId other =
      identity::group_id(Ground::shared().trust().anchor_key_hash(), attack.group);
  stage.forget_reports();
  auto controller = std::make_unique<rogue::Controller>(
      attack.face, Ground::shared().trust(), rogue.address(), std::set<std::string>{"blue"},
      rogue.random(),
      rogue::Controller::Order{flow,
                               attack.group,
                               attack.token,
                               attack.announced_hash,
                               attack.suite,
                               {"h1", Ground::address(kVictim)}});
  controller->start(stage.world.guest_now());
  rogue.be(std::move(controller));
  rogue.flush();
  stage.world.run_for(kAttack);

  expect_told(rogue.peer(), attack.expected);
  expect_refused_by_victim(stage, before, attack, rogue);
  EXPECT_EQ(Standing(stage.world, kVictim, plan.id()), standing);
  if (other != plan.id()) {
    EXPECT_EQ(stage.world.floor(kVictim, other), std::nullopt);
    EXPECT_FALSE(stage.world.endpoint(kVictim).held_keys(other));
  }
}

/// Before the group exists, and while it lives.
void strike_before_and_after(const Attack& attack, bool needs_group) {
  Stage stage;
  const GroupPlan plan = Ground::shared().plan({}, {});
  if (!needs_group) {
    strike(stage, plan, attack, Flow::kGroup, 10);
    strike(stage, plan, attack, Flow::kSession, 11);
    EXPECT_EQ(stage.world.effects(kVictim).installs, 0U);
  }
  ASSERT_NO_FATAL_FAILURE(stage.key(plan));
  strike(stage, plan, attack, Flow::kGroup, 12);
  strike(stage, plan, attack, Flow::kSession, 13);
  EXPECT_TRUE(stage.world.is_settled(plan));
  EXPECT_EQ(stage.world.view(kVictim, plan)->state, protocol::GroupState::kActive);
  stage.expect_clean();
}

class RogueController : public testing::TestWithParam<rogue::FaceTry> {};

TEST_P(RogueController, IsRefused) {
  const rogue::FaceTry& face = GetParam();
  strike_before_and_after({face.face, Ground::shared().tries().rogue_token(), "demo", std::nullopt,
                           std::nullopt, *face.as_controller},
                          false);
}

INSTANTIATE_TEST_SUITE_P(Tries, RogueController,
                         testing::ValuesIn(faces(&rogue::FaceTry::as_controller)),
                         name_of_try<rogue::FaceTry>);

class TokenAtMember : public testing::TestWithParam<rogue::TokenTry> {};

TEST_P(TokenAtMember, IsRefused) {
  const rogue::TokenTry& token = GetParam();
  strike_before_and_after({Ground::shared().tries().good_face(), token.token, token.group,
                           token.announced_hash, token.suite, Expected{token.error, true}},
                          token.needs_group);
}

INSTANTIATE_TEST_SUITE_P(Tries, TokenAtMember, testing::ValuesIn(Ground::shared().tries().tokens()),
                         name_of_try<rogue::TokenTry>);

// --- Tokens at the controller
// --------------------------------------------------------------------

std::vector<rogue::TokenTry> commands() {
  auto list = Ground::shared().tries().tokens();
  std::erase_if(list, [](const rogue::TokenTry& token) { return !token.as_command; });
  return list;
}

class TokenAtController : public testing::TestWithParam<rogue::TokenTry> {
 protected:
  static void command(Stage& stage, const GroupPlan& good) {
    const rogue::TokenTry& token = GetParam();
    GroupPlan plan = good;
    plan.token = token.token;
    const Standing standing(stage.world, kController, good.id());
    const auto groups = stage.world.endpoint(kController).groups().size();
    const auto sent = stage.world.effects(kController).transmits;
    const auto outcome = stage.world.command(plan);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, token.error) << outcome.error().text();
    EXPECT_EQ(stage.world.effects(kController).transmits, sent);
    EXPECT_EQ(Standing(stage.world, kController, good.id()), standing);
    EXPECT_EQ(stage.world.endpoint(kController).groups().size(), groups);
  }
};

TEST_P(TokenAtController, IsRefused) {
  Stage stage;
  const GroupPlan plan = Ground::shared().plan({}, {});
  if (!GetParam().needs_group) command(stage, plan);
  ASSERT_NO_FATAL_FAILURE(stage.key(plan));
  command(stage, plan);
  stage.world.run_for(seconds(5));
  EXPECT_TRUE(stage.world.is_settled(plan));
  stage.expect_clean();
}

INSTANTIATE_TEST_SUITE_P(Tries, TokenAtController, testing::ValuesIn(commands()),
                         name_of_try<rogue::TokenTry>);

// --- Honest hosts that are unfit
// -----------------------------------------------------------------

class UnfitHost : public testing::TestWithParam<rogue::AgentTry> {
 protected:
  static void run(bool is_first) {
    const rogue::AgentTry& agent = GetParam();
    Stage stage;
    const HostIndex unfit = stage.world.add(Ground::shared().unfit(agent, Ground::kGoodHosts));
    const Ground::Listed listed{unfit, agent.name, Ground::address(Ground::kGoodHosts)};
    const GroupPlan plan =
        is_first ? Ground::shared().plan({listed}, {}) : Ground::shared().plan({}, {listed});
    stage.key(plan);
    const auto view = [&] {
      const auto group = stage.world.view(kController, plan);
      return *std::ranges::find(group->members, agent.name, &protocol::MemberView::name);
    };
    EXPECT_TRUE(
        stage.world.run_until([&] { return view().state == MemberState::kFailed; }, kSettled));
    expect_refused(stage, unfit, view());
    EXPECT_FALSE(stage.world.holds_keys(unfit, plan));
    EXPECT_EQ(stage.world.floor(unfit, plan.id()), std::nullopt);
    EXPECT_EQ(stage.world.effects(unfit).saves, 0U);
    EXPECT_EQ(stage.world.effects(unfit).installs, 0U);
    EXPECT_TRUE(stage.world.is_settled(plan));
    stage.expect_clean();
  }

  static void expect_refused(const Stage& stage, HostIndex unfit,
                             const protocol::MemberView& view) {
    const Expected& expected = GetParam().expected;
    const std::string error(expected.error.name());
    const Counters at_controller = stage.counters(kController);
    if (GetParam().at_controller) {
      EXPECT_EQ(at_controller, (Counters{{error, 1}}));
      EXPECT_THAT(stage.details(kController, "member-failed"),
                  ElementsAre(StartsWith(error + ": ")));
      EXPECT_THAT(stage.details(unfit, "refused-by-controller"), ElementsAre(error));
      return;
    }
    // Asked as the first and again as another, a host that gave no answer refuses twice.
    const Counters at_host = stage.counters(unfit);
    ASSERT_EQ(at_host.size(), 1U) << testing::PrintToString(at_host);
    ASSERT_TRUE(at_host.contains(error)) << testing::PrintToString(at_host);
    if (expected.told) {
      EXPECT_EQ(at_host.at(error), 1U);
      EXPECT_EQ(at_controller, (Counters{{"protocol.refused-by-peer", 1}}));
      EXPECT_THAT(view.why, HasSubstr("refused: " + error));
      EXPECT_THAT(stage.details(unfit, "refused"), ElementsAre(StartsWith(error + ": ")));
    } else {
      EXPECT_EQ(at_controller, Counters{});
      EXPECT_THAT(view.why, StartsWith("protocol.timeout"));
      EXPECT_THAT(stage.details(unfit, "controller-not-trusted"),
                  testing::Each(StartsWith(error + ": ")));
      EXPECT_EQ(stage.details(unfit, "controller-not-trusted").size(), at_host.at(error));
    }
  }
};

TEST_P(UnfitHost, IsRefusedAsTheFirst) { run(true); }
TEST_P(UnfitHost, IsRefusedAsAnother) { run(false); }

INSTANTIATE_TEST_SUITE_P(Tries, UnfitHost, testing::ValuesIn(Ground::shared().tries().agents()),
                         name_of_try<rogue::AgentTry>);

// --- That nothing else is in the way
// ---------------------------------------------------------------

/// The same rogue with a good face and a good token keys the victim: the tries above fail by what
/// is wrong with them alone.
TEST(Rogues, WithNothingWrongAreKeyedAndKey) {
  for (const Flow flow : {Flow::kGroup, Flow::kSession}) {
    Stage stage;
    stage.world.watch(Ground::shared().plan({}, {}));
    SimRogue rogue(stage.world, 9);
    auto controller = std::make_unique<rogue::Controller>(
        Ground::shared().tries().good_face(), Ground::shared().trust(), rogue.address(),
        std::set<std::string>{"blue"}, rogue.random(),
        rogue::Controller::Order{flow,
                                 "demo",
                                 Ground::shared().tries().rogue_token(),
                                 std::nullopt,
                                 std::nullopt,
                                 {"h1", Ground::address(kVictim)}});
    controller->start(stage.world.guest_now());
    rogue.be(std::move(controller));
    rogue.flush();
    stage.world.run_for(kAttack);
    EXPECT_EQ(rogue.peer().own_error(), std::nullopt);
    EXPECT_EQ(rogue.peer().refusal(), std::nullopt);
    EXPECT_TRUE(rogue.peer().keyed());
  }
}

TEST(Rogues, WithNothingWrongTakeKeysAsMembers) {
  for (const bool is_first : {true, false}) {
    Stage stage;
    SimRogue rogue(stage.world, 9);
    rogue.be(std::make_unique<rogue::Member>(Ground::shared().tries().good_face(),
                                             Ground::shared().trust(), rogue.address(),
                                             std::set<std::string>{"blue"}, rogue.random()));
    const Ground::Listed listed{rogue.host(), "rogue", rogue.address()};
    const GroupPlan plan =
        is_first ? Ground::shared().plan({listed}, {}) : Ground::shared().plan({}, {listed});
    stage.world.watch(plan);
    ASSERT_TRUE(stage.world.command(plan));
    // The rules of the rig would mind, rightly: whoever is keyed ought to be a host of theirs.
    (void)stage.world.run_until([&] { return rogue.peer().keyed(); }, kSettled);
    EXPECT_TRUE(rogue.peer().keyed());
    EXPECT_EQ(rogue.peer().own_error(), std::nullopt);
  }
}

/// An agent does not even start with what its own checks refuse.
TEST(UnfitAgent, DoesNotStart) {
  crypto::SeededRandom random(1);
  for (const char* name :
       {"expired", "not-yet-valid", "revoked", "other-manager", "no-permissions"}) {
    const rogue::FaceTry& face = Ground::shared().face(name);
    auto made = protocol::Endpoint::make({.trust = Ground::shared().trust(),
                                          .limits = {},
                                          .certificate = face.face.certificate,
                                          .intermediates = {},
                                          .key = face.face.key,
                                          .addresses = {Ground::address(1).ip},
                                          .port = Ground::address(1).port,
                                          .hosts = {}},
                                         {}, random, {MonoTime{}, test::kNow});
    ASSERT_FALSE(made) << name;
    EXPECT_EQ(made.error().kind, face.as_member->error) << made.error().text();
  }
}

}  // namespace
}  // namespace gkmpd::sim
