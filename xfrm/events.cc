#include "xfrm/events.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>

#include "netlink/parse.h"
#include "xfrm/encode_common.h"

namespace gkmpd::xfrm {
namespace {

using netlink::after_header;
using netlink::Message;
using netlink::read_object;
using Decoded = Result<std::optional<Event>>;

tl::unexpected<Error> cut_short(const char* what) {
  return fail(kBadMessage, std::string(what) + " cut short");
}

/// Finds attribute `wanted` in what follows the fixed header; empty if it is not there, nothing if
/// the attributes do not parse.
std::optional<ByteView> find_attribute(const Message& message, std::size_t header,
                                       std::uint16_t wanted) {
  ByteView found;
  const bool sound =
      netlink::for_each_attribute(after_header(message.payload, header),
                                  [&found, wanted](std::uint16_t type, ByteView payload) {
                                    if (type == wanted) found = payload;
                                  });
  if (!sound) return std::nullopt;
  return found;
}

Event begin_event(const Message& message, EventKind kind) {
  Event event;
  event.kind = kind;
  event.requester = message.port_id;
  return event;
}

/// An unknown family shows as unspecified: such SAs and policies cannot be ours.
void set_addresses(Event& event, const xfrm_address_t& source, const xfrm_address_t& destination,
                   std::uint16_t family) {
  event.source = from_kernel(source, family).value_or(IpAddress{});
  event.destination = from_kernel(destination, family).value_or(IpAddress{});
}

void set_flow(Event& event, const xfrm_selector& selector) {
  event.ip_protocol = selector.proto;
  event.port = selector.dport_mask == 0 ? std::uint16_t{0} : ntohs(selector.dport);
}

void set_sa(Event& event, const xfrm_usersa_info& info) {
  set_addresses(event, info.saddr, info.id.daddr, info.family);
  event.spi = ntohl(info.id.spi);
  event.reqid = info.reqid;
}

/// The reqid of the first template among the attributes, 0 without one.
std::optional<std::uint32_t> template_reqid(const Message& message, std::size_t header) {
  const auto templates = find_attribute(message, header, XFRMA_TMPL);
  if (!templates) return std::nullopt;
  const auto first = read_object<xfrm_user_tmpl>(*templates);
  return first ? first->reqid : 0;
}

Decoded decode_sa_event(const Message& message, EventKind kind) {
  const auto info = read_object<xfrm_usersa_info>(message.payload);
  if (!info) return cut_short("SA");
  Event event = begin_event(message, kind);
  set_sa(event, *info);
  return event;
}

/// DELSA carries the identity, and the SA itself as an attribute.
Decoded decode_sa_deletion(const Message& message) {
  const auto id = read_object<xfrm_usersa_id>(message.payload);
  if (!id) return cut_short("SA identity");
  const auto attribute = find_attribute(message, sizeof *id, XFRMA_SA);
  const auto info = attribute ? read_object<xfrm_usersa_info>(*attribute) : std::nullopt;
  if (!info) return cut_short("deleted SA");
  Event event = begin_event(message, EventKind::kSaDeleted);
  set_sa(event, *info);
  return event;
}

Decoded decode_expire(const Message& message) {
  const auto expire = read_object<xfrm_user_expire>(message.payload);
  if (!expire) return cut_short("expiry");
  Event event =
      begin_event(message, expire->hard != 0 ? EventKind::kHardExpire : EventKind::kSoftExpire);
  set_sa(event, expire->state);
  return event;
}

Decoded decode_acquire(const Message& message) {
  const auto acquire = read_object<xfrm_user_acquire>(message.payload);
  if (!acquire) return cut_short("acquire");
  const auto reqid = template_reqid(message, sizeof *acquire);
  if (!reqid) return cut_short("attributes of an acquire");
  Event event = begin_event(message, EventKind::kAcquire);
  set_addresses(event, acquire->saddr, acquire->id.daddr, acquire->sel.family);
  set_flow(event, acquire->sel);
  event.spi = ntohl(acquire->id.spi);
  event.policy_index = acquire->policy.index;
  event.reqid = *reqid;
  return event;
}

void set_policy(Event& event, const xfrm_userpolicy_info& info) {
  set_addresses(event, info.sel.saddr, info.sel.daddr, info.sel.family);
  set_flow(event, info.sel);
  event.policy_index = info.index;
}

Decoded decode_policy_event(const Message& message, EventKind kind) {
  const auto info = read_object<xfrm_userpolicy_info>(message.payload);
  if (!info) return cut_short("policy");
  const auto reqid = template_reqid(message, sizeof *info);
  if (!reqid) return cut_short("attributes of a policy");
  Event event = begin_event(message, kind);
  set_policy(event, *info);
  event.reqid = *reqid;
  return event;
}

/// DELPOLICY carries the identity, and the policy itself as an attribute.
Decoded decode_policy_deletion(const Message& message) {
  const auto id = read_object<xfrm_userpolicy_id>(message.payload);
  if (!id) return cut_short("policy identity");
  const auto attribute = find_attribute(message, sizeof *id, XFRMA_POLICY);
  const auto info = attribute ? read_object<xfrm_userpolicy_info>(*attribute) : std::nullopt;
  if (!info) return cut_short("deleted policy");
  Event event = begin_event(message, EventKind::kPolicyDeleted);
  set_policy(event, *info);
  return event;
}

}  // namespace

bool Event::in_our_ranges() const {
  return is_our_reqid(reqid) || is_our_policy_index(policy_index);
}

Decoded decode_event(const Message& message) {
  switch (message.type) {
    case XFRM_MSG_ACQUIRE:
      return decode_acquire(message);
    case XFRM_MSG_EXPIRE:
      return decode_expire(message);
    case XFRM_MSG_NEWSA:
      return decode_sa_event(message, EventKind::kSaAdded);
    case XFRM_MSG_UPDSA:
      return decode_sa_event(message, EventKind::kSaUpdated);
    case XFRM_MSG_DELSA:
      return decode_sa_deletion(message);
    case XFRM_MSG_FLUSHSA:
      return begin_event(message, EventKind::kSasFlushed);
    case XFRM_MSG_NEWPOLICY:
      return decode_policy_event(message, EventKind::kPolicyAdded);
    case XFRM_MSG_UPDPOLICY:
      return decode_policy_event(message, EventKind::kPolicyUpdated);
    case XFRM_MSG_DELPOLICY:
      return decode_policy_deletion(message);
    case XFRM_MSG_FLUSHPOLICY:
      return begin_event(message, EventKind::kPoliciesFlushed);
    default:  // the kernel's numbers, not an enum of ours
      return std::nullopt;
  }
}

Result<EventSource> EventSource::open() {
  auto socket = netlink::Socket::open(
      NETLINK_XFRM, {XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_SA, XFRMNLGRP_POLICY});
  if (!socket) return pass_on(socket);
  return EventSource(std::move(*socket));
}

Result<EventSource::Read> EventSource::read() {
  Read result;
  const auto on_event = [&result](const Message& message) -> Result<void> {
    const auto event = decode_event(message);
    if (!event)
      ++result.undecodable;
    else if (*event)
      result.events.push_back(**event);
    return {};
  };
  const auto read = socket_.read_events(on_event);
  if (read) return result;
  if (read.error().kind == netlink::kOverrun)
    result.overrun = true;
  else if (read.error().kind == netlink::kBadReply)
    ++result.undecodable;
  else
    return tl::unexpected<Error>(read.error());
  return result;
}

}  // namespace gkmpd::xfrm
