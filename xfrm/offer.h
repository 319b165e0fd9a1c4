// What the running kernel offers of all that a group may ask for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"
#include "agent/base/random.h"
#include "xfrm/spec.h"

namespace gkmpd::xfrm {

/// One thing that is tried.
struct Probe {
  EspSuite suite = EspSuite::kAesGcm128;
  IpFamily family = IpFamily::kV4;
  bool esn = false;
};

/// What the kernel's refusal of a probe says to an operator: its words, and the modules and
/// configuration options that it asks for. `error` is an errno, `words` what the kernel said beside
/// it, often nothing.
[[nodiscard]] std::string remedy_of(const Probe& probe, int error, std::string_view words);

/// Tries every suite in both families, with and without extended sequence numbers: adds an SA for
/// each to a documentation address (MCAST-TEST-NET of RFC 5771, FF0E::DB8:0:0/96 of RFC 6676), in
/// one batch, under a random key, and deletes those that went in. They have a slot of ours that no
/// group gets and would end by themselves after 2 s. In order of suite and family; `netlink.*` if
/// the kernel cannot be asked, `xfrm.refused` if it may not.
[[nodiscard]] Result<std::vector<KernelLack>> find_lacks(Random& random);

}  // namespace gkmpd::xfrm
