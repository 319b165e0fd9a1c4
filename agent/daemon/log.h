// The agent's log: one line a record on standard error, or one record with fields of its own in
// systemd's journal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/daemon/config.h"
#include "agent/protocol/endpoint.h"

namespace gkmpd::daemon {

/// `text` with everything but printable ASCII, and `"` and `\`, as escapes (`\n`, `\xNN`): it
/// cannot end a line, close a quote or steer a terminal.
[[nodiscard]] std::string escaped(std::string_view text);

/// `level what group=NAME peer=NAME detail="..."`, without a line end; empty fields are left out.
[[nodiscard]] std::string log_line(const protocol::Report& report);

/// The journal's fields of a record, each `NAME=value`: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER,
/// GKMPD_WHAT, GKMPD_GROUP, GKMPD_PEER, GKMPD_DETAIL.
[[nodiscard]] std::vector<std::string> journal_fields(const protocol::Report& report);

class Log {
 public:
  enum class Sink { kStderr, kJournal };

  Log(LogLevel least, Sink sink) : least_(least), sink_(sink) {}

  /// The journal if systemd has connected standard error to it (JOURNAL_STREAM names the very file
  /// that descriptor 2 is), so that no record appears twice.
  [[nodiscard]] static Sink sink_of_process();

  /// Records below the least level are dropped. A journal that takes nothing is replaced by
  /// standard error for that record.
  void write(const protocol::Report& report) const;

 private:
  LogLevel least_;
  Sink sink_;
};

}  // namespace gkmpd::daemon
