#include "agent/daemon/attachment.h"

#include <fmt/format.h>

#include "agent/daemon/errors.h"
#include "netlink/links.h"

namespace gkmpd::daemon {

Attached attach(const SettingsByGroup& settings, const std::string& group, xfrm::IpsecMode mode) {
  const auto known = settings.find(group);
  if (known == settings.end()) return {};
  const GroupSettings& wanted = known->second;
  Attached out{.attachment = {.interface = 0,
                              .if_id = wanted.if_id,
                              .mark = wanted.mark,
                              .mark_mask = wanted.mark_mask}};
  if (wanted.interface.empty()) return out;
  const auto link = netlink::find_link(wanted.interface);
  // Into an XFRM interface the group's packets go in clear: any other would let them out.
  const bool looped = wanted.if_id != 0 && mode == xfrm::IpsecMode::kTransport;
  const bool fits = link && !looped && (wanted.if_id == 0 || link->xfrm_if_id == wanted.if_id);
  out.attachment.interface = fits ? link->index : kNoInterfaceIndex;
  if (fits) return out;
  std::string why = "an XFRM interface carries groups in tunnel mode only";
  if (!link) {
    why = link.error().text();
  } else if (!looped) {
    why = fmt::format("{} is no XFRM interface with if_id {}", wanted.interface, wanted.if_id);
  }
  out.found = fail(kNoInterface, fmt::format("groups.{}.interface: {}; until there is one nothing "
                                             "of the group is sent",
                                             group, why));
  return out;
}

}  // namespace gkmpd::daemon
