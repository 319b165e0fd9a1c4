#include "netlink/kernel_socket.h"

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "netlink/parse.h"

namespace gkmpd::netlink {
namespace {

// The kernel makes dump datagrams of at most 32 KiB, and everything else is smaller.
constexpr std::size_t kReceiveOctets = 64 * 1024;
// A request for a dump holds a fixed header and a filter at most.
constexpr std::size_t kDumpRequestOctets = 1024;
// Datagrams thrown away after a failure; a batch and a full buffer have fewer.
constexpr int kMaxDrain = 4096;

std::string errno_text(int error) {
  const char* name = strerrorname_np(error);
  const char* words = strerrordesc_np(error);
  return std::string(name != nullptr ? name : "errno " + std::to_string(error)) + " (" +
         (words != nullptr ? words : "unknown") + ")";
}

tl::unexpected<Error> refused(const Answer& answer, std::string_view request) {
  const BatchFailure failure{.index = 0, .error = answer.error, .extack = answer.extack};
  return fail(kKernelRefused, std::string(request) + ": " + failure.text());
}

}  // namespace

std::string BatchFailure::text() const {
  return extack.empty() ? errno_text(error) : errno_text(error) + ": " + extack;
}

class Socket::Impl {
 public:
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (socket_ != nullptr) mnl_socket_close(socket_);
  }

  Result<void> open(int protocol, const std::vector<int>& groups);
  Result<void> send(const Batch& batch);
  /// One datagram from the kernel, nothing if none waits. Valid until the next call.
  Result<std::optional<ByteView>> receive();
  /// As `receive`, where a datagram must be there.
  Result<ByteView> receive_reply();
  /// Wipes what was received last.
  void forget() { wipe(buffer_.expose_for_writing()); }
  /// Throws away what waits, so that the next request does not meet the replies of this one.
  void drain();

  /// Replies of a batch, read to the answer of its last message.
  Result<std::vector<BatchFailure>> read_answers(std::size_t count, std::uint32_t first,
                                                 const OnMessage& on_reply);
  /// One pass of a dump: whether it was disturbed.
  Result<bool> read_dump(std::uint32_t sequence, const OnMessage& on_object);
  Result<void> check_reply(const Message& message, std::uint32_t first, std::size_t count) const;

  std::uint32_t take_sequences(std::size_t count) {
    return std::exchange(next_sequence_, next_sequence_ + static_cast<std::uint32_t>(count));
  }
  [[nodiscard]] int fd() const { return mnl_socket_get_fd(socket_); }
  [[nodiscard]] std::uint32_t port_id() const { return mnl_socket_get_portid(socket_); }

 private:
  void size_buffers() const;

  mnl_socket* socket_ = nullptr;
  Secret buffer_{kReceiveOctets};
  std::uint32_t next_sequence_ = 1;
};

Result<void> Socket::Impl::open(int protocol, const std::vector<int>& groups) {
  const auto failed = [protocol](std::string_view step) {
    return fail(kOpenFailed, "netlink protocol " + std::to_string(protocol) + ", " +
                                 std::string(step) + ": " + errno_text(errno));
  };
  socket_ = mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket_ == nullptr) return failed("socket");
  if (mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) != 0) return failed("bind");

  int on = 1;
  if (mnl_socket_setsockopt(socket_, NETLINK_EXT_ACK, &on, sizeof on) != 0)
    return failed("NETLINK_EXT_ACK");
  if (mnl_socket_setsockopt(socket_, NETLINK_CAP_ACK, &on, sizeof on) != 0)
    return failed("NETLINK_CAP_ACK");
  for (int group : groups) {
    if (mnl_socket_setsockopt(socket_, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
      return failed("joining group " + std::to_string(group));
  }
  size_buffers();
  return {};
}

void Socket::Impl::size_buffers() const {
  // Beyond the system's limit only with CAP_NET_ADMIN; without it, as much as the limit allows. A
  // small buffer costs a named overrun, never a wrong result, so neither call may fail the open.
  if (setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferOctets,
                 sizeof kReceiveBufferOctets) != 0)
    (void)setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &kReceiveBufferOctets,
                     sizeof kReceiveBufferOctets);
  if (setsockopt(fd(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBufferOctets, sizeof kSendBufferOctets) !=
      0)
    (void)setsockopt(fd(), SOL_SOCKET, SO_SNDBUF, &kSendBufferOctets, sizeof kSendBufferOctets);
}

