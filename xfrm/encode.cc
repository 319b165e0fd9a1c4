#include "xfrm/encode.h"

#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "netlink/parse.h"
#include "xfrm/encode_common.h"
#include "xfrm/encode_suite.h"

namespace gkmpd::xfrm {
namespace {

using netlink::object_bytes;

xfrm_lifetime_cfg unlimited() {
  xfrm_lifetime_cfg limits{};
  limits.soft_byte_limit = XFRM_INF;
  limits.hard_byte_limit = XFRM_INF;
  limits.soft_packet_limit = XFRM_INF;
  limits.hard_packet_limit = XFRM_INF;
  return limits;
}

void put_destination_port(xfrm_selector& selector, std::uint8_t protocol, std::uint16_t port) {
  selector.proto = protocol;
  if (port == 0) return;
  selector.dport = htons(port);
  selector.dport_mask = 0xffff;
}

/// The kernel finds SAs and policies by these too, whatever is asked of it.
void put_attachment(netlink::Batch& batch, const Attachment& attachment) {
  if (attachment.mark_mask != 0) {
    const xfrm_mark mark{.v = attachment.mark, .m = attachment.mark_mask};
    batch.put(XFRMA_MARK, object_bytes(mark));
  }
  if (attachment.if_id != 0) batch.put(XFRMA_IF_ID, object_bytes(attachment.if_id));
}

xfrm_selector sa_selector(const SaState& sa) {
  xfrm_selector selector{};
  selector.family = kernel_family(sa.destination);
  selector.daddr = kernel_address(sa.destination);
  selector.saddr = kernel_address(sa.source);
  selector.prefixlen_d = full_prefix(sa.destination);
  selector.prefixlen_s = source_prefix(sa);
  put_destination_port(selector, sa.ip_protocol, sa.port);
  return selector;
}

xfrm_selector policy_selector(const PolicyState& policy) {
  xfrm_selector selector{};
  selector.family = kernel_family(policy.destination);
  selector.daddr = kernel_address(policy.destination);
  selector.prefixlen_d = full_prefix(policy.destination);
  if (policy.source) {
    selector.saddr = kernel_address(*policy.source);
    selector.prefixlen_s = full_prefix(*policy.source);
  }
  put_destination_port(selector, policy.ip_protocol, policy.port);
  const PortMatch source_port = source_port_of(policy);
  selector.sport = htons(source_port.port);
  selector.sport_mask = htons(source_port.mask);
  selector.ifindex = static_cast<int>(policy.attachment.interface);
  return selector;
}

xfrm_usersa_info sa_info(const SaState& sa) {
  xfrm_usersa_info info{};
  info.sel = sa_selector(sa);
  info.id.daddr = kernel_address(sa.destination);
  info.id.spi = htonl(sa.spi);
  info.id.proto = IPPROTO_ESP;
  info.saddr = kernel_address(sa.source);
  info.lft = unlimited();
  info.lft.hard_add_expires_seconds = sa.hard_lifetime_s;
  info.reqid = sa.reqid;
  info.family = kernel_family(sa.destination);
  info.mode = kernel_mode(sa.mode);
  if (sa.esn) info.flags = XFRM_STATE_ESN;
  // The window is in XFRMA_REPLAY_ESN_VAL; the kernel refuses both.
  info.replay_window = 0;
  return info;
}

/// Without the ESN flag this is just a window of any size. The kernel adds an empty bitmap by
/// itself; a window that starts from a sequence number gets a full one, so that nothing of what its
/// earlier instance may have received passes again.
void put_replay_state(netlink::Batch& batch, const SaState& sa) {
  xfrm_replay_state_esn state{};
  state.replay_window = sa.replay_window;
  // No kernel takes or shows more, but what was read may say anything.
  state.bmp_len = (std::min(sa.replay_window, kMaxReplayWindow) + 31) / 32;
  state.seq = static_cast<std::uint32_t>(sa.last_received);
  state.seq_hi = static_cast<std::uint32_t>(sa.last_received >> 32);
  Bytes attribute = to_bytes(object_bytes(state));
  if (sa.last_received != 0)
    attribute.resize(attribute.size() + state.bmp_len * sizeof(std::uint32_t), 0xff);
  batch.put(XFRMA_REPLAY_ESN_VAL, attribute);
}

/// The template of in and protect policies: ESP in the group's mode. The in policy takes any reqid
/// (0), so that old and new generations pass side by side, and any source, which in tunnel mode the
/// kernel holds against the SA.
xfrm_user_tmpl policy_template(const PolicyState& policy) {
  xfrm_user_tmpl tmpl{};
  tmpl.family = kernel_family(policy.destination);
  tmpl.id.daddr = kernel_address(policy.destination);
  tmpl.id.proto = IPPROTO_ESP;
  if (policy.source) tmpl.saddr = kernel_address(*policy.source);
  tmpl.reqid = policy.reqid;
  tmpl.mode = kernel_mode(policy.mode);
  // An AEAD has no number among the algorithm bits: only "all" admits it. The other suites pass a
  // policy of all algorithms too: which ones an SA has, we decide where it is installed.
  tmpl.aalgos = tmpl.ealgos = tmpl.calgos = kAnyAlgorithm;
  return tmpl;
}

xfrm_userpolicy_info policy_info(const PolicyState& policy) {
  xfrm_userpolicy_info info{};
  info.sel = policy_selector(policy);
  info.lft = unlimited();
  info.priority = priority_of(policy.kind);
  info.index = policy.index;
  info.dir = static_cast<std::uint8_t>(policy_direction(policy.kind));
  info.action = action_of(policy.kind);
  info.share = XFRM_SHARE_ANY;
  return info;
}

xfrm_userpolicy_id policy_id(const PolicyState& policy, std::uint32_t index) {
  xfrm_userpolicy_id id{};
  id.sel = policy_selector(policy);
  id.index = index;
  id.dir = static_cast<std::uint8_t>(policy_direction(policy.kind));
  return id;
}

struct Encoder {
  netlink::Batch& batch;

