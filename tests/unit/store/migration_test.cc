// Files of earlier versions, as those versions made them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/unit/store/scratch.h"

namespace gkmpd::store {
namespace {

using testing::HasSubstr;

/// Version 1 with a floor, a slot, a burnt SPI and a guard in the record.
constexpr const char* kVersion1 = R"(
CREATE TABLE floors (
  group_id BLOB NOT NULL PRIMARY KEY CHECK (length(group_id) = 16),
  group_name TEXT NOT NULL,
  token_version INTEGER NOT NULL,
  token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
  tuple_token_version INTEGER NOT NULL,
  tuple_term INTEGER NOT NULL,
  tuple_rank INTEGER NOT NULL,
  tuple_epoch INTEGER NOT NULL,
  next_sender_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE crls (
  issuer BLOB NOT NULL PRIMARY KEY CHECK (length(issuer) = 32),
  number INTEGER NOT NULL,
  der BLOB NOT NULL
) STRICT;
CREATE TABLE time_floor (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  unix_s INTEGER NOT NULL
) STRICT;
CREATE TABLE slots (
  group_id BLOB NOT NULL PRIMARY KEY CHECK (length(group_id) = 16),
  slot INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;
CREATE TABLE sa_intents (
  epoch_id BLOB NOT NULL CHECK (length(epoch_id) = 16),
  spi INTEGER NOT NULL,
  group_id BLOB NOT NULL CHECK (length(group_id) = 16),
  boot_id TEXT NOT NULL,
  PRIMARY KEY (epoch_id, spi)
) STRICT, WITHOUT ROWID;
CREATE TABLE kernel_records (
  kind INTEGER NOT NULL CHECK (kind IN (1, 2)),
  group_id BLOB NOT NULL CHECK (length(group_id) = 16),
  network_namespace TEXT NOT NULL,
  destination TEXT NOT NULL,
  spi_or_index INTEGER NOT NULL,
  reqid INTEGER NOT NULL,
  PRIMARY KEY (kind, group_id, network_namespace, destination, spi_or_index, reqid)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = 1196117328;
PRAGMA user_version = 1;
INSERT INTO floors VALUES (
  x'01010101010101010101010101010101', 'demo', 3,
  x'0303030303030303030303030303030303030303030303030303030303030303', 3, 1, 0, 7, 2);
INSERT INTO slots VALUES (x'01010101010101010101010101010101', 5);
INSERT INTO sa_intents VALUES (
  x'09090909090909090909090909090909', 167772161, x'01010101010101010101010101010101', 'boot');
INSERT INTO kernel_records VALUES (
  2, x'01010101010101010101010101010101', '4026531840/boot', '239.1.1.1', 1191183625, 0);
)";

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

int user_version(const std::string& path) {
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  int version = -1;
  const auto take = [](void* out, int, char** values, char**) {
    *static_cast<int*>(out) = std::atoi(values[0]);
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(database, "PRAGMA user_version", take, &version, nullptr), SQLITE_OK);
  sqlite3_close(database);
  return version;
}

TEST(StoreMigration, Version1KeepsAllThatItHeldAndCanRecordGroups) {
  const Scratch scratch;
  run_sql(scratch.path(), kVersion1);
  const KernelRecord guard{
      KernelRecord::Kind::kPolicy, group(1), "4026531840/boot", "239.1.1.1", 0x47000509, 0};
  {
    Store store = open_or_die(scratch.path());
    EXPECT_EQ(store.floors()->at(group(1)), floor_at(3, {3, 1, 0, 7}, 2));
    EXPECT_EQ(store.slot_of(group(1), 0x0fff), 5);
    EXPECT_EQ(store.slot_of_address("239.1.1.1", 0x0fff), 5) << "the guard keeps its index";
    EXPECT_EQ(store.slot_of_address("239.1.1.2", 0x0fff), 0);
    EXPECT_EQ(store.burn({group(1), group(9), 0x0a000001, "boot"}).error().kind, kIntentTaken);
    EXPECT_EQ(store.kernel_records(), std::vector<KernelRecord>{guard});
    EXPECT_TRUE(store.installed_groups()->empty());
    ASSERT_TRUE(store.record_install(installed(1), {guard}));
    Floor marked = floor_at(3, {3, 1, 0, 8}, 2);
    marked.command_marks[NameHash{5}] = 41;
    ASSERT_TRUE(store.raise_floor(group(1), marked));
  }
  EXPECT_EQ(user_version(scratch.path()), 6);
  Store store = open_or_die(scratch.path());
  EXPECT_EQ(store.floors()->at(group(1)).command_marks.at(NameHash{5}), 41U);
  EXPECT_EQ(store.installed_groups(), std::vector<InstalledGroup>{installed(1)});
  EXPECT_EQ(store.kernel_records(), std::vector<KernelRecord>{guard});
}

TEST(StoreMigration, IsDoneWholeOrNotAtAll) {
  const Scratch scratch;
  run_sql(scratch.path(), std::string(kVersion1) + "CREATE TABLE installed_groups (x);");
  const auto refused = Store::open(scratch.path());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, kOpenFailed);
  EXPECT_THAT(refused.error().detail, HasSubstr("installed_groups"));
  EXPECT_EQ(user_version(scratch.path()), 1);
  run_sql(scratch.path(), "DROP TABLE installed_groups;");
  EXPECT_EQ(open_or_die(scratch.path()).kernel_records()->size(), 1U);
}

}  // namespace
}  // namespace gkmpd::store
