#include "agent/wire/report.h"

#include "agent/wire/codec.h"
#include "agent/wire/values.h"

namespace gkmpd::wire {
namespace {

void put(Writer& out, ReportedGroup state) { out.number(static_cast<std::uint8_t>(state)); }
void get(Reader& in, ReportedGroup& state) {
  using enum ReportedGroup;
  get_enum(in, state, {kCreating, kPending, kActive, kExpired, kFailed}, "group state", kBadValue);
}

void put(Writer& out, ReportedMember state) { out.number(static_cast<std::uint8_t>(state)); }
void get(Reader& in, ReportedMember& state) {
  using enum ReportedMember;
  get_enum(in, state, {kWaiting, kAsked, kNegotiating, kDownloading, kKeyed, kFailed},
           "member state", kBadValue);
}

bool is_printable(char c) { return c >= ' ' && c <= '~'; }

/// Length u8, then printable ASCII.
void put_text(Writer& out, std::string text, std::size_t max) {
  text.resize(std::min(text.size(), max));
  std::ranges::replace_if(text, [](char c) { return !is_printable(c); }, '?');
  out.number(static_cast<std::uint8_t>(text.size()));
  out.octets(as_bytes(text));
}
void get_text(Reader& in, std::string& text, std::size_t max) {
  const auto size = in.number<std::uint8_t>();
  if (size > max) in.fail(kBadValue, "a text of " + std::to_string(size) + " octets");
  text = as_text(in.octets(size));
  if (!std::ranges::all_of(text, is_printable)) in.fail(kBadValue, "a text that is not printable");
}

void put_epoch(Writer& out, const std::optional<ReportedEpoch>& epoch) {
  put(out, epoch.has_value());
  if (!epoch) return;
  put(out, epoch->tuple);
  put(out, epoch->id);
  put(out, epoch->not_after);
}
void get_epoch(Reader& in, std::optional<ReportedEpoch>& epoch) {
  bool known = false;
  get(in, known);
  if (!known) return;
  epoch.emplace();
  get(in, epoch->tuple);
  get(in, epoch->id);
  get(in, epoch->not_after);
}

Bytes encode_member(const GroupReport::Member& member) {
  Writer out;
  put_text(out, member.name, kMaxNameOctets);
  put(out, member.state);
  put_text(out, member.why, kMaxReasonOctets);
  return out.take();
}
void get_member(Reader& in, GroupReport::Member& member) {
  get_text(in, member.name, kMaxNameOctets);
  if (in.ok() && member.name.empty()) in.fail(kBadValue, "a member without a name");
  get(in, member.state);
  get_text(in, member.why, kMaxReasonOctets);
}

void check_counts(Reader& in, const GroupReport& report) {
  if (report.keyed + report.failed > report.listed ||
      report.first + report.members.size() > report.listed) {
    in.fail(kBadValue, "a report of more members than are listed");
  }
}

}  // namespace

Bytes encode(const GroupReport& report) {
  Writer out;
  put(out, kVersion);
  put(out, report.state);
  put_text(out, report.why, kMaxReasonOctets);
  put_epoch(out, report.epoch);
  put(out, report.installed);
  put(out, report.sending);
  put_text(out, report.install_error, kMaxReasonOctets);
  put(out, report.rekey_ordered);
  put_text(out, report.rekey_error, kMaxReasonOctets);
  put(out, report.listed);
  put(out, report.keyed);
  put(out, report.failed);
  put(out, report.first);
  for (const GroupReport::Member& member : report.members) {
    const Bytes octets = encode_member(member);
    if (out.size() + octets.size() > kMaxReportOctets) break;
    out.octets(octets);
  }
  return out.take();
}

Result<GroupReport> decode_group_report(ByteView octets) {
  Reader in(octets);
  GroupReport report;
  if (const auto version = in.number<std::uint8_t>(); version != kVersion) {
    in.fail(kUnknownVersion, "report of version " + std::to_string(version));
  }
  get(in, report.state);
  get_text(in, report.why, kMaxReasonOctets);
  get_epoch(in, report.epoch);
  get(in, report.installed);
  get(in, report.sending);
  get_text(in, report.install_error, kMaxReasonOctets);
  get(in, report.rekey_ordered);
  get_text(in, report.rekey_error, kMaxReasonOctets);
  get(in, report.listed);
  get(in, report.keyed);
  get(in, report.failed);
  get(in, report.first);
  while (in.ok() && !in.at_end()) get_member(in, report.members.emplace_back());
  if (in.ok()) check_counts(in, report);
  if (auto end = in.finish(); !end) return pass_on(end);
  return report;
}

}  // namespace gkmpd::wire
