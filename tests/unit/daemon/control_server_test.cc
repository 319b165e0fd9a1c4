// The server's loop runs here, its clients in a thread of their own.
#include "agent/daemon/control_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "agent/ctl/client.h"
#include "agent/daemon/errors.h"
#include "tests/unit/daemon/temp_dir.h"

namespace gkmpd::daemon {
namespace {

class ControlServerTest : public testing::Test {
 protected:
  void SetUp() override {
    server_ = *ControlServer::open(
        path_, loop_, counters_,
        [this](const Request& request) {
          ++answered_;
          if (std::holds_alternative<StatusRequest>(request)) {
            server_->notify("demo", notice_);
          }
          return encode_reply("number", request.index());
        },
        [](const WatchRequest& watch) { return encode_reply("watching", watch.group); });
  }

  /// Runs the loop until `clients` has returned.
  void with(const std::function<void()>& clients) {
    const Fd done(::eventfd(0, EFD_CLOEXEC));
    auto source = *loop_.io(done.get(), EPOLLIN, [this](std::uint32_t) { loop_.stop(0); });
    std::thread thread([&] {
      clients();
      const std::uint64_t one = 1;
      ASSERT_EQ(::write(done.get(), &one, sizeof one), 8);
    });
    EXPECT_EQ(*loop_.run(), 0);
    thread.join();
  }

  ctl::Client connect() { return *ctl::Client::connect(path_); }

