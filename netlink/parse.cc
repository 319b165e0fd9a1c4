#include "netlink/parse.h"

#include <linux/netlink.h>

#include <algorithm>

namespace gkmpd::netlink {
namespace {

constexpr std::size_t kAlignment = 4;
constexpr int kMaxErrno = 4095;
// The kernel's texts are one line; anything longer is cut rather than believed.
constexpr std::size_t kMaxExtackOctets = 256;

std::size_t aligned(std::size_t size) { return (size + kAlignment - 1) & ~(kAlignment - 1); }

ByteView skip(ByteView bytes, std::size_t size) {
  return bytes.subspan(std::min(aligned(size), bytes.size()));
}

std::string printable(ByteView text) {
  std::string out;
  for (const std::uint8_t octet : text.first(std::min(text.size(), kMaxExtackOctets))) {
    if (octet == 0) break;
    out.push_back(octet >= 0x20 && octet < 0x7f ? static_cast<char>(octet) : '?');
  }
  return out;
}

}  // namespace

ByteView after_header(ByteView payload, std::size_t size) { return skip(payload, size); }

Result<void> for_each_message(ByteView datagram, const OnMessage& on_message) {
  while (!datagram.empty()) {
    const auto header = read_object<nlmsghdr>(datagram);
    if (!header) return fail(kBadReply, "message header cut short");
    if (header->nlmsg_len < sizeof *header || header->nlmsg_len > datagram.size())
      return fail(kBadReply, "message of impossible length " + std::to_string(header->nlmsg_len));
    const Message message{
        .type = header->nlmsg_type,
        .flags = header->nlmsg_flags,
        .sequence = header->nlmsg_seq,
        .port_id = header->nlmsg_pid,
        .payload = datagram.subspan(sizeof *header, header->nlmsg_len - sizeof *header)};
    if (auto handled = on_message(message); !handled) return handled;
    datagram = skip(datagram, header->nlmsg_len);
  }
  return {};
}

bool for_each_attribute(ByteView attributes,
                        const std::function<void(std::uint16_t, ByteView)>& on_each) {
  while (!attributes.empty()) {
    const auto header = read_object<nlattr>(attributes);
    if (!header || header->nla_len < sizeof *header || header->nla_len > attributes.size())
      return false;
    on_each(static_cast<std::uint16_t>(header->nla_type & NLA_TYPE_MASK),
            attributes.subspan(sizeof *header, header->nla_len - sizeof *header));
    attributes = skip(attributes, header->nla_len);
  }
  return true;
}

std::optional<Answer> read_answer(const Message& message) {
  const auto answer = read_object<nlmsgerr>(message.payload);
  if (!answer || answer->error > 0 || answer->error < -kMaxErrno) return std::nullopt;
  Answer result{.error = -answer->error, .extack = {}};
  if ((message.flags & NLM_F_ACK_TLVS) == 0) return result;

  // Without NLM_F_CAPPED an error carries the whole request between itself and its attributes.
  std::size_t offset = sizeof *answer;
  if ((message.flags & NLM_F_CAPPED) == 0 && answer->error != 0) {
    if (answer->msg.nlmsg_len < sizeof(nlmsghdr)) return std::nullopt;
    offset = sizeof answer->error + aligned(answer->msg.nlmsg_len);
  }
  const bool sound = for_each_attribute(skip(message.payload, offset),
                                        [&result](std::uint16_t type, ByteView payload) {
                                          if (type == NLMSGERR_ATTR_MSG)
                                            result.extack = printable(payload);
                                        });
  if (!sound) return std::nullopt;
  return result;
}

}  // namespace gkmpd::netlink
