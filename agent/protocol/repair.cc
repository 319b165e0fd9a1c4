#include "agent/protocol/repair.h"

#include <algorithm>

#include "agent/protocol/context.h"

namespace gkmpd::protocol {

milliseconds random_wait(Random& random, milliseconds longest) {
  const auto drawn = random.array<2>();
  const auto part = static_cast<milliseconds::rep>(drawn[0] << 8 | drawn[1]);
  return longest * part / 0xffff;
}

void PackageShelf::keep(Now now, const EpochId& previous, Bytes datagram) {
  const auto held = std::ranges::find(packages_, previous, &Package::previous);
  if (held != packages_.end()) packages_.erase(held);
  if (packages_.size() == kMaxKeptPackages) packages_.erase(packages_.begin());
  packages_.push_back({previous, std::move(datagram), now.mono + kRepairQuiet});
}

bool PackageShelf::has(const EpochId& previous) const {
  return std::ranges::find(packages_, previous, &Package::previous) != packages_.end();
}

void PackageShelf::asked_for(Now now, Random& random, const EpochId& held) {
  const auto package = std::ranges::find(packages_, held, &Package::previous);
  if (package == packages_.end() || package->due) return;
  package->due = std::max(now.mono, package->quiet_until) + random_wait(random, kRepairSpread);
}

void PackageShelf::seen(Now now, ByteView datagram) {
  for (Package& package : packages_) {
    if (!equal(package.datagram, datagram)) continue;
    package.quiet_until = now.mono + kRepairQuiet;
    package.due.reset();
  }
}

std::vector<Bytes> PackageShelf::take_due(Now now) {
  std::vector<Bytes> due;
  for (Package& package : packages_) {
    if (!package.due || now.mono < *package.due) continue;
    package.due.reset();
    package.quiet_until = now.mono + kRepairQuiet;
    due.push_back(package.datagram);
  }
  return due;
}

std::optional<MonoTime> PackageShelf::next_timeout() const {
  std::optional<MonoTime> earliest;
  for (const Package& package : packages_) keep_earlier(earliest, package.due);
  return earliest;
}

void RekeyRepeats::start(Now now, Bytes datagram, std::uint32_t again, milliseconds interval) {
  datagram_ = std::move(datagram);
  left_ = again;
  interval_ = interval;
  next_ = now.mono + interval;
}

std::optional<Bytes> RekeyRepeats::take_due(Now now) {
  if (left_ == 0 || now.mono < next_) return std::nullopt;
  --left_;
  next_ += interval_;
  return datagram_;
}

std::optional<MonoTime> RekeyRepeats::next_timeout() const {
  return left_ == 0 ? std::nullopt : std::optional(next_);
}

void RepairClock::need(Now now, Random& random) {
  if (!due_) due_ = now.mono + random_wait(random, kRepairSpread);
}

void RepairClock::asked(Now now, Random& random) {
  if (due_) due_ = now.mono + kRepairAgain + random_wait(random, kRepairSpread);
}

}  // namespace gkmpd::protocol