  Result<std::size_t> operator()(const AddSa& operation) const {
    const SaState& sa = operation.sa;
    batch.begin(XFRM_MSG_NEWSA, 0, object_bytes(sa_info(sa)));
    put_suite(batch, sa.suite, sa.key);
    put_attachment(batch, sa.attachment);
    // Without it the kernel keeps its old form of window, which info says is 0.
    if (sa.replay_window != 0) put_replay_state(batch, sa);
    return batch.end();
  }

  Result<std::size_t> operator()(const DeleteSa& operation) const {
    xfrm_usersa_id id{};
    id.daddr = kernel_address(operation.id.destination);
    id.spi = htonl(operation.id.spi_or_index);
    id.family = kernel_family(operation.id.destination);
    id.proto = IPPROTO_ESP;
    const xfrm_address_t source = kernel_address(operation.source);
    batch.begin(XFRM_MSG_DELSA, 0, object_bytes(id));
    batch.put(XFRMA_SRCADDR, object_bytes(source));
    put_attachment(batch, operation.attachment);
    return batch.end();
  }

  Result<std::size_t> operator()(const PutPolicy& operation) const {
    const PolicyState& policy = operation.policy;
    batch.begin(operation.replace ? XFRM_MSG_UPDPOLICY : XFRM_MSG_NEWPOLICY, 0,
                object_bytes(policy_info(policy)));
    if (has_template(policy.kind)) batch.put(XFRMA_TMPL, object_bytes(policy_template(policy)));
    put_attachment(batch, policy.attachment);
    return batch.end();
  }

  Result<std::size_t> operator()(const DeletePolicy& operation) const {
    batch.begin(XFRM_MSG_DELPOLICY, 0,
                object_bytes(policy_id(operation.policy, operation.policy.index)));
    put_attachment(batch, operation.policy.attachment);
    return batch.end();
  }
};

}  // namespace

std::uint16_t dump_sas_request() { return XFRM_MSG_GETSA; }
std::uint16_t dump_policies_request() { return XFRM_MSG_GETPOLICY; }

Result<std::size_t> encode(netlink::Batch& batch, const Operation& operation) {
  return std::visit(Encoder{batch}, operation);
}

Result<std::size_t> encode_get_by_index(netlink::Batch& batch, const PolicyState& policy) {
  batch.begin(XFRM_MSG_GETPOLICY, 0, object_bytes(policy_id(policy, policy.index)));
  put_attachment(batch, policy.attachment);
  return batch.end();
}

Result<std::size_t> encode_get_by_selector(netlink::Batch& batch, const PolicyState& policy) {
  batch.begin(XFRM_MSG_GETPOLICY, 0, object_bytes(policy_id(policy, 0)));
  put_attachment(batch, policy.attachment);
  return batch.end();
}

}  // namespace gkmpd::xfrm
