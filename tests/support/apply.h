// What the daemon's installer does with a group, less the store: for tests and benches of the
// kernel.
#pragma once

#include <span>
#include <vector>

#include "xfrm/kernel.h"

namespace gkmpd::test {

/// What there is to do; `record` has `objects_of(wanted)`, else what stands is somebody else's.
[[nodiscard]] inline Result<std::vector<xfrm::Stage>> prepare(
    xfrm::Kernel& kernel, const xfrm::GroupSpec& wanted, std::span<const xfrm::ObjectId> record) {
  if (auto sound = xfrm::check(wanted); !sound) return pass_on(sound);
  auto installed = kernel.read(record);
  if (!installed) return pass_on(installed);
  return xfrm::plan(*installed, xfrm::wanted_state(wanted), wanted.earlier);
}

[[nodiscard]] inline Result<xfrm::Applied> apply(xfrm::Kernel& kernel,
                                                 const xfrm::GroupSpec& wanted,
                                                 std::span<const xfrm::ObjectId> record) {
  auto stages = prepare(kernel, wanted, record);
  if (!stages) return pass_on(stages);
  return kernel.execute(*stages);
}

}  // namespace gkmpd::test
