#include "agent/daemon/link_follower.h"

#include <sys/epoll.h>

namespace gkmpd::daemon {

using protocol::Report;

Result<std::unique_ptr<LinkFollower>> LinkFollower::start(Loop& loop, unsigned index, Hooks hooks) {
  auto watch = netlink::LinkWatch::open();
  if (!watch) return pass_on(watch);
  std::unique_ptr<LinkFollower> follower(
      new LinkFollower(*std::move(watch), index, std::move(hooks)));
  auto timer = loop.timer([raw = follower.get()] { raw->on_timer(); });
  if (!timer) return pass_on(timer);
  follower->timer_ = *std::move(timer);
  auto io = loop.io(follower->watch_.fd(), EPOLLIN,
                    [raw = follower.get()](std::uint32_t) { raw->on_change(); });
  if (!io) return pass_on(io);
  follower->io_ = *std::move(io);
  // What has changed since the caller looked.
  follower->timer_.arm(mono_now());
  return follower;
}

void LinkFollower::on_change() {
  const auto changed = watch_.read();
  // What could not be read may have been about our interface.
  if (!changed || *changed) timer_.arm(mono_now() + kLinkSettle);
}

void LinkFollower::on_timer() {
  hooks_.changed();
  const auto index = hooks_.look();
  if (!index) return lose(index.error());
  if (lost_.empty() && *index == index_) return;
  if (const auto renewed = hooks_.renew(*index); !renewed) return lose(renewed.error());
  index_ = *index;
  lost_.clear();
  hooks_.report(
      {Report::Level::kInfo, "interface-back", "", "", "control addresses are listened to again"});
}

void LinkFollower::lose(const Error& why) {
  timer_.arm(mono_now() + kLinkRetry);
  if (lost_ == why.text()) return;
  lost_ = why.text();
  hooks_.report({Report::Level::kError, "interface-lost", "", "", lost_});
}

}  // namespace gkmpd::daemon
