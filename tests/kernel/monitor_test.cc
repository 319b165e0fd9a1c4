// What `ip xfrm monitor` shows on the hosts of a group during a rollover: the order of the recipe
// (RFC 5374 4.2.1).
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "tests/kernel/groups.h"

namespace gkmpd::test {
namespace {

using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr char kEnd[] = "239.9.9.9";

/// The real program, in a host's network namespace, from construction to `told`.
class Monitor {
 public:
  Monitor(const Segment& segment, const std::string& host) : segment_(segment), host_(host) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    output_ = Fd(ends[0]);
    const Fd input(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input.get(), STDOUT_FILENO);
    std::string program = "ip";
    std::string object = "xfrm";
    std::string command = "monitor";
    char* const arguments[] = {program.data(), object.data(), command.data(), nullptr};
    const Inside inside(segment.host(host));
    if (posix_spawnp(&process_, program.c_str(), &actions, nullptr, arguments, environ) != 0)
      std::abort();
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < 2000 && !listens(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_TRUE(listens());
  }
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  ~Monitor() {
    kill(process_, SIGTERM);
    waitpid(process_, nullptr, 0);
  }

  /// All that it has printed.
  std::string told() {
    segment_.ip(host_, std::string("xfrm policy add dst ") + kEnd + "/32 dir out action block");
    std::string text;
    constexpr int kPatienceMs = 10000;
    while (text.find(kEnd) == std::string::npos) {
      pollfd waiting{.fd = output_.get(), .events = POLLIN, .revents = 0};
      if (poll(&waiting, 1, kPatienceMs) != 1) {
        ADD_FAILURE() << "the end is not told after:\n" << text;
        break;
      }
      char buffer[4096];
      const ssize_t size = read(output_.get(), buffer, sizeof buffer);
      if (size <= 0) {
        ADD_FAILURE() << "ip has ended after:\n" << text;
        break;
      }
      text.append(buffer, static_cast<std::size_t>(size));
    }
    segment_.ip(host_, std::string("xfrm policy delete dst ") + kEnd + "/32 dir out");
    return text;
  }

 private:
  /// It has joined groups of NETLINK_XFRM, which is number 6. Its port is the process.
  [[nodiscard]] bool listens() const {
    std::ifstream table("/proc/thread-self/net/netlink");
    std::string line;
    while (std::getline(table, line)) {
      std::istringstream fields(line);
      std::string socket;
      int protocol = 0;
      unsigned long port = 0;
      std::string groups;
      if (fields >> socket >> protocol >> port >> groups && protocol == 6 &&
          port == static_cast<unsigned long>(process_) &&
          groups.find_first_not_of('0') != std::string::npos)
        return true;
    }
    return false;
  }

  const Segment& segment_;
  const std::string host_;
  Fd output_;
  pid_t process_ = -1;
};

/// The word behind `name`, to the next blank or bracket; nothing if `name` is not there.
std::string word_after(const std::string& text, const std::string& name) {
  const auto at = text.find(name);
  if (at == std::string::npos) return {};
  const auto begin = at + name.size();
  return text.substr(begin, text.find_first_of(" (\n", begin) - begin);
}

/// One message in brief, such as "new SA 0x0a020001 reqid 1191211013": of what is ours.
std::string brief(const std::string& message) {
  const std::string what = message.rfind("Updated ", 0) == 0   ? "changed "
                           : message.rfind("Deleted ", 0) == 0 ? "deleted "
                                                               : "new ";
  const std::string spi = word_after(message, "spi ");
  const std::string reqid = word_after(message, "reqid ");
  const bool policy = message.find("\n\tdir ") != std::string::npos;
  return what + (policy ? "policy " + word_after(message, "\tdir ") : "SA " + spi) + " reqid " +
         reqid;
}

/// A message begins at the margin, its further lines do not.
std::vector<std::string> messages(const std::string& told) {
  std::vector<std::string> out;
  std::istringstream lines(told);
  std::string message;
  const auto take = [&] {
    if (!message.empty() && message.find(kEnd) == std::string::npos) out.push_back(brief(message));
    message.clear();
  };
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line[0] != '\t' && line[0] != ' ') take();
    message += line + "\n";
  }
  take();
  return out;
}

