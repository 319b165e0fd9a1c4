// The reading half of encode.h: what the kernel shows, judged by what we would have installed.
#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include "netlink/parse.h"
#include "xfrm/encode.h"
#include "xfrm/encode_common.h"
#include "xfrm/encode_suite.h"

namespace gkmpd::xfrm {
namespace {

using netlink::after_header;
using netlink::read_object;

/// XFRMA_SA_DIR of Linux 6.10, which Debian 12's headers lack.
constexpr std::uint16_t kXfrmaSaDir = 33;

bool exact(const xfrm_selector& selector, const IpAddress& destination) {
  return selector.family == kernel_family(destination) &&
         from_kernel(selector.daddr, selector.family) == destination &&
         selector.prefixlen_d == full_prefix(destination) && selector.user == 0;
}

/// One port, or any (0). Nothing for part of one.
std::optional<std::uint16_t> destination_port(const xfrm_selector& selector) {
  if (selector.dport_mask == 0) return std::uint16_t{0};
  if (selector.dport_mask != 0xffff) return std::nullopt;
  return ntohs(selector.dport);
}

/// Takes in a mark or interface id, if the attribute is one; false if it is cut short.
bool read_attachment(std::uint16_t type, ByteView payload, Attachment& attachment) {
  if (type == XFRMA_IF_ID) return netlink::read_into(attachment.if_id, payload);
  if (type != XFRMA_MARK) return true;
  xfrm_mark mark{};
  if (!netlink::read_into(mark, payload)) return false;
  attachment.mark = mark.v;
  attachment.mark_mask = mark.m;
  return true;
}

bool endless(const xfrm_lifetime_cfg& limits) {
  return limits.soft_byte_limit == XFRM_INF && limits.hard_byte_limit == XFRM_INF &&
         limits.soft_packet_limit == XFRM_INF && limits.hard_packet_limit == XFRM_INF &&
         limits.soft_add_expires_seconds == 0 && limits.soft_use_expires_seconds == 0 &&
         limits.hard_use_expires_seconds == 0;
}

/// What the attributes of an SA add to its fixed part.
struct SaAttributes {
  SuiteReader suite;
  std::optional<std::uint32_t> window;  // of XFRMA_REPLAY_ESN_VAL
  std::uint64_t last_received = 0;      // of the same
  Attachment attachment;
  bool unexpected = false;  // something that we never install
  std::optional<Error> broken;

