// What the store keeps, and what it refuses to forget.
#include "agent/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/store/scratch.h"

namespace gkmpd::store {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr std::uint16_t kMaxSlot = 0x0fff;

Digest digest(std::uint8_t number) {
  Digest value{};
  value.fill(number);
  return value;
}

SaIntent intent(std::uint8_t epoch, std::uint32_t spi) {
  SaIntent value;
  value.group = group(1);
  value.epoch_id.fill(epoch);
  value.spi = spi;
  value.boot_id = "7c0b7a4e-0000-4000-8000-000000000001";
  return value;
}

KernelRecord record(KernelRecord::Kind kind, std::uint32_t spi_or_index, std::uint32_t reqid) {
  return {kind, group(1), "4026531840/boot", "239.1.1.1", spi_or_index, reqid};
}

TEST(Store, ASecondOpenerIsToldWhoHoldsIt) {
  const Scratch scratch;
  auto first = Store::open(scratch.path());
  ASSERT_TRUE(first) << first.error().text();
  auto second = Store::open(scratch.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, kOpenFailed);
  EXPECT_THAT(second.error().detail, HasSubstr("in use by process " + std::to_string(getpid())));
  // The refused opener has not loosened the first one's hold.
  EXPECT_FALSE(Store::open(scratch.path()));
  EXPECT_TRUE(first->raise_floor(group(1), floor_at(1, {1, 1, 0, 1})));
}

TEST(Store, IsFreeAgainAfterItIsClosed) {
  const Scratch scratch;
  {
    const Store first = open_or_die(scratch.path());
  }
  EXPECT_TRUE(Store::open(scratch.path()));
}

TEST(Store, FilesAreForTheirOwnerOnly) {
  const Scratch scratch;
  Store store = open_or_die(scratch.path());
  ASSERT_TRUE(store.raise_floor(group(1), floor_at(1, {1, 1, 0, 1})));
  for (const char* name : {"state.db", "state.db-wal", "state.db-lock"}) {
    struct stat status{};
    ASSERT_EQ(stat(scratch.path(name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << name;
  }
}

TEST(Store, AWidelyReadableFileIsMadePrivate) {
  const Scratch scratch;
  {
    const Store store = open_or_die(scratch.path());
  }
  ASSERT_EQ(chmod(scratch.path().c_str(), 0644), 0);
  const Store store = open_or_die(scratch.path());
  struct stat status{};
  ASSERT_EQ(stat(scratch.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(Store, EverythingIsThereAfterReopening) {
  const Scratch scratch;
  const Floor floor = floor_at(0xffffffff, {0xffffffff, 7, 14, 0xfffffffe}, 0xffff);
  const Bytes crl(100000, 0x5a);
  {
    Store store = open_or_die(scratch.path());
    ASSERT_TRUE(store.raise_floor(group(1), floor));
    ASSERT_TRUE(store.save_crl(digest(9), 0xffffffffffffffff, crl));
    ASSERT_TRUE(store.raise_time_floor(from_unix(1800000000)));
    ASSERT_EQ(store.slot_of(group(1), kMaxSlot), 0);
    ASSERT_EQ(store.slot_of(group(2), kMaxSlot), 1);
    ASSERT_TRUE(store.burn(intent(1, 0x0a000001)));
    ASSERT_TRUE(
        store.record_install(installed(1), {record(KernelRecord::Kind::kSa, 0xffffffff, 3)}));
  }
  Store store = open_or_die(scratch.path());
  EXPECT_EQ(store.floors(), (std::map<GroupId, Floor>{{group(1), floor}}));
  EXPECT_EQ(store.crl(digest(9)), crl);
  EXPECT_EQ(store.time_floor(), from_unix(1800000000));
  EXPECT_EQ(store.slot_of(group(2), kMaxSlot), 1);
  EXPECT_EQ(store.burn(intent(1, 0x0a000001)).error().kind, kIntentTaken);
  EXPECT_EQ(store.kernel_records(),
            std::vector<KernelRecord>{record(KernelRecord::Kind::kSa, 0xffffffff, 3)});
  EXPECT_EQ(store.installed_groups(), std::vector<InstalledGroup>{installed(1)});
}

TEST(Store, AnEmptyOneHoldsNothing) {
  const Scratch scratch;
  Store store = open_or_die(scratch.path());
  EXPECT_TRUE(store.floors()->empty());
  EXPECT_EQ(store.crl(digest(1)), std::nullopt);
  EXPECT_EQ(store.time_floor(), std::nullopt);
  EXPECT_TRUE(store.kernel_records()->empty());
  EXPECT_TRUE(store.installed_groups()->empty());
}

class FloorTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.raise_floor(group(1), held_)); }

  void expect_refused(const Floor& floor) {
    const auto raised = store_.raise_floor(group(1), floor);
    ASSERT_FALSE(raised);
    EXPECT_EQ(raised.error().kind, kFloorLowered);
    EXPECT_EQ(store_.floors()->at(group(1)), held_);
  }
  void expect_taken(const Floor& floor) {
    const auto raised = store_.raise_floor(group(1), floor);
    ASSERT_TRUE(raised) << raised.error().text();
    EXPECT_EQ(store_.floors()->at(group(1)), floor);
  }

  Scratch scratch_;
  Store store_ = open_or_die(scratch_.path());
  Floor held_ = floor_at(5, {5, 3, 2, 40}, 8);
};

TEST_F(FloorTest, TokenVersionIsNeverLowered) { expect_refused(floor_at(4, {6, 0, 0, 0})); }

TEST_F(FloorTest, ATokenVersionKeepsItsHash) {
  Floor other = floor_at(5, {5, 4, 0, 41});
  other.token_hash.fill(0xee);
  expect_refused(other);
}

TEST_F(FloorTest, TupleIsNeverLoweredInAnyField) {
  expect_refused(floor_at(5, {4, 9, 0, 99}));
  expect_refused(floor_at(5, {5, 2, 0, 99}));
  expect_refused(floor_at(5, {5, 3, 3, 99}));  // a higher rank is the worse one
  expect_refused(floor_at(5, {5, 3, 2, 39}));
}

TEST_F(FloorTest, SenderIdsOfOneTupleAreNeverTakenBack) {
  expect_refused(floor_at(5, {5, 3, 2, 40}, 7));
}

class CommandMarkTest : public FloorTest {
 protected:
  void SetUp() override {
    held_.command_marks = {{NameHash{}, 40}, {digest(1), 70}, {digest(2), 0x7fffffffffffffff}};
    FloorTest::SetUp();
  }
  Floor with(std::map<NameHash, std::uint64_t> marks) {
    Floor floor = held_;
    floor.command_marks = std::move(marks);
    return floor;
  }
  const std::uint64_t high_ = 0x7fffffffffffffff;
};

TEST_F(CommandMarkTest, AreThereAfterReopening) {
  expect_taken(held_);
  store_ = [this] {
    {
      const Store gone = std::move(store_);
    }
    return open_or_die(scratch_.path());
  }();
  EXPECT_EQ(store_.floors()->at(group(1)), held_);
}

TEST_F(CommandMarkTest, CountersAreNeverTakenBack) {
  expect_refused(with({{NameHash{}, 40}, {digest(1), 69}, {digest(2), high_}}));
  expect_refused(with({{NameHash{}, 39}, {digest(1), 70}, {digest(2), high_}}));
  expect_refused(with({{digest(1), 70}, {digest(2), high_}}));
  expect_refused(with({}));
}

TEST_F(CommandMarkTest, AMarkMayGoWhenThatOfAllOthersCoversIt) {
  expect_refused(with({{NameHash{}, 69}, {digest(2), high_}}));
  expect_taken(with({{NameHash{}, 70}, {digest(2), high_}, {digest(3), 80}}));
}

TEST_F(FloorTest, SameIsTaken) { expect_taken(held_); }
TEST_F(FloorTest, HigherEpochIsTaken) { expect_taken(floor_at(5, {5, 3, 2, 41}, 1)); }
TEST_F(FloorTest, BetterRankIsTaken) { expect_taken(floor_at(5, {5, 3, 1, 1})); }
TEST_F(FloorTest, HigherTermIsTaken) { expect_taken(floor_at(5, {5, 4, 9, 1})); }
TEST_F(FloorTest, HigherTokenIsTaken) { expect_taken(floor_at(6, {6, 1, 9, 1})); }

TEST_F(FloorTest, GroupsDoNotConcernEachOther) {
  ASSERT_TRUE(store_.raise_floor(group(2), floor_at(1, {1, 1, 0, 1})));
  EXPECT_EQ(store_.floors()->size(), 2U);
  EXPECT_EQ(store_.floors()->at(group(1)), held_);
}

TEST(StoreCrl, NumberIsNeverLowered) {
  const Scratch scratch;
  Store store = open_or_die(scratch.path());
  const std::uint64_t large = 0x8000000000000000;  // negative as SQLite keeps it
  ASSERT_TRUE(store.save_crl(digest(1), large, as_bytes("new")));
  const auto lowered = store.save_crl(digest(1), large - 1, as_bytes("old"));
  ASSERT_FALSE(lowered);
  EXPECT_EQ(lowered.error().kind, kFloorLowered);
  EXPECT_EQ(store.crl(digest(1)), to_bytes(as_bytes("new")));
  // The same number may come again with other content: identity decides that.
  EXPECT_TRUE(store.save_crl(digest(1), large, as_bytes("newer")));
  EXPECT_EQ(store.crl(digest(1)), to_bytes(as_bytes("newer")));
  EXPECT_EQ(store.crl(digest(2)), std::nullopt);
}

TEST(StoreTime, FloorOnlyRises) {
  const Scratch scratch;
  Store store = open_or_die(scratch.path());
  ASSERT_TRUE(store.raise_time_floor(from_unix(2000)));
  ASSERT_TRUE(store.raise_time_floor(from_unix(1000)));
  EXPECT_EQ(store.time_floor(), from_unix(2000));
  ASSERT_TRUE(store.raise_time_floor(from_unix(3000)));
  EXPECT_EQ(store.time_floor(), from_unix(3000));
}

TEST(StoreSlots, AreStableLowestFreeAndBounded) {
  const Scratch scratch;
  Store store = open_or_die(scratch.path());
  // Ids in falling order, so that order of asking and order of ids differ.
  EXPECT_EQ(store.slot_of(group(9), 2), 0);
  EXPECT_EQ(store.slot_of(group(5), 2), 1);
  EXPECT_EQ(store.slot_of(group(1), 2), 2);
  EXPECT_EQ(store.slot_of(group(5), 2), 1);
  EXPECT_EQ(store.slot_of(group(9), 2), 0);
  const auto refused = store.slot_of(group(7), 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, kSlotsFull);
  EXPECT_EQ(store.slot_of(group(7), 3), 3);
}

TEST(StoreSlots, OfAddressesAreCountedByThemselves) {
  const Scratch scratch;
  {
    Store store = open_or_die(scratch.path());
    EXPECT_EQ(store.slot_of(group(9), 2), 0);
    EXPECT_EQ(store.slot_of_address("239.1.1.9", 1), 0);
    EXPECT_EQ(store.slot_of_address("239.1.1.1", 1), 1);
  }
  Store store = open_or_die(scratch.path());
  EXPECT_EQ(store.slot_of_address("239.1.1.1", 1), 1);
  const auto refused = store.slot_of_address("ff05::1", 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, kSlotsFull);
  EXPECT_THAT(refused.error().detail, ::testing::HasSubstr("2 places for data addresses"));
}

TEST(StoreIntents, AreBurntOnce) {
  const Scratch scratch;
  Store store = open_or_die(scratch.path());
  ASSERT_TRUE(store.burn(intent(1, 7)));
  SaIntent again = intent(1, 7);
  again.boot_id = "another boot";
  again.group = group(2);
  EXPECT_EQ(store.burn(again).error().kind, kIntentTaken);
  EXPECT_TRUE(store.burn(intent(1, 8)));
  EXPECT_TRUE(store.burn(intent(2, 7)));
}

TEST(StoreRecords, AreASet) {
  const Scratch scratch;
  Store store = open_or_die(scratch.path());
  const KernelRecord sa = record(KernelRecord::Kind::kSa, 0x0a000001, 0x47000002);
  const KernelRecord guard = record(KernelRecord::Kind::kPolicy, 9, 0);
  ASSERT_TRUE(store.record_install(installed(1), {sa, guard}));
  ASSERT_TRUE(store.record_install(installed(1), {guard, sa}));
  EXPECT_THAT(*store.kernel_records(), UnorderedElementsAre(sa, guard));
  ASSERT_TRUE(store.remove_kernel_records({guard, record(KernelRecord::Kind::kPolicy, 10, 0)}));
  EXPECT_THAT(*store.kernel_records(), UnorderedElementsAre(sa));
}

TEST(StoreInstalled, AGroupIsThereAsLongAsOneOfItsRecords) {
  const Scratch scratch;
  Store store = open_or_die(scratch.path());
  const KernelRecord sa = record(KernelRecord::Kind::kSa, 0x0a000001, 0x47000002);
  const KernelRecord guard = record(KernelRecord::Kind::kPolicy, 9, 0);
  ASSERT_TRUE(store.record_install(installed(1), {sa, guard}));
  ASSERT_TRUE(store.remove_kernel_records({sa}));
  EXPECT_EQ(store.installed_groups(), std::vector<InstalledGroup>{installed(1)});
  ASSERT_TRUE(store.remove_kernel_records({guard}));
  EXPECT_TRUE(store.installed_groups()->empty());
}

TEST(StoreInstalled, ALaterInstallTakesThePlaceOfTheEarlierInItsNamespaceOnly) {
  const Scratch scratch;
  Store store = open_or_die(scratch.path());
  KernelRecord elsewhere = record(KernelRecord::Kind::kPolicy, 9, 0);
  elsewhere.network_namespace = "4026531999/boot";
  const InstalledGroup there = installed(1, elsewhere.network_namespace);
  ASSERT_TRUE(store.record_install(there, {elsewhere}));
  ASSERT_TRUE(store.record_install(installed(1), {record(KernelRecord::Kind::kPolicy, 9, 0)}));
  InstalledGroup later = installed(1);
  later.role = InstalledGroup::Role::kMember;
  later.controller = "b";
  later.data_port = 0;
  later.tuple = {2, 1, 0, 1};
  later.remove_on_stop = false;
  ASSERT_TRUE(store.record_install(later, {record(KernelRecord::Kind::kPolicy, 17, 0)}));
  EXPECT_THAT(*store.installed_groups(), UnorderedElementsAre(there, later));
  EXPECT_EQ(store.kernel_records()->size(), 3U);

  ASSERT_TRUE(store.remove_kernel_records(
      {record(KernelRecord::Kind::kPolicy, 9, 0), record(KernelRecord::Kind::kPolicy, 17, 0)}));
  EXPECT_THAT(*store.installed_groups(), UnorderedElementsAre(there));
}

}  // namespace
}  // namespace gkmpd::store
