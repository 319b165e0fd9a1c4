#include "agent/ctl/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <nlohmann/json.hpp>

namespace gkmpd::ctl {
namespace {

/// Milliseconds for poll(2); -1 for ever.
int wait_ms(std::optional<Deadline> deadline) {
  if (!deadline) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(*deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX));
}

}  // namespace

bool is_ok(const daemon::Json& reply) {
  const auto found = reply.find("ok");
  return found != reply.end() && found->is_boolean() && found->get<bool>();
}

Result<Client> Client::connect(const std::filesystem::path& socket) {
  const auto unreachable = [&](std::string_view why) {
    return fail(kUnreachable, fmt::format("{}: {}; is gkmpd running, and may you command it?",
                                          socket.string(), why));
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.empty() || path.size() >= sizeof address.sun_path) return unreachable("no socket path");
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return unreachable(std::strerror(errno));
  }
  return Client(std::move(fd));
}

Result<void> Client::send(const daemon::Request& request) {
  const std::string line = daemon::encode_request(request);
  for (std::size_t sent = 0; sent < line.size();) {
    const auto now = ::send(fd_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) return fail(kAgentGone, std::strerror(errno));
    sent += static_cast<std::size_t>(now);
  }
  return {};
}

Result<std::optional<daemon::Json>> Client::read(std::optional<Deadline> deadline) {
  while (true) {
    if (auto line = in_.next()) {
      auto json = daemon::Json::parse(*line, nullptr, /*allow_exceptions=*/false);
      if (!json.is_object()) return fail(kBadReply, "the agent's line is no JSON object");
      return json;
    }
    pollfd ready{fd_.get(), POLLIN, 0};
    const int count = ::poll(&ready, 1, wait_ms(deadline));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(kAgentGone, std::strerror(errno));
    if (count == 0) return std::nullopt;
    std::array<char, 64 * 1024> chunk;
    const auto got = ::recv(fd_.get(), chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(kAgentGone, "the agent closed the connection");
    in_.add({chunk.data(), static_cast<std::size_t>(got)});
    if (in_.overlong()) return fail(kBadReply, "the agent's line is too long");
  }
}

Result<daemon::Json> Client::ask(const daemon::Request& request) {
  auto sent = send(request);
  if (!sent) return pass_on(sent);
  auto reply = read(std::chrono::steady_clock::now() + kAnswerTime);
  if (!reply) return pass_on(reply);
  if (!*reply) return fail(kNoAnswer, fmt::format("within {} s", kAnswerTime.count()));
  return **std::move(reply);
}

}  // namespace gkmpd::ctl