/// a and b send and hear each other, c only listens. The hosts are the same for all.
class Monitored : public ::testing::TestWithParam<std::tuple<Family, IpsecMode>> {
 public:
  static void SetUpTestSuite() { hosts_.emplace(std::vector<std::string>{"a", "c"}); }
  static void TearDownTestSuite() { hosts_.reset(); }

 protected:
  ~Monitored() override {
    for (Agent* agent : {&a_, &c_}) EXPECT_TRUE(agent->kernel().remove(agent->record()));
  }

  /// Of host `self`: 1 is a, 2 is b, 3 is c.
  [[nodiscard]] xfrm::GroupSpec spec(int self, std::initializer_list<xfrm::Generation> held,
                                     xfrm::Generation active) const {
    xfrm::GroupSpec spec = empty_group(family_);
    spec.mode = mode_;
    if (self == 1) {
      spec.own_source = ip_of(family_.host(self));
      spec.active_generation = active;
    }
    for (const xfrm::Generation generation : held) {
      for (const int host : {1, 2}) {
        const auto spi = 0x0a000000U | static_cast<std::uint32_t>(generation) << 16 |
                         static_cast<std::uint32_t>(host);
        spec.senders.push_back(
            sender_sa(family_.host(host), spi, generation, self == 1 && host == 1));
      }
    }
    return spec;
  }

  /// From generation 1 to 2 on one host, while the program watches.
  std::vector<std::string> rollover(int self, const std::string& host, Agent& agent) {
    agent.apply(spec(self, {1}, 1));
    Monitor monitor(*hosts_, host);
    agent.apply(spec(self, {1, 2}, 1));
    agent.apply(spec(self, {1, 2}, 2));
    agent.apply(spec(self, {2}, 2));
    return messages(monitor.told());
  }

  inline static std::optional<Segment> hosts_;
  const Family family_ = std::get<Family>(GetParam());
  const IpsecMode mode_ = std::get<IpsecMode>(GetParam());
  Agent a_{*hosts_, "a"};
  Agent c_{*hosts_, "c"};
};

// 1191211010 is 0x47007002: slot 7, generation 1, in. Generation 2 is 4 for in and 5 for out. What
// belongs to one step comes in any order.
TEST_P(Monitored, ASenderHearsBeforeItSendsAndForgetsLast) {
  const auto told = rollover(1, "a", a_);
  ASSERT_THAT(told, SizeIs(5));
  EXPECT_EQ(told[0], "new SA 0x0a020002 reqid 1191211012");
  EXPECT_EQ(told[1], "new SA 0x0a020001 reqid 1191211013");
  EXPECT_EQ(told[2], "changed policy out reqid 1191211013");
  EXPECT_THAT(std::vector(told.begin() + 3, told.end()),
              UnorderedElementsAre("deleted SA 0x0a010001 reqid 1191211011",
                                   "deleted SA 0x0a010002 reqid 1191211010"));
}

TEST_P(Monitored, AListenerTakesTheNewBeforeItForgetsTheOld) {
  const auto told = rollover(3, "c", c_);
  ASSERT_THAT(told, SizeIs(4));
  EXPECT_THAT(std::vector(told.begin(), told.begin() + 2),
              UnorderedElementsAre("new SA 0x0a020001 reqid 1191211012",
                                   "new SA 0x0a020002 reqid 1191211012"));
  EXPECT_THAT(std::vector(told.begin() + 2, told.end()),
              UnorderedElementsAre("deleted SA 0x0a010001 reqid 1191211010",
                                   "deleted SA 0x0a010002 reqid 1191211010"));
}

INSTANTIATE_TEST_SUITE_P(FamiliesAndModes, Monitored,
                         ::testing::Combine(::testing::Values(kIpv4, kIpv6),
                                            ::testing::Values(IpsecMode::kTransport,
                                                              IpsecMode::kTunnel)),
                         FamilyAndMode());

}  // namespace
}  // namespace gkmpd::test
