#include "agent/daemon/kernel_place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/base/fd.h"
#include "agent/daemon/errors.h"

namespace gkmpd::daemon {

Result<KernelPlace> KernelPlace::current() {
  struct stat info{};
  if (::stat("/proc/self/ns/net", &info) != 0) {
    return fail(kFileUnreadable, fmt::format("/proc/self/ns/net: {}", std::strerror(errno)));
  }
  // Files of /proc tell no size: read by hand, not by read_text_file.
  const Fd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  const auto got = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (got <= 0) {
    return fail(kFileUnreadable,
                fmt::format("/proc/sys/kernel/random/boot_id: {}", std::strerror(errno)));
  }
  std::string boot_id(text.data(), static_cast<std::size_t>(got));
  boot_id.erase(boot_id.find_last_not_of('\n') + 1);
  return KernelPlace{std::to_string(info.st_ino), std::move(boot_id)};
}

store::KernelRecord to_record(const GroupId& group, const KernelPlace& place,
                              const xfrm::ObjectId& object) {
  store::KernelRecord record;
  switch (object.kind) {
    case xfrm::ObjectKind::kSa:
      record.kind = store::KernelRecord::Kind::kSa;
      break;
    case xfrm::ObjectKind::kPolicy:
      record.kind = store::KernelRecord::Kind::kPolicy;
      break;
  }
  record.group = group;
  record.network_namespace = place.text();
  record.destination = object.destination.text();
  record.spi_or_index = object.spi_or_index;
  record.reqid = object.reqid;
  return record;
}

std::optional<xfrm::ObjectId> to_object(const store::KernelRecord& record) {
  const auto destination = IpAddress::parse(record.destination);
  if (!destination) return std::nullopt;
  switch (record.kind) {
    case store::KernelRecord::Kind::kSa:
      return xfrm::ObjectId{xfrm::ObjectKind::kSa, *destination, record.spi_or_index, record.reqid};
    case store::KernelRecord::Kind::kPolicy:
      return xfrm::ObjectId{xfrm::ObjectKind::kPolicy, *destination, record.spi_or_index,
                            record.reqid};
  }
  return std::nullopt;
}

RecordFate fate_of(const store::KernelRecord& record, const KernelPlace& place) {
  if (record.network_namespace == place.text()) return RecordFate::kHere;
  return record.network_namespace.ends_with("/" + place.boot_id) ? RecordFate::kOther
                                                                 : RecordFate::kGone;
}

}  // namespace gkmpd::daemon
