#include "tests/sim/seeds.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace gkmpd::sim {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

void for_each_seed(std::uint64_t count, const std::function<void(std::uint64_t)>& run) {
  const std::uint64_t times = number_from("GKMPD_SIM_LONG", 1);
  const std::uint64_t only = number_from("GKMPD_SIM_SEED", 0);
  const std::uint64_t first = only == 0 ? 1 : only;
  const std::uint64_t last = only == 0 ? count * times : only;
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const std::string again = std::string("--gtest_filter=") + test->test_suite_name() + "." +
                            test->name() + ", environment GKMPD_SIM_SEED=";
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const std::string number = std::to_string(seed);
    SCOPED_TRACE("seed " + number + "; to run it again: " + again + number);
    run(seed);
    if (testing::Test::HasFailure()) {
      std::fprintf(stderr, "seed %s fails; to run it again: %s%s\n", number.c_str(), again.c_str(),
                   number.c_str());
      return;
    }
  }
}

Weather draw_weather(Prng& chance) {
  Weather weather;
  weather.network.loss_permille = static_cast<unsigned>(chance.between(0, 300));
  weather.network.duplicate_permille = static_cast<unsigned>(chance.between(0, 100));
  weather.network.link_delay = milliseconds(chance.between(0, 150));
  weather.network.jitter = milliseconds(chance.between(0, 100));
  weather.clock_error = seconds(chance.between(0, 120));
  return weather;
}

WorldOptions options_of(std::uint64_t seed, const Weather& weather) {
  WorldOptions options;
  options.seed = seed;
  options.network = weather.network;
  options.clock_error = weather.clock_error;
  return options;
}

void draw_width(test::PolicyOptions& policy, Prng& chance) {
  if (chance.chance(500)) {
    policy.address = "ff15::1:1";
    policy.control_address = "ff15::1:2";
  }
  constexpr const char* kControlSuites[] = {"x25519-sha384", "p384-sha384", "x25519-sha256",
                                            "p256-sha256"};
  policy.control_suite = kControlSuites[chance.below(4)];
  const bool strong = policy.control_suite.ends_with("384");
  constexpr const char* kSuites[] = {"aes-gcm-128", "aes-cbc-128-hmac-sha-256", "aes-gcm-256"};
  policy.suite = kSuites[chance.below(strong ? 3 : 2)];
  if (policy.suite == kSuites[1] && chance.chance(500)) {
    policy.sender_mode = "shared";
    policy.replay_window = 0;
  }
}

}  // namespace gkmpd::sim
