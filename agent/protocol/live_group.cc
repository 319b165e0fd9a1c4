#include "agent/protocol/live_group.h"

#include <algorithm>

#include "agent/crypto/suite.h"
#include "agent/keys/esp.h"
#include "agent/protocol/errors.h"

namespace gkmpd::protocol {

LiveGroup::LiveGroup(Context& context, identity::GroupToken token, Epoch epoch,
                     const SocketAddress& controller, Now now, const LiveGroup* before)
    : context_(&context),
      token_(std::move(token)),
      epoch_(std::move(epoch)),
      controller_(controller),
      expire_at_(now.mono + (epoch_.statement.not_after - now.wall)) {
  begin_delays(now, before != nullptr && !before->expired());
  context_->out.event(JoinControl{token_.group_id, control_multicast()});
  install(now);
}

void LiveGroup::advance(identity::GroupToken token, Epoch epoch, const SocketAddress& controller,
                        Now now) {
  *this = LiveGroup(*context_, std::move(token), std::move(epoch), controller, now, this);
}

void LiveGroup::begin_delays(Now now, bool before) {
  const auto adopted = context_->adopted.supersede(token_.group_id);
  MonoTime activate = now.mono + milliseconds(epoch_.statement.activation_delay_ms);
  MonoTime release = now.mono + milliseconds(epoch_.statement.deactivation_delay_ms);
  // All others began theirs when this host did: whoever began anew would send under the epoch
  // before when nobody hears that any more.
  if (adopted && adopted->epoch_id == epoch_.id) {
    activate = std::clamp(adopted->activate_at, now.mono, activate);
    release = std::clamp(adopted->release_at, now.mono, release);
  }
  activate_at_ = activate;
  if (adopted || before) release_at_ = release;
  // The wall clock tells whole seconds: one more, or the next start might come too early.
  activate_by_ = now.wall + std::chrono::ceil<seconds>(activate - now.mono) + seconds(1);
  release_by_ = now.wall + std::chrono::ceil<seconds>(release - now.mono) + seconds(1);
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
    outbound_burnt_ = false;
    retry_wait_ = kRetryInstallFirst;
  } else if (outcome.error().kind == kOutboundBurnt) {
    outbound_lost(outcome.error());
  } else {
    install_failed(now, outcome.error());
  }
  return true;
}

void LiveGroup::outbound_lost(const Error& why) {
  installed_ = false;
  install_error_ = why.text();
  retry_wait_ = kRetryInstallFirst;
  if (outbound_burnt_) return;  // told already, and for good
  outbound_burnt_ = true;
  context_->out.count(why.kind);
  context_->out.report(
      {Report::Level::kError, "outbound-burnt", token_.policy.group, "", install_error_});
}

void LiveGroup::handle_kernel_change(Now now, const IpAddress& data_address) {
  if (token_.policy.address == data_address) install(now, Cause::kRepair);
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
  if (policy.actions.contains(identity::Action::kRekey) && !expired_) {
    view.rekey_at = epoch_.statement.not_before + seconds(policy.rekey_interval_s);
  }
  view.sending =
      active_ && !expired_ && installed_ &&
      std::ranges::any_of(epoch_.senders.entries, [&](const auto& entry) { return is_own(entry); });
  view.installed = installed_;
  view.install_error = install_error_;
  view.outbound_burnt = outbound_burnt_ && !expired_;
}

std::map<std::uint32_t, std::string> LiveGroup::sender_names() const {
  std::map<std::uint32_t, std::string> names;
  const identity::GroupPolicy& policy = token_.policy;
  if (policy.sender_mode == xfrm::SenderMode::kShared) return names;
  std::map<NameHash, std::string> by_hash;
  for (const std::string& name : policy.senders) by_hash.emplace(context_->name_hash(name), name);
  for (const wire::SenderTable::Entry& entry : epoch_.senders.entries) {
    const auto known = by_hash.find(entry.host);
    if (known == by_hash.end()) continue;
    for (std::uint32_t id = entry.first_id; id < std::uint32_t{entry.first_id} + entry.count;
         ++id) {
      const auto spi =
          keys::spi(policy.spi_prefix, epoch_.statement.tuple, static_cast<std::uint16_t>(id));
      if (spi) names.emplace(*spi, known->second);
    }
  }
  return names;
}

