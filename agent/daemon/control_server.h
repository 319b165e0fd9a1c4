// The unix socket behind gkmpctl: who may talk, how much and for how long.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/base/fd.h"
#include "agent/daemon/control_protocol.h"
#include "agent/daemon/counters.h"
#include "agent/daemon/loop.h"

namespace gkmpd::daemon {

inline constexpr std::size_t kMaxClients = 32;
/// A client that is not watching is dropped when it has asked nothing for so long.
inline constexpr seconds kClientIdle{30};
/// Octets waiting for a client that does not read; beyond it is dropped.
inline constexpr std::size_t kMaxClientBacklog = kMaxAnswer;

/// True if a process of user `peer` may command an agent of user `own`: the same user, or root.
[[nodiscard]] bool may_command(uid_t peer, uid_t own);

class ControlServer {
 public:
  /// Answers every request but `watch` with one line.
  using Answer = std::function<std::string(const Request&)>;
  /// First lines for a new watcher: the groups as they are.
  using Snapshot = std::function<std::string(const WatchRequest&)>;

  /// Listens at `path`, mode 0600. A socket that stands there already is replaced only if nobody
  /// answers at it: `control.socket-busy`; `control.socket-failed`. `client_idle` is how long a
  /// client that is not watching may ask nothing.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> open(
      const std::filesystem::path& path, Loop& loop, Counters& counters, Answer answer,
      Snapshot snapshot, milliseconds client_idle = kClientIdle);
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  /// Removes the socket's file.
  ~ControlServer();

  /// Sends a line to everyone who watches `group`, or all groups.
  void notify(std::string_view group, const std::string& line);
  [[nodiscard]] bool has_watchers() const;

 private:
  struct Client;

  ControlServer(std::filesystem::path path, Loop& loop, Counters& counters, Answer answer,
                Snapshot snapshot, milliseconds client_idle);
  [[nodiscard]] Result<void> listen();
  void accept();
  void on_ready(std::uint64_t id, std::uint32_t events);
  /// False: the client is gone.
  [[nodiscard]] bool read_from(Client& client);
  [[nodiscard]] bool write_to(Client& client);
  void handle_line(Client& client, const std::string& line);
  void queue(Client& client, const std::string& line);
  /// Drops who asks nothing for too long, and who does not read.
  void drop_stuck();
  void arm_timer();

  std::filesystem::path path_;
  Loop& loop_;
  Counters& counters_;
  Answer answer_;
  Snapshot snapshot_;
  milliseconds client_idle_;
  Fd fd_;
  bool owns_file_ = false;
  Loop::Source accept_source_;
  Loop::Source stuck_timer_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Client>> clients_;
};

}  // namespace gkmpd::daemon
