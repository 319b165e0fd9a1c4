// Which of this host's traffic is a group's: the configuration's word, as the kernel takes it.
#pragma once

#include <map>
#include <string>

#include "agent/base/error.h"
#include "xfrm/spec.h"

namespace gkmpd::daemon {

/// [groups.NAME] of the configuration.
struct GroupSettings {
  std::string interface;  // empty: the route decides, and any interface will do
  /// The interface is then the XFRM interface of that id.
  std::uint32_t if_id = 0;
  std::uint32_t mark = 0;
  std::uint32_t mark_mask = 0;
  friend bool operator==(const GroupSettings&, const GroupSettings&) = default;
};
using SettingsByGroup = std::map<std::string, GroupSettings>;

/// The index of no interface: a policy that has it lets nothing out, and leaves the address to its
/// guards. The kernel counts interfaces from 1 on.
inline constexpr std::uint32_t kNoInterfaceIndex = 0x7fffffff;

struct Attached {
  xfrm::Attachment attachment;
  /// `daemon.no-interface` while there is no interface of that name, or not with the `if_id`; and
  /// for an `if_id` in transport mode, where the kernel has an XFRM interface send to itself.
  Result<void> found{};
};
/// What the settings mean at this moment. A group without any is attached to everything.
[[nodiscard]] Attached attach(const SettingsByGroup& settings, const std::string& group,
                              xfrm::IpsecMode mode);

}  // namespace gkmpd::daemon