  void take(std::uint16_t type, ByteView payload);
};

void SaAttributes::take(std::uint16_t type, ByteView payload) {
  if (auto read = suite.take(type, payload); !read) broken = read.error();
  if (!read_attachment(type, payload, attachment)) broken = Error{kBadMessage, "mark cut short"};
  switch (type) {
    case XFRMA_REPLAY_ESN_VAL:
      if (xfrm_replay_state_esn state{}; netlink::read_into(state, payload)) {
        window = state.replay_window;
        last_received = std::uint64_t{state.seq_hi} << 32 | state.seq;
      } else {
        broken = Error{kBadMessage, "replay state cut short"};
      }
      break;
    case XFRMA_ALG_COMP:
    case XFRMA_ENCAP:
    case XFRMA_COADDR:
    case XFRMA_OFFLOAD_DEV:
    case XFRMA_SET_MARK:
    case XFRMA_SA_EXTRA_FLAGS:
    case kXfrmaSaDir:
      unexpected = true;
      break;
    default:  // statistics and what newer kernels tell about every SA
      break;
  }
}

/// The window is in the attribute, and where there is no window there is no attribute.
bool has_our_form_of_window(const xfrm_usersa_info& info, const SaAttributes& attributes) {
  return info.replay_window == 0 && attributes.window != 0U &&
         attributes.window.value_or(0) <= kMaxReplayWindow;
}

/// The selector admits the source that the SA is bound to, or any if it is shared, and no more.
bool binds_source(const xfrm_selector& selector, const SaState& sa) {
  return exact(selector, sa.destination) &&
         from_kernel(selector.saddr, selector.family) == sa.source &&
         selector.prefixlen_s == source_prefix(sa) && selector.sport_mask == 0 &&
         selector.ifindex == 0 && destination_port(selector).has_value();
}

bool has_source_port_of(const PolicyState& policy, const xfrm_selector& selector) {
  const PortMatch wanted = source_port_of(policy);
  return ntohs(selector.sport) == wanted.port && ntohs(selector.sport_mask) == wanted.mask;
}

bool takes_any_source(const xfrm_selector& selector) {
  const auto source = from_kernel(selector.saddr, selector.family);
  return source && source->is_unspecified() && selector.prefixlen_s == 0;
}

/// Neither port nor interface, and the protocol of the kind.
bool is_whole_address(const PolicyState& policy) {
  const std::uint8_t protocol =
      is_guard(policy.kind) ? 0 : membership_protocol(policy.destination.family);
  return policy.ip_protocol == protocol && policy.port == 0 && policy.attachment == Attachment{};
}

/// Fills in the selector; false if it has not the form of the policy's kind.
bool read_selector(const xfrm_userpolicy_info& info, PolicyState& policy) {
  const xfrm_selector& selector = info.sel;
  const auto destination = from_kernel(selector.daddr, selector.family);
  const auto source = from_kernel(selector.saddr, selector.family);
  if (!destination || !source || info.dir != policy_direction(policy.kind) ||
      !exact(selector, *destination))
    return false;
  policy.destination = *destination;
  policy.ip_protocol = selector.proto;
  policy.attachment.interface = static_cast<std::uint32_t>(selector.ifindex);
  const auto port = destination_port(selector);
  if (!port || !has_source_port_of(policy, selector)) return false;
  policy.port = *port;
  if (is_of_address(policy.kind)) return is_whole_address(policy) && takes_any_source(selector);
  if (policy.kind != PolicyKind::kProtect) return takes_any_source(selector);
  policy.source = *source;
  return selector.prefixlen_s == full_prefix(*source);
}

/// But for the mode, which the policy takes over.
bool is_our_template(const xfrm_user_tmpl& tmpl, const PolicyState& policy) {
  const std::uint16_t family = kernel_family(policy.destination);
  const auto source = from_kernel(tmpl.saddr, family);
  const bool source_fits = policy.source ? source == policy.source : source->is_unspecified();
  return tmpl.family == family && from_kernel(tmpl.id.daddr, family) == policy.destination &&
         source_fits && tmpl.id.spi == 0 && tmpl.id.proto == IPPROTO_ESP && tmpl.optional == 0 &&
         tmpl.aalgos == kAnyAlgorithm && tmpl.ealgos == kAnyAlgorithm &&
         tmpl.calgos == kAnyAlgorithm;
}

/// Takes the templates in; false if they are not those of the policy's kind.
bool read_templates(ByteView templates, PolicyState& policy) {
  if (!has_template(policy.kind)) return templates.empty();
  const auto tmpl = read_object<xfrm_user_tmpl>(templates);
  if (!tmpl || templates.size() != sizeof *tmpl) return false;
  const auto mode = mode_from_kernel(tmpl->mode);
  if (!mode) return false;
  policy.mode = *mode;
  policy.reqid = tmpl->reqid;
  if (policy.kind == PolicyKind::kIn && tmpl->reqid != 0) return false;
  return is_our_template(*tmpl, policy);
}

}  // namespace

Result<std::optional<SaState>> decode_sa(const netlink::Message& message) {
  const auto info = read_object<xfrm_usersa_info>(message.payload);
  if (message.type != XFRM_MSG_NEWSA || !info) return fail(kBadMessage, "no SA");
  SaAttributes attributes;
  const bool sound = netlink::for_each_attribute(
      after_header(message.payload, sizeof *info),
      [&attributes](std::uint16_t type, ByteView payload) { attributes.take(type, payload); });
  if (!sound) return fail(kBadMessage, "attributes of an SA cut short");
  if (attributes.broken) return tl::unexpected<Error>(*attributes.broken);

  const auto destination = from_kernel(info->id.daddr, info->family);
  const auto source = from_kernel(info->saddr, info->family);
  if (!destination || !source || info->id.proto != IPPROTO_ESP || info->id.spi == 0 ||
      !is_our_reqid(info->reqid))
    return std::nullopt;

  SaState sa;
  sa.spi = ntohl(info->id.spi);
  sa.source = *source;
  sa.destination = *destination;
  sa.ip_protocol = info->sel.proto;
  sa.port = destination_port(info->sel).value_or(0);
  sa.attachment = attributes.attachment;
  sa.reqid = info->reqid;
  sa.replay_window = attributes.window.value_or(0);
  sa.esn = (info->flags & XFRM_STATE_ESN) != 0;
  sa.last_received = attributes.last_received;
  auto suite = attributes.suite.result();
  if (suite) {
    sa.suite = suite->suite;
    // What a kernel shows that tells no keys (its xfrm_redact()); none of ours is all zero.
    const bool told = !suite->key.equals(Secret(suite->key.size()));
    if (told) sa.key = std::move(suite->key);
  }
  sa.hard_lifetime_s = info->lft.hard_add_expires_seconds;
  const auto mode = mode_from_kernel(info->mode);
  sa.mode = mode.value_or(IpsecMode::kTransport);
  sa.regular = !attributes.unexpected && suite && mode && binds_source(info->sel, sa) &&
               has_our_form_of_window(*info, attributes) && (info->flags & ~XFRM_STATE_ESN) == 0 &&
               endless(info->lft) && info->lft.hard_add_expires_seconds != 0;
  return sa;
}

Result<std::optional<PolicyState>> decode_policy(const netlink::Message& message) {
  const auto info = read_object<xfrm_userpolicy_info>(message.payload);
  if (message.type != XFRM_MSG_NEWPOLICY || !info) return fail(kBadMessage, "no policy");
  ByteView templates;
  PolicyState policy;
  bool main = true;
  bool whole = true;
  const bool sound = netlink::for_each_attribute(
      after_header(message.payload, sizeof *info), [&](std::uint16_t type, ByteView payload) {
        if (type == XFRMA_TMPL) templates = payload;
        const auto policy_type = read_object<xfrm_userpolicy_type>(payload);
        if (type == XFRMA_POLICY_TYPE)
          main = policy_type && policy_type->type == XFRM_POLICY_TYPE_MAIN;
        whole = read_attachment(type, payload, policy.attachment) && whole;
      });
  if (!sound || !whole) return fail(kBadMessage, "attributes of a policy cut short");

  const auto kind = kind_of_policy_index(info->index);
  if (!kind || !main) return std::nullopt;
  policy.kind = *kind;
  policy.index = info->index;
  if (!read_selector(*info, policy)) return std::nullopt;
  policy.regular = read_templates(templates, policy) && info->action == action_of(policy.kind) &&
                   info->priority == priority_of(policy.kind) && info->flags == 0 &&
                   endless(info->lft) && info->lft.hard_add_expires_seconds == 0;
  return policy;
}

Result<std::uint32_t> decode_policy_index(const netlink::Message& message) {
  const auto info = read_object<xfrm_userpolicy_info>(message.payload);
  if (message.type != XFRM_MSG_NEWPOLICY || !info) return fail(kBadMessage, "no policy");
  return info->index;
}

}  // namespace gkmpd::xfrm
