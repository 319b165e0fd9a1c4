// Where kernel objects live, and how one of ours is named in the store's record.
#pragma once

#include <optional>
#include <string>

#include "agent/base/error.h"
#include "agent/store/store.h"
#include "xfrm/state.h"

namespace gkmpd::daemon {

/// Where kernel objects live: they are gone when either changes.
struct KernelPlace {
  std::string network_namespace;  // inode number
  std::string boot_id;

  /// Of this process. `file.unreadable`.
  [[nodiscard]] static Result<KernelPlace> current();
  /// "inode/boot id": the record's form.
  [[nodiscard]] std::string text() const { return network_namespace + "/" + boot_id; }
};

[[nodiscard]] store::KernelRecord to_record(const GroupId& group, const KernelPlace& place,
                                            const xfrm::ObjectId& object);
/// Nothing if the record does not hold an address or a kind of ours.
[[nodiscard]] std::optional<xfrm::ObjectId> to_object(const store::KernelRecord& record);

/// What a record of an earlier time means now.
enum class RecordFate {
  kHere,   // may stand in our kernel
  kGone,   // of an earlier boot: the kernel has forgotten it
  kOther,  // of another namespace of this boot: not ours to touch from here
};
[[nodiscard]] RecordFate fate_of(const store::KernelRecord& record, const KernelPlace& place);

}  // namespace gkmpd::daemon
