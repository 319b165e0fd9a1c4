// CPU of figures 1 and 2 of RFC 2093 at controller and member, against the OpenSSL operations they
// cannot do without (floor.h). Each is measured apart, in one run with its floor: every sample
// takes both right after each other, and what is reported are medians over the samples.
#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

#include "tests/bench/comparison.h"
#include "tests/bench/floor.h"
#include "tests/bench/keyed_group.h"

namespace gkmpd::bench {
namespace {

/// Members of figure 2 in each sample.
constexpr std::size_t kOthers = 16;

void exchange(benchmark::State& state, crypto::KeyType key_type, NamedSuite suite) {
  Hosts hosts(key_type, suite, 1 + kOthers);
  const Floor floor(hosts);
  Comparison controller_1("figure1.controller");
  Comparison member_1("figure1.member");
  Comparison controller_2("figure2.controller");
  Comparison member_2("figure2.member");
  const std::size_t everybody = hosts.create_group(1 + kOthers).members.size();  // warms up
  while (state.KeepRunning()) {
    const GroupCost one = hosts.create_group(1);
    controller_1.add(one.controller, floor.cost(kFigure1Controller));
    member_1.add(one.members[0], floor.cost(kFigure1Member));

    // With more members the controller does figure 1 once, and figure 2 with each of the others.
    const GroupCost all = hosts.create_group(everybody);
    std::vector<Duration> controller_floor;
    std::vector<Duration> member_floor;
    for (std::size_t i = 1; i < everybody; ++i) {
      controller_floor.push_back(floor.cost(kFigure2Controller));
      member_floor.push_back(floor.cost(kFigure2Member));
    }
    controller_2.add((all.controller - one.controller) / kOthers, median(controller_floor));
    member_2.add(median(std::vector(all.members.begin() + 1, all.members.end())),
                 median(member_floor));

    const Duration whole = all.controller + all.members[0];
    state.SetIterationTime(std::chrono::duration<double>(whole).count());
  }
  for (const Comparison* side : {&controller_1, &member_1, &controller_2, &member_2}) {
    side->report(state);
  }
}

// The fourth suite is the first one with another hash.
constexpr std::array kMeasuredSuites{NamedSuite{Suite::kX25519Sha256, "x25519-sha256"},
                                     NamedSuite{Suite::kP256Sha256, "p256-sha256"},
                                     NamedSuite{Suite::kP384Sha384, "p384-sha384"}};

void register_all() {
  for (const crypto::KeyType key_type : {crypto::KeyType::kEcdsaP256, crypto::KeyType::kEd25519}) {
    for (const NamedSuite& suite : kMeasuredSuites) {
      const std::string name =
          "exchange/" + std::string(crypto::to_text(key_type)) + "/" + suite.name;
      benchmark::RegisterBenchmark(
          name.c_str(),
          [key_type, suite](benchmark::State& state) { exchange(state, key_type, suite); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace
}  // namespace gkmpd::bench

int main(int argc, char** argv) {
  gkmpd::bench::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
