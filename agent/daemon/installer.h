// Groups into the kernel, with what must be on disk first.
#pragma once

#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/protocol/endpoint.h"
#include "agent/store/store.h"
#include "xfrm/kernel.h"

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
  kHere,   // may stand in our kernel: take it out
  kGone,   // of an earlier boot: the kernel has forgotten it
  kOther,  // of another namespace of this boot: not ours to touch from here
};
[[nodiscard]] RecordFate fate_of(const store::KernelRecord& record, const KernelPlace& place);

/// `spec` without the outbound SA of `spi`. If that was the one in use, outbound packets meet the
/// guard and go nowhere.
void drop_outbound(xfrm::GroupSpec& spec, std::uint32_t spi);

class Installer {
 public:
  Installer(xfrm::Kernel kernel, store::Store& store, KernelPlace place);

  struct Leftovers {
    std::size_t removed = 0;    // taken out of the kernel
    std::size_t forgotten = 0;  // of an earlier boot
    std::size_t other = 0;      // of another namespace, kept in the record
  };
  /// Takes out what an earlier run left.
  [[nodiscard]] Result<Leftovers> remove_leftovers();

  /// Makes the kernel hold the group's spec. The record and the burnt SPIs are on disk before the
  /// kernel is touched. An outbound SA whose SPI was burnt before is left out: everything else is
  /// installed and the error is `daemon.outbound-burnt`. Other errors: of xfrm, netlink and store.
  [[nodiscard]] Result<void> install(protocol::InstallGroup wanted);

  /// Takes everything of ours out of the kernel and the record; how many objects stood there.
  [[nodiscard]] Result<std::size_t> remove_all();

  struct Standing {
    std::size_t sas = 0;
    std::size_t policies = 0;
    std::size_t recorded = 0;
  };
  /// What the kernel holds of our record.
  [[nodiscard]] Result<Standing> standing();

 private:
  using Outbound = std::pair<EpochId, std::uint32_t>;

  [[nodiscard]] Result<std::vector<xfrm::ObjectId>> record_of(const GroupId* group);
  /// Burns what `stages` would install for output. SPIs that were taken come back.
  [[nodiscard]] Result<std::vector<std::uint32_t>> burn(const protocol::InstallGroup& wanted,
                                                        const std::vector<xfrm::Stage>& stages);
  [[nodiscard]] Result<void> execute(const protocol::InstallGroup& wanted,
                                     const std::vector<xfrm::Stage>& stages);
  [[nodiscard]] Result<void> forget(const std::vector<xfrm::ObjectId>& removed);

  xfrm::Kernel kernel_;
  store::Store& store_;
  KernelPlace place_;
  /// Burnt by this run for an installation that certainly did not come to it: still free.
  std::set<Outbound> unused_;
};

}  // namespace gkmpd::daemon
