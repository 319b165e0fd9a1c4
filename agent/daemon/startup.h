// What must be in order before the network hears of us.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/daemon/config.h"
#include "agent/daemon/credentials.h"
#include "agent/daemon/installer.h"
#include "agent/protocol/endpoint.h"
#include "agent/store/store.h"

namespace gkmpd::daemon {

using Reporter = std::function<void(const protocol::Report&)>;

struct Prepared {
  // On the heap: the installer holds on to it.
  std::unique_ptr<store::Store> store;
  Installer installer;
  Credentials credentials;  // the trust store holds the list
  std::optional<WallTime> time_floor;
  std::map<GroupId, protocol::GroupFloor> floors;
  std::vector<protocol::AdoptedGroup> adopted;
  unsigned interface = 0;  // index
  std::vector<xfrm::KernelLack> kernel_lacks;
};

/// Files, interface, store, revocation list, kernel, in this order; then takes over what an earlier
/// run left at work in the kernel. `report` is told what an operator should know although it did
/// not stop us.
[[nodiscard]] Result<Prepared> prepare(const Config& config, const Reporter& report);

/// Takes everything of ours in this network namespace out of the kernel and the record; needs the
/// store and the kernel only. Refused while an agent runs (`store.open-failed`). A store that is
/// not there has nothing in it, and none is made.
[[nodiscard]] Result<Installer::Removal> remove_from_kernel(const Config& config);

/// The configured interface's index, if it is there, up, and has every configured address:
/// `daemon.no-interface`, `daemon.address-not-on-interface`.
[[nodiscard]] Result<unsigned> check_interface(const Config& config);

[[nodiscard]] store::Floor to_store(const std::string& group_name,
                                    const protocol::GroupFloor& floor);
[[nodiscard]] protocol::GroupFloor from_store(const store::Floor& floor);

}  // namespace gkmpd::daemon
