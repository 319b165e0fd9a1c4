#include "agent/daemon/log.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cstdlib>

namespace gkmpd::daemon {
namespace {

int priority(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return LOG_DEBUG;
    case LogLevel::kInfo:
      return LOG_INFO;
    case LogLevel::kWarning:
      return LOG_WARNING;
    case LogLevel::kError:
      return LOG_ERR;
  }
  return LOG_ERR;
}

bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

void append_field(std::string& line, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  line += fmt::format(" {}=", name);
  line += is_plain(value) ? std::string(value) : fmt::format("\"{}\"", escaped(value));
}

bool write_to_journal(const protocol::Report& report) {
  const auto fields = journal_fields(report);
  std::vector<iovec> parts;
  parts.reserve(fields.size());
  for (const auto& field : fields) {
    parts.push_back({const_cast<char*>(field.data()), field.size()});
  }
  return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < ' ' || c > '~') {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string log_line(const protocol::Report& report) {
  std::string line = fmt::format("{} {}", to_text(report.level), escaped(report.what));
  append_field(line, "group", report.group);
  append_field(line, "peer", report.peer);
  if (!report.detail.empty()) line += fmt::format(" detail=\"{}\"", escaped(report.detail));
  return line;
}

std::vector<std::string> journal_fields(const protocol::Report& report) {
  std::string message = escaped(report.what);
  append_field(message, "group", report.group);
  append_field(message, "peer", report.peer);
  if (!report.detail.empty()) message += ": " + escaped(report.detail);

  std::vector<std::string> fields{
      "MESSAGE=" + message,
      fmt::format("PRIORITY={}", priority(report.level)),
      "SYSLOG_IDENTIFIER=gkmpd",
      "GKMPD_WHAT=" + escaped(report.what),
  };
  if (!report.group.empty()) fields.push_back("GKMPD_GROUP=" + escaped(report.group));
  if (!report.peer.empty()) fields.push_back("GKMPD_PEER=" + escaped(report.peer));
  if (!report.detail.empty()) fields.push_back("GKMPD_DETAIL=" + escaped(report.detail));
  return fields;
}

Log::Sink Log::sink_of_process() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return Sink::kStderr;
  return fmt::format("{}:{}", info.st_dev, info.st_ino) == stream ? Sink::kJournal : Sink::kStderr;
}

void Log::write(const protocol::Report& report) const {
  if (report.level < least_) return;
  if (sink_ == Sink::kJournal && write_to_journal(report)) return;
  const std::string line = log_line(report) + "\n";
  // One write a line, so that lines of several processes do not mix. Where it fails there is
  // nowhere left to say so.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace gkmpd::daemon
