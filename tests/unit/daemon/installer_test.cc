#include "agent/daemon/installer.h"

#include <gtest/gtest.h>

namespace gkmpd::daemon {
namespace {

const KernelPlace kPlace{"4026531840", "0f9a-boot"};
const GroupId kGroup{1, 2, 3};

TEST(Installer, ObjectsComeBackFromTheirRecords) {
  const IpAddress destination = *IpAddress::parse("239.1.1.1");
  for (const auto& object :
       {xfrm::ObjectId{xfrm::ObjectKind::kSa, destination, 0x0a000001, 0x47000001},
        xfrm::ObjectId{xfrm::ObjectKind::kPolicy, destination, 0x47000009, 0}}) {
    const auto record = to_record(kGroup, kPlace, object);
    EXPECT_EQ(record.group, kGroup);
    EXPECT_EQ(record.network_namespace, "4026531840/0f9a-boot");
    EXPECT_EQ(to_object(record), object);
  }
}

TEST(Installer, ARecordWithoutAnAddressIsNoObject) {
  store::KernelRecord record;
  record.destination = "somewhere";
  EXPECT_EQ(to_object(record), std::nullopt);
}

TEST(Installer, RecordsBelongToNamespaceAndBoot) {
  store::KernelRecord record;
  record.network_namespace = kPlace.text();
  EXPECT_EQ(fate_of(record, kPlace), RecordFate::kHere);
  EXPECT_EQ(fate_of(record, {"4026531841", kPlace.boot_id}), RecordFate::kOther);
  EXPECT_EQ(fate_of(record, {kPlace.network_namespace, "another-boot"}), RecordFate::kGone);
  // A boot id that merely ends alike is another boot.
  EXPECT_EQ(fate_of(record, {"1", "boot"}), RecordFate::kGone);
}

TEST(Installer, ThisProcessHasAPlace) {
  const auto place = KernelPlace::current();
  ASSERT_TRUE(place) << place.error().text();
  EXPECT_EQ(place->boot_id.size(), 36U);
  EXPECT_NE(std::stoull(place->network_namespace), 0U);
}

xfrm::GroupSpec spec_with_two_epochs() {
  xfrm::GroupSpec spec;
  spec.active_generation = 5;
  for (const std::uint32_t spi : {1U, 2U, 3U}) {
    xfrm::SenderSa sa;
    sa.spi = spi;
    sa.outbound = spi != 1;
    sa.generation = static_cast<xfrm::Generation>(spi == 3 ? 5 : 4);
    spec.senders.push_back(std::move(sa));
  }
  return spec;
}

TEST(Installer, DroppingTheKeyInUseLeavesTheGuard) {
  auto spec = spec_with_two_epochs();
  drop_outbound(spec, 3);
  ASSERT_EQ(spec.senders.size(), 2U);
  EXPECT_EQ(spec.senders[1].spi, 2U);
  EXPECT_EQ(spec.active_generation, std::nullopt);
}

TEST(Installer, DroppingAnotherKeyLeavesTheSwitchAlone) {
  auto spec = spec_with_two_epochs();
  drop_outbound(spec, 2);
  EXPECT_EQ(spec.senders.size(), 2U);
  EXPECT_EQ(spec.active_generation, 5);
  // Inbound SAs are not touched.
  drop_outbound(spec, 1);
  EXPECT_EQ(spec.senders.size(), 2U);
}

TEST(Installer, ASharedKeyThatIsDroppedForOutputIsStillHeard) {
  auto spec = spec_with_two_epochs();
  spec.sender_mode = xfrm::SenderMode::kShared;
  drop_outbound(spec, 3);
  ASSERT_EQ(spec.senders.size(), 3U);
  EXPECT_FALSE(spec.senders[2].outbound);
  EXPECT_TRUE(spec.senders[1].outbound);
  EXPECT_EQ(spec.active_generation, std::nullopt);
}

/// SPI 1 is heard, 2 sent under, 3 and 4 stand by.
protocol::InstallGroup with_a_run() {
  protocol::InstallGroup wanted;
  wanted.spec.slot = 7;
  wanted.spec.destination = *IpAddress::parse("239.1.1.1");
  wanted.spec.active_generation = 5;
  for (const std::uint32_t spi : {1U, 2U, 3U, 4U}) {
    xfrm::SenderSa sa;
    sa.spi = spi;
    sa.outbound = spi != 1;
    sa.generation = 5;
    sa.key = Secret::copy_of(Bytes(20, static_cast<std::uint8_t>(spi)));
    (spi < 3 ? wanted.spec.senders : wanted.standby).push_back(std::move(sa));
  }
  return wanted;
}

TEST(Installer, TheNextOfTheRunTakesThePlaceOfAnUsedOne) {
  auto wanted = with_a_run();
  EXPECT_TRUE(use_next(wanted, 2));
  EXPECT_EQ(wanted.spec.senders[1].spi, 3U);
  EXPECT_TRUE(use_next(wanted, 3));
  EXPECT_EQ(wanted.spec.senders[1].spi, 4U);
  EXPECT_EQ(wanted.spec.active_generation, 5);
  EXPECT_FALSE(use_next(wanted, 4));
  ASSERT_EQ(wanted.spec.senders.size(), 1U);
  EXPECT_EQ(wanted.spec.senders[0].spi, 1U);
  EXPECT_EQ(wanted.spec.active_generation, std::nullopt);
}

xfrm::KernelState standing(std::uint32_t spi, std::uint8_t key) {
  xfrm::KernelState kernel;
  xfrm::SaState sa;
  sa.spi = spi;
  sa.destination = *IpAddress::parse("239.1.1.1");
  sa.reqid = xfrm::reqid(7, 5, xfrm::SaDirection::kOut);
  sa.key = Secret::copy_of(Bytes(20, key));
  kernel.sas.push_back(std::move(sa));
  return kernel;
}

TEST(Installer, OneOfTheRunThatIsAtWorkGoesOn) {
  auto wanted = with_a_run();
  prefer_standing(wanted, standing(3, 3));
  EXPECT_EQ(wanted.spec.senders[1].spi, 3U);
  ASSERT_EQ(wanted.standby.size(), 1U);
  EXPECT_EQ(wanted.standby[0].spi, 4U);
}

TEST(Installer, ButOnlyIfItIsThatKey) {
  for (const auto& kernel : {standing(3, 9), standing(2, 2), standing(8, 3)}) {
    auto wanted = with_a_run();
    prefer_standing(wanted, kernel);
    EXPECT_EQ(wanted.spec.senders[1].spi, 2U);
    EXPECT_EQ(wanted.standby.size(), 2U);
  }
}

}  // namespace
}  // namespace gkmpd::daemon
