#include "agent/protocol/joins.h"

#include <algorithm>

namespace gkmpd::protocol {

Result<void> Joins::ask(Now now, const GroupId& group, const std::string& name,
                        const SocketAddress& controller) {
  if (joins_.size() >= kMaxJoins && !joins_.contains(group)) {
    return fail(kTooManyJoins,
                "this host asks for " + std::to_string(joins_.size()) + " groups already");
  }
  Join join{.name = name, .controller = controller, .wanted = true};
  if (auto begun = attempt(now, group, join); !begun) return begun;
  joins_.erase(group);
  joins_.emplace(group, std::move(join));
  return {};
}

void Joins::need(Now now, const GroupId& group, const std::string& name,
                 const SocketAddress& controller, milliseconds wait) {
  const auto held = joins_.find(group);
  if (held != joins_.end() && !held->second.refused) return;
  if (held != joins_.end()) joins_.erase(held);
  if (joins_.size() >= kMaxJoins) return context_.out.count(kTooManyJoins);
  joins_.emplace(group, Join{.name = name, .controller = controller, .retry_at = now.mono + wait});
}

void Joins::no_need(const GroupId& group) {
  const auto held = joins_.find(group);
  if (held != joins_.end() && !held->second.wanted) joins_.erase(held);
}

Result<void> Joins::attempt(Now now, const GroupId& group, Join& join) {
  join.retry_at.reset();
  join.attempt.emplace(context_, group, join.controller);
  return join.attempt->start(now);
}

void Joins::put_off(Now now, Join& join, const std::string& why, bool refused) {
  if (refused) join.retry_wait = kRetryJoinMax;
  join.why = why;
  join.attempt.reset();
  join.retry_at = now.mono + join.retry_wait;
  join.retry_wait = std::min(join.retry_wait * 2, kRetryJoinMax);
  context_.out.report(
      {Report::Level::kWarning, "join-failed", join.name, join.controller.text(), why});
}

Result<void> Joins::handle_cookie(Now now, const SocketAddress& from,
                                  const wire::Datagram& datagram) {
  const auto found = joins_.find(datagram.header.group);
  if (found == joins_.end() || !found->second.attempt ||
      found->second.attempt->exchange() != datagram.header.exchange) {
    return fail(kUnknownExchange);
  }
  return found->second.attempt->handle_cookie(now, from, datagram);
}

const Bytes* Joins::request_of(const GroupId& group, const ExchangeId& exchange,
                               const SocketAddress& from) const {
  const auto found = joins_.find(group);
  if (found == joins_.end() || !found->second.attempt) return nullptr;
  const JoinAttempt& attempt = *found->second.attempt;
  return attempt.exchange() == exchange && attempt.controller() == from ? &attempt.request()
                                                                        : nullptr;
}

void Joins::answered(const GroupId& group) {
  const auto found = joins_.find(group);
  if (found != joins_.end() && found->second.attempt) found->second.attempt->answered();
}

void Joins::failed(Now now, const GroupId& group, const ExchangeId& exchange,
                   const std::string& why, bool refused) {
  const auto found = joins_.find(group);
  if (found == joins_.end() || !found->second.attempt ||
      found->second.attempt->exchange() != exchange) {
    return;
  }
  put_off(now, found->second, why, refused);
  if (!refused || !found->second.wanted) return;
  found->second.refused = true;
  found->second.retry_at.reset();
}

void Joins::handle_timeout(Now now) {
  for (auto& [group, join] : joins_) {
    if (join.attempt && !join.attempt->handle_timeout(now)) {
      context_.out.count(kTimeout);
      put_off(now, join,
              "no answer from " + join.controller.text() +
                  ": does an agent there control the group, and does its token let hosts join?",
              /*refused=*/false);
    } else if (join.retry_at && now.mono >= *join.retry_at) {
      if (auto begun = attempt(now, group, join); !begun) {
        put_off(now, join, begun.error().text(), /*refused=*/false);
      }
    }
  }
}

std::optional<MonoTime> Joins::next_timeout() const {
  std::optional<MonoTime> earliest;
  for (const auto& [group, join] : joins_) {
    keep_earlier(earliest, join.retry_at);
    if (join.attempt) keep_earlier(earliest, join.attempt->next_timeout());
  }
  return earliest;
}

void Joins::describe(std::vector<GroupView>& views) const {
  for (const auto& [group, join] : joins_) {
    if (!join.wanted || std::ranges::find(views, group, &GroupView::id) != views.end()) continue;
    GroupView view;
    view.id = group;
    view.name = join.name;
    view.state = join.refused ? GroupState::kFailed : GroupState::kJoining;
    view.controller_address = join.controller;
    view.why = join.why;
    views.push_back(std::move(view));
  }
}

}  // namespace gkmpd::protocol