  /// A connection without the manners of the client.
  Fd connect_raw() {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  /// Everything until the server closes.
  static std::string read_to_end(const Fd& fd) {
    std::string out;
    char chunk[4096];
    for (;;) {
      const auto got = ::recv(fd.get(), chunk, sizeof chunk, 0);
      if (got <= 0) return out;
      out.append(chunk, static_cast<std::size_t>(got));
    }
  }

  TempDir dir_;
  std::filesystem::path path_ = dir_.file("control.sock");
  Loop loop_ = *Loop::make();
  Counters counters_;
  int answered_ = 0;
  std::string notice_ = encode_notice("group", "changed");
  std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlServerTest, TheSocketIsForItsOwnerAlone) {
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_TRUE(may_command(0, 7));
  EXPECT_TRUE(may_command(7, 7));
  EXPECT_FALSE(may_command(8, 7));
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlServerTest, AnswersOneLineEach) {
  with([&] {
    auto client = connect();
    EXPECT_EQ((*client.ask(ListGroupsRequest{}))["number"], 1);
    EXPECT_EQ((*client.ask(ShowGroupRequest{"demo"}))["number"], 2);
    CreateGroupRequest large{Bytes(30'000, 1), std::string(500'000, 'm')};
    EXPECT_EQ((*client.ask(large))["number"], 0);
  });
  EXPECT_EQ(answered_, 3);
}

TEST_F(ControlServerTest, WatchersHearWhatConcernsThem) {
  with([&] {
    auto all = connect();
    auto demo = connect();
    auto other = connect();
    auto asking = connect();
    EXPECT_EQ((*all.ask(WatchRequest{}))["watching"], "");
    EXPECT_EQ((*demo.ask(WatchRequest{"demo"}))["watching"], "demo");
    EXPECT_EQ((*other.ask(WatchRequest{"other"}))["watching"], "other");
    ASSERT_TRUE(asking.ask(StatusRequest{}));
    const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    EXPECT_EQ((**all.read(soon))["group"], "changed");
    EXPECT_EQ((**demo.read(soon))["group"], "changed");
    // Nothing was sent to this one: the next thing it reads is its own answer.
    EXPECT_EQ((*other.ask(ListGroupsRequest{}))["number"], 1);
  });
}

TEST_F(ControlServerTest, NonsenseIsRefusedByNameAndCounted) {
  std::string text;
  with([&] {
    const Fd fd = connect_raw();
    ASSERT_EQ(::send(fd.get(), "hello\n{\"request\":\"x\"}\n", 22, 0), 22);
    ::shutdown(fd.get(), SHUT_WR);
    text = read_to_end(fd);
  });
  EXPECT_THAT(text, testing::HasSubstr("control.bad-request"));
  EXPECT_THAT(text, testing::HasSubstr("control.unknown-request"));
  EXPECT_EQ(counters_.counts().at("control.bad-request"), 1U);
  EXPECT_EQ(counters_.counts().at("control.unknown-request"), 1U);
  EXPECT_EQ(answered_, 0);
}

TEST_F(ControlServerTest, AnEndlessLineEndsTheConnection) {
  std::string text;
  with([&] {
    const Fd fd = connect_raw();
    const std::string much(64 * 1024, 'a');
    std::size_t sent = 0;
    while (sent <= kMaxLine + much.size()) {
      const auto now = ::send(fd.get(), much.data(), much.size(), MSG_NOSIGNAL);
      if (now < 0) break;
      sent += static_cast<std::size_t>(now);
    }
    text = read_to_end(fd);
  });
  EXPECT_EQ(counters_.counts().at("control.line-too-long"), 1U);
  EXPECT_EQ(answered_, 0);
}

TEST_F(ControlServerTest, ThereIsAMaximumOfClients) {
  std::string text;
  with([&] {
    std::vector<ctl::Client> clients;
    for (std::size_t i = 0; i < kMaxClients; ++i) {
      clients.push_back(connect());
      ASSERT_TRUE(clients.back().ask(ListGroupsRequest{}));
    }
    text = read_to_end(connect_raw());
    // One goes, another may come; the server sees it go first, because it answers in order.
    clients.pop_back();
    ASSERT_TRUE(clients.front().ask(ListGroupsRequest{}));
    EXPECT_TRUE(connect().ask(ListGroupsRequest{}));
  });
  EXPECT_THAT(text, testing::HasSubstr("control.too-many-clients"));
  EXPECT_EQ(counters_.counts().at("control.too-many-clients"), 1U);
}

TEST_F(ControlServerTest, ASocketThatSomebodyAnswersAtStays) {
  const auto second = ControlServer::open(path_, loop_, counters_, {}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().name(), kControlSocketBusy.name());
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(ControlServerTest, AStaleSocketIsReplacedAndAnyOtherFileIsNot) {
  const auto stale = dir_.file("stale.sock");
  {
    const Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, stale.c_str());
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(stale));
  EXPECT_TRUE(ControlServer::open(stale, loop_, counters_, {}, {}));

  const auto file = dir_.write("file", "precious");
  const auto refused = ControlServer::open(file, loop_, counters_, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().name(), kControlSocketBusy.name());
  EXPECT_TRUE(std::filesystem::is_regular_file(file));
}

TEST_F(ControlServerTest, AClientThatDoesNotReadIsDropped) {
  notice_ = encode_notice("group", std::string(1024 * 1024, 'x'));
  const Fd deaf = connect_raw();
  with([&] {
    ASSERT_EQ(::send(deaf.get(), "{\"request\":\"watch\"}\n", 20, 0), 20);
    auto asking = connect();
    // Each makes the server notify; the socket's own buffer takes a little more than the backlog.
    for (std::size_t i = 0; i < 2 + kMaxClientBacklog / (1024 * 1024); ++i) {
      ASSERT_TRUE(asking.ask(StatusRequest{}));
    }
    // Ends when the server has closed the connection.
    EXPECT_LT(read_to_end(deaf).size(), kMaxClientBacklog);
  });
  EXPECT_EQ(counters_.counts().at("control.slow-client"), 1U);
  EXPECT_FALSE(server_->has_watchers());
}

TEST_F(ControlServerTest, AClientThatAsksNothingIsDroppedAndAWatcherStays) {
  server_.reset();
  server_ = *ControlServer::open(
      path_, loop_, counters_, [](const Request&) { return std::string("{}\n"); },
      [](const WatchRequest& watch) { return encode_reply("watching", watch.group); },
      milliseconds(200));
  auto watcher = connect();
  with([&] {
    ASSERT_TRUE(watcher.ask(WatchRequest{}));
    EXPECT_EQ(read_to_end(connect_raw()), "");
  });
  EXPECT_EQ(counters_.counts().at("control.request-timeout"), 1U);
  EXPECT_TRUE(server_->has_watchers());
}

}  // namespace
}  // namespace gkmpd::daemon
