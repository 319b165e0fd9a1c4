#include "agent/protocol/report_view.h"

#include <algorithm>
#include <array>

#include "agent/protocol/errors.h"

namespace gkmpd::protocol {
namespace {

using wire::GroupReport;
using wire::ReportedGroup;
using wire::ReportedMember;

constexpr std::array<std::pair<MemberState, ReportedMember>, 6> kMemberStates{{
    {MemberState::kWaiting, ReportedMember::kWaiting},
    {MemberState::kAsked, ReportedMember::kAsked},
    {MemberState::kNegotiating, ReportedMember::kNegotiating},
    {MemberState::kDownloading, ReportedMember::kDownloading},
    {MemberState::kKeyed, ReportedMember::kKeyed},
    {MemberState::kFailed, ReportedMember::kFailed},
}};
// A controller never finds itself silent.
constexpr std::array<std::pair<GroupState, ReportedGroup>, 5> kGroupStates{{
    {GroupState::kCreating, ReportedGroup::kCreating},
    {GroupState::kPending, ReportedGroup::kPending},
    {GroupState::kActive, ReportedGroup::kActive},
    {GroupState::kExpired, ReportedGroup::kExpired},
    {GroupState::kFailed, ReportedGroup::kFailed},
}};

template <typename Pairs, typename From>
auto to_wire(const Pairs& pairs, From state) {
  return std::ranges::find(pairs, state, &Pairs::value_type::first)->second;
}
template <typename Pairs, typename From>
auto from_wire(const Pairs& pairs, From state) {
  return std::ranges::find(pairs, state, &Pairs::value_type::second)->first;
}

std::uint16_t count(const GroupView& view, MemberState state) {
  return static_cast<std::uint16_t>(std::ranges::count(view.members, state, &MemberView::state));
}

}  // namespace

GroupReport report_of(const GroupView& view, std::size_t first) {
  GroupReport report;
  report.state = to_wire(kGroupStates, view.state);
  report.why = view.why;
  if (view.tuple && view.epoch_id) report.epoch = {*view.tuple, *view.epoch_id, view.not_after};
  report.installed = view.installed;
  report.sending = view.sending;
  report.install_error = view.install_error;
  report.rekey_ordered = view.rekey_ordered;
  report.rekey_error = view.rekey_error;
  report.listed = static_cast<std::uint16_t>(view.members.size());
  report.keyed = count(view, MemberState::kKeyed);
  report.failed = count(view, MemberState::kFailed);
  first = std::min(first, view.members.size());
  report.first = static_cast<std::uint16_t>(first);
  for (std::size_t i = first; i < view.members.size(); ++i) {
    const MemberView& member = view.members[i];
    report.members.push_back({member.name, to_wire(kMemberStates, member.state), member.why});
  }
  return report;
}

Result<void> take_report(const GroupReport& report, GroupView& view) {
  // Nothing but the last page may be empty, else the pages would never end.
  const bool goes_on = report.first == view.members.size() &&
                       (!report.members.empty() || report.first == report.listed);
  if (!goes_on) return fail(kReportDiffers, "the report is not the one that was asked for");
  view.state = from_wire(kGroupStates, report.state);
  view.why = report.why;
  view.tuple.reset();
  view.epoch_id.reset();
  if (report.epoch) {
    view.tuple = report.epoch->tuple;
    view.epoch_id = report.epoch->id;
    view.not_after = report.epoch->not_after;
  }
  view.installed = report.installed;
  view.sending = report.sending;
  view.install_error = report.install_error;
  view.rekey_ordered = report.rekey_ordered;
  view.rekey_error = report.rekey_error;
  for (const GroupReport::Member& member : report.members) {
    view.members.push_back(
        {member.name, std::nullopt, from_wire(kMemberStates, member.state), member.why});
  }
  return {};
}

}  // namespace gkmpd::protocol
