#include "agent/daemon/control_server.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "agent/daemon/errors.h"

namespace gkmpd::daemon {
namespace {

constexpr std::size_t kReadChunk = 64 * 1024;
constexpr int kListenBacklog = 16;

tl::unexpected<Error> failed(const std::filesystem::path& path, std::string_view what) {
  return fail(kControlSocketFailed,
              fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

std::optional<sockaddr_un> to_sockaddr(const std::filesystem::path& path) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.empty() || text.size() >= sizeof out.sun_path) return std::nullopt;
  std::memcpy(out.sun_path, text.data(), text.size());
  return out;
}

/// Takes away a socket that nobody listens at any more. Anything else at that place stays.
Result<void> clear_stale(const std::filesystem::path& path, const sockaddr_un& address) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return failed(path, "cannot be looked at");
  }
  if (!S_ISSOCK(info.st_mode)) {
    return fail(kControlSocketBusy, fmt::format("{} exists and is no socket", path.string()));
  }
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return failed(path, "socket");
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno != ECONNREFUSED) {
    return fail(kControlSocketBusy, fmt::format("{}: another agent answers there", path.string()));
  }
  if (::unlink(path.c_str()) != 0) return failed(path, "a stale socket cannot be removed");
  return {};
}

}  // namespace

struct ControlServer::Client {
  std::uint64_t id = 0;
  Fd fd;
  Loop::Source source;
  LineBuffer in;
  std::string out;
  MonoTime last_request;
  std::optional<WatchRequest> watch;
  bool overrun = false;
};

bool may_command(uid_t peer, uid_t own) { return peer == 0 || peer == own; }

ControlServer::ControlServer(std::filesystem::path path, Loop& loop, Counters& counters,
                             Answer answer, Snapshot snapshot, milliseconds client_idle)
    : path_(std::move(path)),
      loop_(loop),
      counters_(counters),
      answer_(std::move(answer)),
      snapshot_(std::move(snapshot)),
      client_idle_(client_idle) {}

ControlServer::~ControlServer() {
  if (owns_file_) ::unlink(path_.c_str());
}

Result<std::unique_ptr<ControlServer>> ControlServer::open(const std::filesystem::path& path,
                                                           Loop& loop, Counters& counters,
                                                           Answer answer, Snapshot snapshot,
                                                           milliseconds client_idle) {
  std::unique_ptr<ControlServer> server(
      new ControlServer(path, loop, counters, std::move(answer), std::move(snapshot), client_idle));
  auto listening = server->listen();
  if (!listening) return pass_on(listening);
  return server;
}

Result<void> ControlServer::listen() {
  const auto address = to_sockaddr(path_);
  if (!address) return fail(kControlSocketFailed, "the path of the socket is too long");
  auto cleared = clear_stale(path_, *address);
  if (!cleared) return cleared;
  fd_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_) return failed(path_, "socket");
  // The mode is there from the first moment, not set behind it.
  const mode_t before = ::umask(0177);
  const int bound =
      ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  ::umask(before);
  if (bound != 0) return failed(path_, "bind");
  owns_file_ = true;
  if (::listen(fd_.get(), kListenBacklog) != 0) return failed(path_, "listen");

  auto source = loop_.io(fd_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
  if (!source) return pass_on(source);
  accept_source_ = *std::move(source);
  auto timer = loop_.timer([this] { drop_stuck(); });
  if (!timer) return pass_on(timer);
  stuck_timer_ = *std::move(timer);
  return {};
}

void ControlServer::accept() {
  Fd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      !may_command(peer.uid, ::geteuid())) {
    return counters_.count(kPeerRefused);
  }
  if (clients_.size() >= kMaxClients) {
    counters_.count(kTooManyClients);
    const auto line = encode_refusal({kTooManyClients, fmt::format("at most {}", kMaxClients)});
    (void)::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  auto client = std::make_unique<Client>();
  client->id = next_id_++;
  client->fd = std::move(fd);
  client->last_request = mono_now();
  auto source = loop_.io(client->fd.get(), EPOLLIN,
                         [this, id = client->id](std::uint32_t events) { on_ready(id, events); });
  if (!source) return;
  client->source = *std::move(source);
  clients_.emplace(client->id, std::move(client));
  arm_timer();
}

void ControlServer::on_ready(std::uint64_t id, std::uint32_t events) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = *found->second;
  bool alive = true;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) alive = read_from(client);
  if (alive) alive = write_to(client);
  if (!alive) clients_.erase(found);
  arm_timer();
}

bool ControlServer::read_from(Client& client) {
  std::array<char, kReadChunk> chunk;
  const auto got = ::recv(client.fd.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  if (got == 0) return false;
  client.in.add({chunk.data(), static_cast<std::size_t>(got)});
  if (client.in.overlong()) {
    counters_.count(kLineTooLong);
    queue(client, encode_refusal({kLineTooLong, fmt::format("at most {} octets", kMaxLine)}));
    (void)write_to(client);
    return false;
  }
  while (auto line = client.in.next()) handle_line(client, *line);
  return true;
}

void ControlServer::handle_line(Client& client, const std::string& line) {
  client.last_request = mono_now();
  auto request = decode_request(line);
  if (!request) {
    counters_.count(request.error().kind);
    return queue(client, encode_refusal(request.error()));
  }
  if (const auto* watch = std::get_if<WatchRequest>(&*request)) {
    client.watch = *watch;
    return queue(client, snapshot_(*watch));
  }
  queue(client, answer_(*request));
}

void ControlServer::queue(Client& client, const std::string& line) {
  if (client.overrun) return;
  if (client.out.size() + line.size() > kMaxClientBacklog) {
    counters_.count(kSlowClient);
    client.overrun = true;
    // It is never ready again by itself, and must not go in the middle of whoever notifies.
    stuck_timer_.arm(mono_now());
    return;
  }
  client.out += line;
}

bool ControlServer::write_to(Client& client) {
  while (!client.out.empty() && !client.overrun) {
    const auto sent =
        ::send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (sent < 0) return false;
    client.out.erase(0, static_cast<std::size_t>(sent));
  }
  client.source.set_events(client.out.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
  return !client.overrun;
}

void ControlServer::notify(std::string_view group, const std::string& line) {
  for (auto& [id, client] : clients_) {
    if (!client->watch) continue;
    if (!client->watch->group.empty() && client->watch->group != group) continue;
    queue(*client, line);
    // Sent from its own wakeup: a client must not be dropped in the middle of whoever notifies.
    client->source.set_events(EPOLLIN | EPOLLOUT);
  }
}

bool ControlServer::has_watchers() const {
  return std::ranges::any_of(clients_,
                             [](const auto& entry) { return entry.second->watch.has_value(); });
}

void ControlServer::drop_stuck() {
  const MonoTime oldest = mono_now() - client_idle_;
  std::erase_if(clients_, [&](const auto& entry) {
    if (entry.second->overrun) return true;
    const bool idle = !entry.second->watch && entry.second->last_request <= oldest;
    if (idle) counters_.count(kRequestTimeout);
    return idle;
  });
  arm_timer();
}

void ControlServer::arm_timer() {
  std::optional<MonoTime> first;
  for (const auto& [id, client] : clients_) {
    if (client->overrun) return stuck_timer_.arm(mono_now());
    if (client->watch) continue;
    if (!first || client->last_request < *first) first = client->last_request;
  }
  if (first) {
    stuck_timer_.arm(*first + client_idle_);
  } else {
    stuck_timer_.disarm();
  }
}

}  // namespace gkmpd::daemon
