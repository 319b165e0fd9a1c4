#include "agent/daemon/attachment.h"

#include <fmt/format.h>

#include "agent/daemon/errors.h"
#include "netlink/links.h"

namespace gkmpd::daemon {

Attached attach(const SettingsByGroup& settings, const std::string& group) {
  const auto known = settings.find(group);
  if (known == settings.end()) return {};
  const GroupSettings& wanted = known->second;
  Attached out{.attachment = {.interface = 0,
                              .if_id = wanted.if_id,
                              .mark = wanted.mark,
                              .mark_mask = wanted.mark_mask}};
  if (wanted.interface.empty()) return out;
  const auto link = netlink::find_link(wanted.interface);
  if (link) {
    out.attachment.interface = link->index;
    return out;
  }
  out.attachment.interface = kNoInterfaceIndex;
  out.found = fail(kNoInterface,
                   fmt::format("groups.{}.interface: {}; until then nothing of the group is sent "
                               "or taken",
                               group, link.error().text()));
  return out;
}

}  // namespace gkmpd::daemon
