// SAs of one group put into the kernel and taken out by xfrm::Kernel, against `ip -batch` with the
// same SAs in the same kernel and run. Wall time, since part of both is the kernel's; every sample
// takes both right after each other, and what is reported are medians over the samples.
//
// Wants root and a kernel with ESP (scripts/kernel), in a network of its own.
#include <benchmark/benchmark.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/bench/comparison.h"
#include "tests/support/apply.h"
#include "xfrm/kernel.h"
#include "xfrm/plan.h"

extern char** environ;

namespace gkmpd::bench {
namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench: %s\n", why.c_str());
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) give_up(result.error().text());
  return std::move(*result);
}

template <typename Work>
Duration wall_of(Work&& work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::steady_clock::now() - begun;
}

/// The group as a host that only listens to `senders` senders holds it.
xfrm::GroupSpec group_of(std::size_t senders) {
  xfrm::GroupSpec spec;
  spec.group_name = "bench";
  spec.slot = 1;
  spec.destination = *IpAddress::parse("239.1.1.1");
  spec.port = 5000;
  for (std::size_t i = 1; i <= senders; ++i) {
    xfrm::SenderSa sa;
    sa.spi = 0x0a000000U + static_cast<std::uint32_t>(i);
    sa.source =
        *IpAddress::parse("10.9." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1));
    sa.generation = 1;
    Bytes key;
    for (std::uint32_t word = 0; word < 5; ++word) append_u32(key, sa.spi + word);
    sa.key = Secret::take(std::move(key));
    sa.hard_lifetime_s = 3600;
    spec.senders.push_back(std::move(sa));
  }
  return spec;
}

std::string state_id(const xfrm::SaState& sa) {
  return "dst " + sa.destination.text() + " proto esp spi " + std::to_string(sa.spi);
}

std::string policy_id(const xfrm::PolicyState& policy) {
  const bool in = xfrm::policy_direction(policy.kind) == xfrm::kPolicyIn;
  std::string id = "src 0.0.0.0/0 dst " + policy.destination.text() + "/32 ";
  if (policy.ip_protocol != 0) id += "proto " + std::to_string(policy.ip_protocol) + " ";
  if (policy.port != 0) id += "dport " + std::to_string(policy.port) + " ";
  return id + "dir " + (in ? "in" : "out");
}

std::uint32_t priority_of(xfrm::PolicyKind kind) {
  if (xfrm::is_guard(kind)) return xfrm::kGuardPriority;
  return kind == xfrm::PolicyKind::kIn ? xfrm::kInPriority : xfrm::kMembershipPriority;
}

/// What ip(8) must be told to have the same in the kernel, or not to have it any more.
class IpBatches {
 public:
  explicit IpBatches(const xfrm::KernelState& wanted) {
    const char* const directory = std::getenv("TMPDIR");
    stem_ = std::filesystem::path(directory == nullptr ? "/tmp" : directory) /
            ("gkmpd-bench." + std::to_string(::getpid()));
    std::ofstream add(add_file());
    std::ofstream remove(remove_file());
    for (const xfrm::PolicyState& policy : wanted.policies) put(add, remove, policy);
    for (const xfrm::SaState& sa : wanted.sas) put(add, remove, sa);
    add.close();
    remove.close();
    if (!add || !remove) give_up("cannot write " + add_file());
  }
  IpBatches(const IpBatches&) = delete;
  IpBatches& operator=(const IpBatches&) = delete;
  ~IpBatches() {
    std::filesystem::remove(add_file());
    std::filesystem::remove(remove_file());
  }

  void add() const { run(add_file()); }
  void remove() const { run(remove_file()); }

 private:
  [[nodiscard]] std::string add_file() const { return stem_.string() + ".add"; }
  [[nodiscard]] std::string remove_file() const { return stem_.string() + ".remove"; }