AdoptedGroup LiveGroup::to_adopted() const {
  return {.id = token_.group_id,
          .name = token_.policy.group,
          .data_address = token_.policy.address,
          .data_protocol = token_.policy.protocol,
          .data_port = token_.policy.port,
          .epoch_id = epoch_.id,
          .memo = memo(),
          .sending = false,
          .missing = install_error_};
}

WallTime LiveGroup::switch_by() const {
  // Of the members some may not have the epoch, if this controller is killed before it switches:
  // the next run switches when nobody hears the epoch before any more.
  const bool may_be_alone =
      epoch_.statement.controller == context_->self.hash && activate_at_.has_value();
  return may_be_alone ? std::max(activate_by_, release_by_ - kSwitchBeforeRelease) : activate_by_;
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
          .on_stop = token_.policy.on_stop,
          .release_at = release_by_,
          .spi_prefix = token_.policy.spi_prefix,
          .activate_at = switch_by(),
          .controller_address = controller_};
}

xfrm::Generation LiveGroup::generation() const {
  return static_cast<xfrm::Generation>(epoch_.statement.tuple.epoch & xfrm::kMaxGeneration);
}

bool LiveGroup::is_own(const wire::SenderTable::Entry& entry) const {
  return entry.host == context_->self.hash;
}

Result<void> LiveGroup::fill(InstallGroup& install, Now now) const {
  const identity::GroupPolicy& policy = token_.policy;
  xfrm::GroupSpec& spec = install.spec;
  spec.group_name = policy.group;
  spec.destination = policy.address;
  spec.ip_protocol = policy.protocol;
  spec.port = policy.port;
  spec.suite = policy.suite;
  spec.mode = policy.mode;
  spec.sender_mode = policy.sender_mode;
  spec.replay_window = policy.replay_window;
  spec.esn = policy.esn;
  spec.earlier = release_at_ ? xfrm::Earlier::kKeep : xfrm::Earlier::kRemove;
  // Expired: all policies but the protect policy stay, so that nothing goes or comes in clear.
  if (expired_ || epoch_.statement.not_after <= now.wall) return {};

  for (const wire::SenderTable::Entry& entry : epoch_.senders.entries) {
    if (!is_own(entry)) continue;
    const IpAddress* source = find_family(entry.sources, policy.family());
    if (source == nullptr) continue;
    spec.own_source = *source;
    if (active_) spec.active_generation = generation();
  }
  const auto lifetime = static_cast<std::uint64_t>((epoch_.statement.not_after - now.wall).count());
  return policy.sender_mode == xfrm::SenderMode::kShared ? add_shared(spec, lifetime)
                                                         : add_senders(install, lifetime);
}

Result<void> LiveGroup::add_senders(InstallGroup& install, std::uint64_t lifetime_s) const {
  const identity::GroupPolicy& policy = token_.policy;
  const keys::EspKeys esp(crypto::hash_of(policy.control_suite), epoch_.packet.gtek, epoch_.hash);
  for (const wire::SenderTable::Entry& entry : epoch_.senders.entries) {
    const IpAddress* source = find_family(entry.sources, policy.family());
    if (source == nullptr) continue;
    for (std::uint32_t id = entry.first_id; id < std::uint32_t{entry.first_id} + entry.count;
         ++id) {
      const auto sender_id = static_cast<std::uint16_t>(id);
      const auto spi = keys::spi(policy.spi_prefix, epoch_.statement.tuple, sender_id);
      if (!spi) return fail(spi.error().kind, spi.error().detail);
      // Of its own run a sender uses the first id that it never used (profile S14).
      auto& place = is_own(entry) && id != entry.first_id ? install.standby : install.spec.senders;
      place.push_back({*spi, *source, is_own(entry), generation(),
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

void LiveGroup::install(Now now, Cause cause) {
  retry_at_.reset();
  InstallGroup wanted{.group = token_.group_id,
                      .epoch_id = epoch_.id,
                      .spec = {},
                      .memo = memo(),
                      .repair = cause == Cause::kRepair};
  if (auto filled = fill(wanted, now); !filled) return install_failed(now, filled.error());
  wanted.id = context_->next_id++;
  install_ = wanted.id;
  context_->out.event(std::move(wanted));
}

}  // namespace gkmpd::protocol
