#include "agent/base/secret_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <new>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "agent/base/secret.h"
#include "tests/support/refusing_madvise.h"

namespace gkmpd {
namespace {

/// Whether the kernel's list of mappings has the flag for the one that holds `place`.
bool has_flag(const void* place, const std::string& flag) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(place);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    char dash = 0;
    std::istringstream head(line);
    if (head >> std::hex >> from >> dash >> to && dash == '-') {
      inside = from <= wanted && wanted < to;
    } else if (inside && line.starts_with("VmFlags:")) {
      return (line + " ").find(" " + flag + " ") != std::string::npos;
    }
  }
  return false;
}

bool all_zero(const std::uint8_t* block, std::size_t size) {
  return std::all_of(block, block + size, [](std::uint8_t octet) { return octet == 0; });
}

TEST(SecretMemory, BlocksOfAllSizesAreZeroAlignedAndApart) {
  SecretMemory memory;
  std::set<std::pair<std::uintptr_t, std::uintptr_t>> taken;
  for (std::size_t size = 1; size <= 3 * SecretMemory::kLargestShared; size += 7) {
    std::uint8_t* const block = memory.allocate(size);
    const auto from = reinterpret_cast<std::uintptr_t>(block);
    EXPECT_EQ(from % SecretMemory::kAlignment, 0U) << size;
    EXPECT_TRUE(all_zero(block, size)) << size;
    std::memset(block, 0xff, size);
    taken.emplace(from, from + size);
  }
  std::uintptr_t end = 0;
  for (const auto& [from, to] : taken) {
    EXPECT_LE(end, from);
    end = to;
  }
}

TEST(SecretMemory, ABlockTakenBackIsGivenOutAgainAllZero) {
  SecretMemory memory;
  std::uint8_t* const first = memory.allocate(32);
  std::uint8_t* const second = memory.allocate(32);
  memory.release(first, 32);
  memory.release(second, 32);
  const std::size_t mapped = memory.mapped();
  for (std::uint8_t* const expected : {second, first}) {
    std::uint8_t* const block = memory.allocate(20);  // of the same class
    EXPECT_EQ(block, expected);
    EXPECT_TRUE(all_zero(block, 32));
  }
  EXPECT_EQ(memory.mapped(), mapped);
}

TEST(SecretMemory, GrowsByChunksAndUsesWhatIsLeftOfAnOldOne) {
  SecretMemory memory;
  constexpr std::size_t kSize = SecretMemory::kLargestShared - 16;  // 64 KiB is no multiple of it
  constexpr std::size_t kRest = SecretMemory::kChunkSize % kSize;
  std::uint8_t* last = nullptr;
  for (std::size_t i = 0; i < SecretMemory::kChunkSize / kSize; ++i) last = memory.allocate(kSize);
  EXPECT_EQ(memory.mapped(), SecretMemory::kChunkSize);
  (void)memory.allocate(kSize);
  EXPECT_EQ(memory.mapped(), 2 * SecretMemory::kChunkSize);
  EXPECT_EQ(memory.allocate(kRest), last + kSize);
}

TEST(SecretMemory, ALargeBlockGoesBackToTheKernel) {
  SecretMemory memory;
  std::uint8_t* const block = memory.allocate(100'000);
  EXPECT_TRUE(has_flag(block, "dd"));
  EXPECT_GE(memory.mapped(), 100'000U);
  memory.release(block, 100'000);
  EXPECT_EQ(memory.mapped(), 0U);
}

TEST(SecretMemory, HasAnEnd) {
  constexpr std::size_t kMost = 2 * SecretMemory::kChunkSize;
  SecretMemory memory(kMost);
  EXPECT_THROW((void)memory.allocate(kMost + 1), std::bad_alloc);
  EXPECT_THROW((void)memory.allocate(SIZE_MAX), std::bad_alloc);
  // One page less than all: no chunk has room.
  std::uint8_t* const block = memory.allocate(kMost - 4096);
  EXPECT_THROW((void)memory.allocate(16), std::bad_alloc);
  memory.release(block, kMost - 4096);
  EXPECT_NE(memory.allocate(16), nullptr);
}

TEST(SecretMemory, PagesAreLeftOutOfCoreDumps) {
  SecretMemory memory;
  const std::uint8_t* const block = memory.allocate(32);
  EXPECT_TRUE(has_flag(block, "dd"));
  EXPECT_TRUE(memory.stays_out_of_dumps());
  const std::vector<std::uint8_t> ordinary(32);
  EXPECT_FALSE(has_flag(ordinary.data(), "dd"));
}

TEST(SecretMemory, TellsOnceWhenTheKernelLeavesPagesInDumpsAfterAll) {
  static int told = 0;
  SecretMemory memory;
  memory.when_in_dumps([] { ++told; });
  (void)memory.allocate(32);
  EXPECT_EQ(told, 0);
  test::refuse_to_leave_out_of_dumps(true);
  (void)memory.allocate(16);
  EXPECT_EQ(told, 0) << "of a page that was left out before";
  (void)memory.allocate(SecretMemory::kLargestShared + 1);
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(memory.stays_out_of_dumps());
  (void)memory.allocate(SecretMemory::kLargestShared + 1);
  test::refuse_to_leave_out_of_dumps(false);
  (void)memory.allocate(SecretMemory::kLargestShared + 1);
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(memory.stays_out_of_dumps()) << "what lies there lies there";
}

TEST(SecretMemory, SecretsLieThereUnlessTheSanitizerWantsThemOnTheHeap) {
  const Secret small(32);
  const Secret large(100'000);
  EXPECT_EQ(has_flag(small.expose().data(), "dd"), secrets_stay_out_of_dumps());
  EXPECT_EQ(has_flag(large.expose().data(), "dd"), secrets_stay_out_of_dumps());
#if !defined(__clang__)
  EXPECT_TRUE(secrets_stay_out_of_dumps());  // g++ builds what is used, without sanitizers
#endif
}

TEST(SecretMemory, WhatASecretHeldIsGoneWhenItsBlockComesAgain) {
  const std::uint8_t* place = nullptr;
  {
    const Secret secret = Secret::copy_of(Bytes(48, 0xab));
    place = secret.expose().data();
  }
  const Secret next(48);
  if (secrets_stay_out_of_dumps()) {
    EXPECT_EQ(next.expose().data(), place);
  }
  EXPECT_TRUE(all_zero(next.expose().data(), next.size()));
}

}  // namespace
}  // namespace gkmpd