Result<void> Socket::Impl::send(const Batch& batch) {
  const ByteView bytes = batch.bytes();
  ssize_t sent = -1;
  do {
    sent = mnl_socket_sendto(socket_, bytes.data(), bytes.size());
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail(kSendFailed, errno_text(errno));
  if (static_cast<std::size_t>(sent) != bytes.size())
    return fail(kSendFailed, std::to_string(sent) + " of " + std::to_string(bytes.size()) +
                                 " octets were taken");
  return {};
}

Result<std::optional<ByteView>> Socket::Impl::receive() {
  forget();
  // libmnl does not tell the sender, so look before taking: size and sender of what comes next.
  sockaddr_nl sender{};
  socklen_t sender_size = sizeof sender;
  ssize_t size = -1;
  do {
    size = recvfrom(fd(), nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT,
                    reinterpret_cast<sockaddr*>(&sender), &sender_size);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
  if (size < 0) return fail(errno == ENOBUFS ? kOverrun : kReceiveFailed, errno_text(errno));

  const std::span<std::uint8_t> room = buffer_.expose_for_writing();
  const ssize_t taken = mnl_socket_recvfrom(socket_, room.data(), room.size());
  if (taken < 0 && errno == ENOSPC) return fail(kBadReply, "datagram truncated");
  if (taken < 0) return fail(errno == ENOBUFS ? kOverrun : kReceiveFailed, errno_text(errno));
  if (sender_size != sizeof sender || sender.nl_pid != 0)
    return fail(kBadReply, "sent by port " + std::to_string(sender.nl_pid) + ", not the kernel");
  if (taken != size)
    return fail(kBadReply, std::to_string(taken) + " octets where " + std::to_string(size) +
                               " were announced");
  return ByteView(room.first(static_cast<std::size_t>(taken)));
}

Result<ByteView> Socket::Impl::receive_reply() {
  auto datagram = receive();
  if (!datagram) return pass_on(datagram);
  if (!*datagram) return fail(kBadReply, "no answer from the kernel");
  if ((*datagram)->empty()) return fail(kBadReply, "empty datagram");
  return **datagram;
}

void Socket::Impl::drain() {
  for (int i = 0; i < kMaxDrain; ++i) {
    const auto datagram = receive();
    if (datagram ? !datagram->has_value() : datagram.error().kind == kReceiveFailed) break;
  }
}

Result<void> Socket::Impl::check_reply(const Message& message, std::uint32_t first,
                                       std::size_t count) const {
  if (message.port_id != port_id())
    return fail(kBadReply, "reply for port " + std::to_string(message.port_id));
  // Unsigned distance: right also when the sequence numbers wrap.
  if (message.sequence - first >= count)
    return fail(kBadReply, "reply to request " + std::to_string(message.sequence));
  return {};
}

Result<std::vector<BatchFailure>> Socket::Impl::read_answers(std::size_t count, std::uint32_t first,
                                                             const OnMessage& on_reply) {
  std::vector<BatchFailure> failures;
  bool last_answered = false;
  const auto on_message = [&](const Message& message) -> Result<void> {
    if (auto ours = check_reply(message, first, count); !ours) return ours;
    const std::size_t index = message.sequence - first;
    if (message.type == NLMSG_ERROR) {
      const auto answer = read_answer(message);
      if (!answer) return fail(kBadReply, "answer cut short");
      if (answer->error != 0) failures.push_back({index, answer->error, answer->extack});
      last_answered = last_answered || index + 1 == count;
      return {};
    }
    if (message.type == NLMSG_NOOP) return {};
    if (message.type < NLMSG_MIN_TYPE || !on_reply)
      return fail(kBadReply, "message of type " + std::to_string(message.type));
    return on_reply(message);
  };
  while (!last_answered) {
    const auto datagram = receive_reply();
    if (!datagram) return tl::unexpected<Error>(datagram.error());
    if (auto read = for_each_message(*datagram, on_message); !read) return pass_on(read);
  }
  return failures;
}

Result<bool> Socket::Impl::read_dump(std::uint32_t sequence, const OnMessage& on_object) {
  bool done = false;
  bool disturbed = false;
  const auto on_message = [&](const Message& message) -> Result<void> {
    if (auto ours = check_reply(message, sequence, 1); !ours) return ours;
    disturbed = disturbed || (message.flags & NLM_F_DUMP_INTR) != 0;
    if (message.type == NLMSG_ERROR) {
      const auto answer = read_answer(message);
      if (!answer) return fail(kBadReply, "answer cut short");
      if (answer->error != 0) return refused(*answer, "dump");
      return {};
    }
    if (message.type == NLMSG_DONE) {
      done = true;
      // The kernel puts the outcome of the dump here; kernels that leave it out mean success.
      const auto outcome = read_object<int>(message.payload);
      if (outcome && *outcome < 0) return refused(Answer{.error = -*outcome, .extack = {}}, "dump");
      return {};
    }
    if (message.type == NLMSG_NOOP) return {};
    if (message.type < NLMSG_MIN_TYPE)
      return fail(kBadReply, "message of type " + std::to_string(message.type));
    return on_object(message);
  };
  while (!done) {
    const auto datagram = receive_reply();
    if (!datagram) return tl::unexpected<Error>(datagram.error());
    if (auto read = for_each_message(*datagram, on_message); !read) return pass_on(read);
  }
  return disturbed;
}

Socket::Socket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Socket::Socket(Socket&&) noexcept = default;
Socket& Socket::operator=(Socket&&) noexcept = default;
Socket::~Socket() = default;

Result<Socket> Socket::open(int protocol, const std::vector<int>& groups) {
  auto impl = std::make_unique<Impl>();
  if (auto opened = impl->open(protocol, groups); !opened) return pass_on(opened);
  return Socket(std::move(impl));
}

Result<std::vector<BatchFailure>> Socket::run(Batch& batch, const OnMessage& on_reply) {
  if (batch.empty()) return std::vector<BatchFailure>{};
  const std::uint32_t first = impl_->take_sequences(batch.size());
  batch.seal(first, impl_->port_id());
  if (auto sent = impl_->send(batch); !sent) return pass_on(sent);
  auto failures = impl_->read_answers(batch.size(), first, on_reply);
  if (!failures) impl_->drain();
  impl_->forget();
  if (!failures) return failures;
  std::sort(failures->begin(), failures->end(),
            [](const BatchFailure& a, const BatchFailure& b) { return a.index < b.index; });
  return failures;
}

Result<void> Socket::dump(std::uint16_t type, ByteView header, const OnMessage& on_object,
                          const std::function<void()>& on_restart) {
  for (int tries = 0; tries < kMaxDumpTries; ++tries) {
    if (tries > 0) on_restart();
    Batch request(kDumpRequestOctets);
    request.begin(type, NLM_F_DUMP, header);
    if (auto ended = request.end(); !ended) return pass_on(ended);
    const std::uint32_t sequence = impl_->take_sequences(1);
    request.seal(sequence, impl_->port_id());
    if (auto sent = impl_->send(request); !sent) return sent;
    const auto disturbed = impl_->read_dump(sequence, on_object);
    if (!disturbed) impl_->drain();
    impl_->forget();
    if (!disturbed) return tl::unexpected<Error>(disturbed.error());
    if (!*disturbed) return {};
  }
  return fail(kDumpInterrupted, std::to_string(kMaxDumpTries) + " times");
}

Result<void> Socket::read_events(const OnMessage& on_event) {
  Result<void> read;
  for (int i = 0; i < kMaxEventDatagrams && read; ++i) {
    const auto datagram = impl_->receive();
    if (!datagram) return tl::unexpected<Error>(datagram.error());
    if (!*datagram) return {};
    read = for_each_message(**datagram, on_event);
  }
  impl_->forget();
  return read;
}

int Socket::fd() const { return impl_->fd(); }
std::uint32_t Socket::port_id() const { return impl_->port_id(); }

}  // namespace gkmpd::netlink
