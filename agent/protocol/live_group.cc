#include "agent/protocol/live_group.h"

#include <algorithm>

#include "agent/crypto/suite.h"
#include "agent/keys/esp.h"
#include "agent/protocol/errors.h"

namespace gkmpd::protocol {

LiveGroup::LiveGroup(Context& context, identity::GroupToken token, Epoch epoch, Now now,
                     const LiveGroup* before)
    : context_(&context),
      token_(std::move(token)),
      epoch_(std::move(epoch)),
      activate_at_(now.mono + milliseconds(epoch_.statement.activation_delay_ms)),
      expire_at_(now.mono + (epoch_.statement.not_after - now.wall)) {
  const bool adopted = context_->adopted.supersede(token_.group_id);
  if (adopted || (before != nullptr && !before->expired())) {
    release_at_ = now.mono + milliseconds(epoch_.statement.deactivation_delay_ms);
  }
  context_->out.event(JoinControl{token_.group_id, control_multicast()});
  install(now);
}

void LiveGroup::handle_timeout(Now now) {
  if (!expired_ && now.mono >= expire_at_) {
    expired_ = true;
    activate_at_.reset();
    release_at_.reset();
    epoch_.packet = {};
    context_->out.report({Report::Level::kWarning, "epoch-expired", token_.policy.group, "",
                          "no traffic until the group is created again"});
    install(now);
  } else if (activate_at_ && now.mono >= *activate_at_) {
    activate_at_.reset();
    active_ = true;
    install(now);
  } else if (release_at_ && now.mono >= *release_at_) {
    release_at_.reset();
    install(now);
  } else if (retry_at_ && now.mono >= *retry_at_) {
    install(now);
  }
}

bool LiveGroup::handle_installed(Now now, InstallId id, const Result<void>& outcome) {
  if (install_ != id) return false;
  install_.reset();
  if (outcome) {
    installed_ = true;
    install_error_.clear();
    retry_wait_ = kRetryInstallFirst;
  } else {
    install_failed(now, outcome.error());
  }
  return true;
}

void LiveGroup::install_failed(Now now, const Error& why) {
  installed_ = false;
  install_error_ = why.text();
  retry_at_ = now.mono + retry_wait_;
  retry_wait_ = std::min(retry_wait_ * 2, kRetryInstallMax);
  context_->out.count(why.kind);
  context_->out.report(
      {Report::Level::kError, "install-failed", token_.policy.group, "", install_error_});
}

std::optional<MonoTime> LiveGroup::next_timeout() const {
  std::optional<MonoTime> earliest = retry_at_;
  if (!expired_) {
    keep_earlier(earliest, expire_at_);
    keep_earlier(earliest, activate_at_);
    keep_earlier(earliest, release_at_);
  }
  return earliest;
}

void LiveGroup::describe(GroupView& view) const {
  const identity::GroupPolicy& policy = token_.policy;
  view.id = token_.group_id;
  view.name = policy.group;
  view.tuple = epoch_.statement.tuple;
  view.epoch_id = epoch_.id;
  view.data_address = policy.address;
  view.data_port = policy.port;
  view.control_multicast = control_multicast();
  view.not_after = epoch_.statement.not_after;
  view.sending =
      active_ && !expired_ && installed_ &&
      std::ranges::any_of(epoch_.senders.entries, [&](const auto& entry) { return is_own(entry); });
  view.installed = installed_;
  view.install_error = install_error_;
}

GroupMemo LiveGroup::memo() const {
  const wire::Statement& statement = epoch_.statement;
  return {.role = statement.controller == context_->self.hash ? GroupRole::kController
                                                              : GroupRole::kMember,
          // That the rank is the controller's own was checked before the epoch was taken.
          .controller = token_.policy.controllers.at(statement.tuple.rank),
          .control_multicast = control_multicast(),
          .tuple = statement.tuple,
          .not_after = statement.not_after,
          .on_stop = token_.policy.on_stop};
}

xfrm::Generation LiveGroup::generation() const {
  return static_cast<xfrm::Generation>(epoch_.statement.tuple.epoch & xfrm::kMaxGeneration);
}

bool LiveGroup::is_own(const wire::SenderTable::Entry& entry) const {
  return entry.host == context_->self.hash;
}

Result<xfrm::GroupSpec> LiveGroup::spec(Now now) const {
  const identity::GroupPolicy& policy = token_.policy;
  xfrm::GroupSpec spec;
  spec.group_name = policy.group;
  spec.destination = policy.address;
  spec.port = policy.port;
  spec.suite = policy.suite;
  spec.mode = policy.mode;
  spec.sender_mode = policy.sender_mode;
  spec.replay_window = policy.replay_window;
  spec.esn = policy.esn;
  spec.earlier = release_at_ ? xfrm::Earlier::kKeep : xfrm::Earlier::kRemove;
  // Expired: guard and inbound policy stay, so that nothing goes or comes in clear.
  if (expired_ || epoch_.statement.not_after <= now.wall) return spec;

  for (const wire::SenderTable::Entry& entry : epoch_.senders.entries) {
    if (!is_own(entry)) continue;
    const IpAddress* source = find_family(entry.sources, policy.family());
    if (source == nullptr) continue;
    spec.own_source = *source;
    if (active_) spec.active_generation = generation();
  }
  const auto lifetime = static_cast<std::uint64_t>((epoch_.statement.not_after - now.wall).count());
  auto added = policy.sender_mode == xfrm::SenderMode::kShared ? add_shared(spec, lifetime)
                                                               : add_senders(spec, lifetime);
  if (!added) return pass_on(added);
  return spec;
}

Result<void> LiveGroup::add_senders(xfrm::GroupSpec& spec, std::uint64_t lifetime_s) const {
  const identity::GroupPolicy& policy = token_.policy;
  const keys::EspKeys esp(crypto::hash_of(policy.control_suite), epoch_.packet.gtek, epoch_.hash);
  for (const wire::SenderTable::Entry& entry : epoch_.senders.entries) {
    const IpAddress* source = find_family(entry.sources, policy.family());
    if (source == nullptr) continue;
    // Of its own run a sender uses the first id; the others stand by (profile S14).
    const std::uint32_t count = is_own(entry) ? 1 : entry.count;
    for (std::uint32_t id = entry.first_id; id < entry.first_id + count; ++id) {
      const auto sender_id = static_cast<std::uint16_t>(id);
      const auto spi = keys::spi(policy.spi_prefix, epoch_.statement.tuple, sender_id);
      if (!spi) return fail(spi.error().kind, spi.error().detail);
      spec.senders.push_back({*spi, *source, is_own(entry), generation(),
                              esp.sender_key(policy.suite, *spi, sender_id), lifetime_s});
    }
  }
  return {};
}

Result<void> LiveGroup::add_shared(xfrm::GroupSpec& spec, std::uint64_t lifetime_s) const {
  const identity::GroupPolicy& policy = token_.policy;
  const keys::EspKeys esp(crypto::hash_of(policy.control_suite), epoch_.packet.gtek, epoch_.hash);
  const auto spi = keys::spi(policy.spi_prefix, epoch_.statement.tuple, keys::kSharedSenderId);
  if (!spi) return fail(spi.error().kind, spi.error().detail);
  IpAddress any;
  any.family = policy.family();
  spec.senders.push_back({*spi, any, spec.own_source.has_value(), generation(),
                          esp.shared_key(policy.suite, *spi), lifetime_s});
  return {};
}

void LiveGroup::install(Now now) {
  retry_at_.reset();
  auto wanted = spec(now);
  if (!wanted) return install_failed(now, wanted.error());
  install_ = context_->next_id++;
  context_->out.event(
      InstallGroup{*install_, token_.group_id, epoch_.id, std::move(*wanted), memo()});
}

}  // namespace gkmpd::protocol
