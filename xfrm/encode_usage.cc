#include <linux/xfrm.h>

#include "netlink/parse.h"
#include "xfrm/encode.h"
#include "xfrm/usage.h"

namespace gkmpd::xfrm {

Result<std::optional<SaUsage>> decode_usage(const netlink::Message& message) {
  const auto sa = decode_sa(message);
  if (!sa) return tl::unexpected<Error>(sa.error());
  if (!*sa || !(*sa)->regular) return std::nullopt;
  const auto info = netlink::read_object<xfrm_usersa_info>(message.payload);
  if (!info) return fail(kBadMessage, "no SA");
  return SaUsage{.id = (*sa)->id(),
                 .source = (*sa)->source,
                 .suite = (*sa)->suite,
                 .mode = (*sa)->mode,
                 .replay_window = (*sa)->replay_window,
                 .packets = info->curlft.packets,
                 .octets = info->curlft.bytes,
                 .added_at_s = info->curlft.add_time,
                 .used_at_s = info->curlft.use_time,
                 .replayed = info->stats.replay,
                 .behind_window = info->stats.replay_window,
                 .forged = info->stats.integrity_failed};
}

}  // namespace gkmpd::xfrm
