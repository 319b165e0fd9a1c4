#include "netlink/batch.h"

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <cstring>
#include <utility>

#include "netlink/errors.h"

namespace gkmpd::netlink {
namespace {

nlmsghdr* header_at(Secret& buffer, std::size_t offset) {
  // Offsets are multiples of MNL_ALIGNTO and the buffer comes from new: aligned for a header.
  return reinterpret_cast<nlmsghdr*>(buffer.expose_for_writing().data() + offset);
}

}  // namespace

Batch::Batch(std::size_t capacity) : buffer_(capacity) {}

void Batch::begin(std::uint16_t type, std::uint16_t flags, ByteView header) {
  pending_ = 0;
  const std::size_t needed = MNL_NLMSG_HDRLEN + MNL_ALIGN(header.size());
  overflow_ = offsets_.size() == kMaxBatch || needed > buffer_.size() - used_;
  if (overflow_) return;

  nlmsghdr* message = mnl_nlmsg_put_header(buffer_.expose_for_writing().data() + used_);
  message->nlmsg_type = type;
  message->nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  if (!header.empty()) {
    void* fixed = mnl_nlmsg_put_extra_header(message, header.size());
    std::memcpy(fixed, header.data(), header.size());
  }
  pending_ = message->nlmsg_len;
}

void Batch::put(std::uint16_t attribute, ByteView payload) {
  if (overflow_ || pending_ == 0) return;
  nlmsghdr* message = header_at(buffer_, used_);
  if (payload.size() > UINT16_MAX - MNL_ATTR_HDRLEN ||
      !mnl_attr_put_check(message, buffer_.size() - used_, attribute, payload.size(),
                          payload.data())) {
    overflow_ = true;
    return;
  }
  pending_ = message->nlmsg_len;
}

Result<std::size_t> Batch::end() {
  const bool complete = !overflow_ && pending_ != 0;
  const std::size_t size = std::exchange(pending_, 0);
  if (!complete) {
    // What was written of the message may be part of a key.
    wipe(buffer_.expose_for_writing().subspan(used_));
    return fail(kBatchFull, std::to_string(offsets_.size()) + " messages, " +
                                std::to_string(buffer_.size()) + " octets");
  }
  offsets_.push_back(used_);
  used_ += MNL_ALIGN(size);
  return offsets_.size() - 1;
}

void Batch::seal(std::uint32_t first_sequence, std::uint32_t port_id) {
  for (std::size_t i = 0; i < offsets_.size(); ++i) {
    nlmsghdr* message = header_at(buffer_, offsets_[i]);
    message->nlmsg_seq = first_sequence + static_cast<std::uint32_t>(i);
    message->nlmsg_pid = port_id;
    if (i + 1 == offsets_.size())
      message->nlmsg_flags = static_cast<std::uint16_t>(message->nlmsg_flags | NLM_F_ACK);
  }
}

}  // namespace gkmpd::netlink
