#include "tests/kernel/raw_reader.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

namespace gkmpd::test {
namespace {

/// Newer than this system's headers: the direction of an SA, since Linux 6.10.
constexpr int kSaDirection = 33;

struct Attributes {
  xfrm_mark mark{};
  std::uint32_t if_id = 0;
  std::uint32_t extra_flags = 0;
  int direction = -1;
};

int take(const nlattr* attribute, void* out) {
  auto& all = *static_cast<Attributes*>(out);
  switch (mnl_attr_get_type(attribute)) {
    case XFRMA_MARK:
      std::memcpy(&all.mark, mnl_attr_get_payload(attribute), sizeof all.mark);
      break;
    case XFRMA_IF_ID:
      all.if_id = mnl_attr_get_u32(attribute);
      break;
    case XFRMA_SA_EXTRA_FLAGS:
      all.extra_flags = mnl_attr_get_u32(attribute);
      break;
    case kSaDirection:
      all.direction = mnl_attr_get_u8(attribute);
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

template <std::size_t N, typename... Values>
std::string print(const char (&format)[N], Values... values) {
  std::array<char, 160> text{};
  (void)std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::string text_of_sa(const nlmsghdr* message) {
  const auto* info = static_cast<const xfrm_usersa_info*>(mnl_nlmsg_get_payload(message));
  Attributes all;
  (void)mnl_attr_parse(message, sizeof *info, take, &all);
  return print("SA spi 0x%08x mark 0x%x/0x%x if_id %u extra 0x%x dir %s", ntohl(info->id.spi),
               all.mark.v, all.mark.m, all.if_id, all.extra_flags,
               all.direction < 0    ? "none"
               : all.direction == 1 ? "in"
                                    : "out");
}

std::string text_of_policy(const nlmsghdr* message) {
  const auto* info = static_cast<const xfrm_userpolicy_info*>(mnl_nlmsg_get_payload(message));
  Attributes all;
  (void)mnl_attr_parse(message, sizeof *info, take, &all);
  return print("policy index 0x%08x mark 0x%x/0x%x if_id %u dev %d", info->index, all.mark.v,
               all.mark.m, all.if_id, info->sel.ifindex);
}

std::set<std::string> dump(const Segment& segment, const std::string& host, std::uint16_t type,
                           std::string (*text_of)(const nlmsghdr*)) {
  const Inside inside(segment.host(host));
  mnl_socket* socket = mnl_socket_open(NETLINK_XFRM);
  if (socket == nullptr || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) std::abort();
  std::array<char, 65536> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = type;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = 1;
  if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0) std::abort();
  struct Sink {
    std::set<std::string> lines;
    std::string (*text_of)(const nlmsghdr*);
  } sink{{}, text_of};
  const auto on_message = [](const nlmsghdr* message, void* out) {
    auto& into = *static_cast<Sink*>(out);
    into.lines.insert(into.text_of(message));
    return MNL_CB_OK;
  };
  for (int more = 1; more > 0;) {
    const ssize_t got = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
    if (got < 0) std::abort();
    more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), 1,
                      mnl_socket_get_portid(socket), on_message, &sink);
  }
  mnl_socket_close(socket);
  return sink.lines;
}

}  // namespace

std::set<std::string> read_raw_sas(const Segment& segment, const std::string& host) {
  return dump(segment, host, XFRM_MSG_GETSA, text_of_sa);
}

std::set<std::string> read_raw_policies(const Segment& segment, const std::string& host) {
  return dump(segment, host, XFRM_MSG_GETPOLICY, text_of_policy);
}

}  // namespace gkmpd::test
