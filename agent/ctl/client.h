// gkmpctl's end of the control socket.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "agent/base/error.h"
#include "agent/base/fd.h"
#include "agent/daemon/control_protocol.h"

namespace gkmpd::ctl {

inline constexpr ErrorKind kUnreachable{"ctl.agent-unreachable"};
inline constexpr ErrorKind kAgentGone{"ctl.agent-gone"};
inline constexpr ErrorKind kBadReply{"ctl.bad-reply"};
inline constexpr ErrorKind kNoAnswer{"ctl.no-answer"};

/// An agent answers at once; longer means that it hangs.
inline constexpr std::chrono::seconds kAnswerTime{30};

/// The agent has done what it was asked for.
[[nodiscard]] bool is_ok(const daemon::Json& reply);

using Deadline = std::chrono::steady_clock::time_point;

class Client {
 public:
  /// `ctl.agent-unreachable`
  [[nodiscard]] static Result<Client> connect(const std::filesystem::path& socket);

  /// `ctl.agent-gone`
  [[nodiscard]] Result<void> send(const daemon::Request& request);
  /// The next line as JSON; nothing at the deadline. Without one it waits as long as it takes.
  /// `ctl.agent-gone`, `ctl.bad-reply`.
  [[nodiscard]] Result<std::optional<daemon::Json>> read(std::optional<Deadline> deadline);

  /// Sends and reads the one reply, within kAnswerTime.
  [[nodiscard]] Result<daemon::Json> ask(const daemon::Request& request);

 private:
  explicit Client(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
  daemon::LineBuffer in_{daemon::kMaxAnswer};
};

}  // namespace gkmpd::ctl
