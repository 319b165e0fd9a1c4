// Crashes, full disks, foreign and damaged files.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>

#include "tests/unit/store/scratch.h"

namespace gkmpd::store {
namespace {

using testing::HasSubstr;

void run_sql(const std::string& path, const char* sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

void expect_open_refused(const std::string& path, const char* why) {
  const auto store = Store::open(path);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().kind, kOpenFailed);
  EXPECT_THAT(store.error().detail, HasSubstr(why));
}

TEST(StoreDamage, AMissingDirectoryIsSaid) {
  const Scratch scratch;
  expect_open_refused(scratch.path("none/state.db"), "check that its directory exists");
}

TEST(StoreDamage, ADirectoryIsNoStore) {
  const Scratch scratch;
  std::filesystem::create_directory(scratch.path("state.db"));
  expect_open_refused(scratch.path("state.db"), "cannot open");
}

TEST(StoreDamage, OtherContentIsRefusedAndLeftAlone) {
  const Scratch scratch;
  const std::string text(5000, 'x');
  std::ofstream(scratch.path()) << text;
  expect_open_refused(scratch.path(), "is no state of this agent");
  std::ifstream file(scratch.path());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
}

TEST(StoreDamage, AnotherProgramsDatabaseIsRefused) {
  const Scratch scratch;
  run_sql(scratch.path(), "CREATE TABLE theirs (x)");
  expect_open_refused(scratch.path(), "another program's database");
}

TEST(StoreDamage, ANewerSchemaIsRefused) {
  const Scratch scratch;
  {
    const Store store = open_or_die(scratch.path());
  }
  run_sql(scratch.path(), "PRAGMA user_version = 7");
  expect_open_refused(scratch.path(), "newer version of this agent");
}

TEST(StoreDamage, OverwrittenPagesAreFoundWhenOpening) {
  const Scratch scratch;
  {
    Store store = open_or_die(scratch.path());
    for (std::uint8_t i = 0; i < 200; ++i) {
      ASSERT_TRUE(store.raise_floor(group(i), floor_at(1, {1, 1, 0, 1})));
    }
  }
  std::fstream file(scratch.path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  for (int i = 0; i < 4096; ++i) file.put('\x7f');
  file.close();
  const auto store = Store::open(scratch.path());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().kind, kOpenFailed);
  EXPECT_THAT(store.error().detail, HasSubstr("damaged"));
}

TEST(StoreDamage, WhatIsLostWhileOpenIsAReadError) {
  const Scratch scratch;
  // Beyond SQLite's page cache, so that reading goes to the file.
  const Bytes crl(8 << 20, 0x33);
  {
    ASSERT_TRUE(open_or_die(scratch.path()).save_crl(Digest{}, 1, crl));
  }
  Store store = open_or_die(scratch.path());
  ASSERT_EQ(truncate(scratch.path().c_str(), 16384), 0);
  const auto read = store.crl(Digest{});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, kReadFailed);
  EXPECT_THAT(read.error().detail, HasSubstr("newcomer"));
}

/// Runs `body` in a child process and gives its exit code.
template <typename Body>
int in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StoreDamage, AFullDiskFailsTheWriteAndLosesNothing) {
  const Scratch scratch;
  const Floor held = floor_at(1, {1, 1, 0, 1});
  {
    ASSERT_TRUE(open_or_die(scratch.path()).raise_floor(group(1), held));
  }

  const int seen = in_child([&] {
    Store store = open_or_die(scratch.path());
    // As a full disk: files may not grow beyond what the directory's database has now.
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200000, 200000};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 10;
    const auto failed = store.save_crl(Digest{}, 1, Bytes(1 << 20, 1));
    if (failed || failed.error().kind != kWriteFailed) return 11;
    // What is small still fits, so the failed write has not wedged the store.
    if (!store.raise_floor(group(1), floor_at(2, {2, 1, 0, 1}))) return 12;
    return 0;
  });
  EXPECT_EQ(seen, 0);

  Store store = open_or_die(scratch.path());
  EXPECT_EQ(store.crl(Digest{}), std::nullopt);
  EXPECT_EQ(store.floors()->at(group(1)), floor_at(2, {2, 1, 0, 1}));
}

/// Raises epochs for ever, telling each through `fd` once it is acknowledged.
[[noreturn]] void write_epochs(const std::string& path, int fd) {
  Store store = open_or_die(path);
  for (std::uint32_t epoch = 1;; ++epoch) {
    if (!store.raise_floor(group(1), floor_at(1, {1, 1, 0, epoch}))) _exit(1);
    if (write(fd, &epoch, sizeof epoch) != sizeof epoch) _exit(2);
  }
}

TEST(StoreDamage, AKilledWriterKeepsWhatWasAcknowledged) {
  const Scratch scratch;
  std::uint32_t acknowledged = 0;
  for (int round = 0; round < 5; ++round) {
    const std::string path = scratch.path("round" + std::to_string(round));
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    const pid_t child = fork();
    if (child == 0) write_epochs(path, ends[1]);
    close(ends[1]);
    for (int i = 0; i < 20 + round; ++i) {
      ASSERT_EQ(read(ends[0], &acknowledged, sizeof acknowledged),
                static_cast<ssize_t>(sizeof acknowledged));
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    // What it still said before it died counts too.
    while (read(ends[0], &acknowledged, sizeof acknowledged) > 0) {
    }
    close(ends[0]);
    Store store = open_or_die(path);
    EXPECT_GE(store.floors()->at(group(1)).tuple.epoch, acknowledged);
  }
}

}  // namespace
}  // namespace gkmpd::store