  static void put(std::ostream& add, std::ostream& remove, const xfrm::SaState& sa) {
    const std::string source = "src " + sa.source.text() + " ";
    const std::string selector = "src " + sa.source.text() + "/32 dst " + sa.destination.text() +
                                 "/32 proto " + std::to_string(sa.ip_protocol) + " dport " +
                                 std::to_string(sa.port);
    add << "xfrm state add " << source << state_id(sa) << " reqid " << sa.reqid
        << " mode transport replay-window " << sa.replay_window << " aead rfc4106(gcm(aes)) 0x"
        << to_hex(sa.key.expose()) << " 128 sel " << selector << " limit time-hard "
        << sa.hard_lifetime_s << '\n';
    remove << "xfrm state delete " << source << state_id(sa) << '\n';
  }

  static void put(std::ostream& add, std::ostream& remove, const xfrm::PolicyState& policy) {
    add << "xfrm policy add " << policy_id(policy) << " index " << policy.index << " priority "
        << priority_of(policy.kind) << " action "
        << (xfrm::is_guard(policy.kind) ? "block" : "allow");
    if (policy.kind == xfrm::PolicyKind::kIn)
      add << " tmpl src 0.0.0.0 dst " << policy.destination.text() << " proto esp mode transport";
    add << '\n';
    remove << "xfrm policy delete " << policy_id(policy) << '\n';
  }

  static void run(const std::string& file) {
    std::string program = "ip";
    std::string option = "-batch";
    std::string name = file;
    char* arguments[] = {program.data(), option.data(), name.data(), nullptr};
    pid_t process = 0;
    int status = -1;
    if (::posix_spawnp(&process, "ip", nullptr, nullptr, arguments, environ) != 0 ||
        ::waitpid(process, &status, 0) != process || status != 0) {
      give_up("ip -batch " + file + " failed");
    }
  }

  std::filesystem::path stem_;
};

void expect_complete(const xfrm::Applied& applied) {
  if (!applied.complete()) give_up("refused: " + applied.refusals.front().error.text());
}

/// What is compared must be the same: nothing is left to be done after either.
void expect_stands(xfrm::Kernel& kernel, const xfrm::GroupSpec& spec,
                   const std::vector<xfrm::ObjectId>& record) {
  if (!must(test::prepare(kernel, spec, record)).empty())
    give_up("not in the kernel as it should be");
}
void expect_gone(xfrm::Kernel& kernel, const std::vector<xfrm::ObjectId>& record) {
  if (!must(kernel.read(record)).empty()) give_up("not all is out of the kernel");
}

void install(benchmark::State& state) {
  const xfrm::GroupSpec spec = group_of(static_cast<std::size_t>(state.range(0)));
  const std::vector<xfrm::ObjectId> record = xfrm::objects_of(spec);
  xfrm::Kernel kernel = must(xfrm::Kernel::open());
  const IpBatches ip(xfrm::wanted_state(spec));
  Comparison adding("install");
  Comparison removing("remove");
  // The first SA of all makes the kernel look for its algorithms.
  expect_complete(must(test::apply(kernel, spec, record)));
  expect_complete(must(kernel.remove(record)));
  while (state.KeepRunning()) {
    const Duration added = wall_of(
        [&] { expect_complete(must(kernel.execute(must(test::prepare(kernel, spec, record))))); });
    expect_stands(kernel, spec, record);
    const Duration removed = wall_of([&] { expect_complete(must(kernel.remove(record))); });
    expect_gone(kernel, record);

    const Duration ip_added = wall_of([&] { ip.add(); });
    expect_stands(kernel, spec, record);
    const Duration ip_removed = wall_of([&] { ip.remove(); });
    expect_gone(kernel, record);

    adding.add(added, ip_added);
    removing.add(removed, ip_removed);
    state.SetIterationTime(std::chrono::duration<double>(ip_added + ip_removed).count());
  }
  adding.report(state);
  removing.report(state);
}

BENCHMARK(install)->Name("install")->Arg(100)->Arg(1000)->Arg(4000)->UseManualTime()->Unit(
    benchmark::kMillisecond);

}  // namespace
}  // namespace gkmpd::bench

BENCHMARK_MAIN();
