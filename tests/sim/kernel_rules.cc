#include "tests/sim/kernel_rules.h"

#include <algorithm>

namespace gkmpd::sim {

void KernelRules::on_install(MonoTime now, HostIndex host, const IpAddress& own_address,
                             const protocol::InstallGroup& install,
                             const protocol::Endpoint& endpoint) {
  const xfrm::GroupSpec& spec = install.spec;
  const GroupFacts* facts = keys_.facts(install.group);
  if (facts == nullptr || spec.destination != facts->destination) {
    findings_.add(now, host, "sa-form", "unknown group or another destination");
    return;
  }
  if (!spec.senders.empty() && !facts->entitled.contains(host)) {
    findings_.add(now, host, "install-outsider", facts->name);
  }
  const auto view = endpoint.group(facts->name);
  if (!view || !view->tuple || !keys_.was_saved(host, install.group, *view->tuple)) {
    findings_.add(now, host, "install-before-save", facts->name);
  }
  if (std::ranges::count(spec.senders, true, &xfrm::SenderSa::outbound) > 1) {
    findings_.add(now, host, "outbound", "two outbound SAs");
  }
  for (const xfrm::SenderSa& sa : spec.senders) {
    check_sa(now, host, own_address, install, *facts, sa);
    if (sa.outbound && !has_outbound(host, install.group, sa) &&
        !used_for_output_.insert({host, to_bytes(sa.key.expose())}).second) {
      findings_.add(now, host, "outbound-twice", "SPI " + std::to_string(sa.spi));
    }
  }
  Installed& installed = kernels_[host][install.group];
  installed = after(installed, install);
  check_activation(now, host, install, *facts);
  check_own_kernel(now, host);
}

/// What the kernel holds when it was given the spec: xfrm::plan, without its order.
KernelRules::Installed KernelRules::after(const Installed& before,
                                          const protocol::InstallGroup& install) {
  const xfrm::GroupSpec& spec = install.spec;
  Installed now{install.epoch_id, spec.destination, {}, spec.active_generation};
  std::set<xfrm::Generation> wanted;
  for (const xfrm::SenderSa& sa : spec.senders) {
    now.sas.push_back({install.epoch_id, sa.spi, sa.source, sa.outbound, sa.generation,
                       to_bytes(sa.key.expose())});
    wanted.insert(sa.generation);
  }
  if (spec.earlier == xfrm::Earlier::kRemove) return now;
  for (const Sa& sa : before.sas) {
    if (!wanted.contains(sa.generation)) now.sas.push_back(sa);
  }
  const bool served = std::ranges::any_of(
      now.sas, [&](const Sa& sa) { return sa.outbound && sa.generation == before.protects; });
  if (!now.protects && served) now.protects = before.protects;
  return now;
}

void KernelRules::check_sa(MonoTime now, HostIndex host, const IpAddress& own_address,
                           const protocol::InstallGroup& install, const GroupFacts& facts,
                           const xfrm::SenderSa& sa) {
  if (sa.key.size() != xfrm::key_material_size(install.spec.suite) || sa.hard_lifetime_s == 0) {
    findings_.add(now, host, "sa-form", "key size or lifetime");
  }
  const bool shared = install.spec.sender_mode == xfrm::SenderMode::kShared;
  if (shared && (xfrm::is_counter_mode(install.spec.suite) || install.spec.replay_window != 0 ||
                 install.spec.senders.size() != 1)) {
    findings_.add(now, host, "sa-form", "senders share what they must not");
  }
  const bool own = shared ? sa.source.is_unspecified() : sa.source == own_address;
  if (sa.outbound && (!facts.senders.contains(host) || !own)) {
    findings_.add(now, host, "outbound", "not a sender, or from " + sa.source.text());
  }
  const SpiUse new_use{install.epoch_id, install.memo.tuple.epoch, sa.source,
                       to_bytes(sa.key.expose())};
  const auto [use, fresh] = spis_.try_emplace({install.spec.destination, sa.spi}, new_use);
  if (fresh) return;
  // The epoch field of an SPI comes round.
  if (new_use.epoch_number >= use->second.epoch_number + 16) {
    use->second = new_use;
  } else if (use->second.epoch != install.epoch_id) {
    findings_.add(now, host, "spi-clash", "SPI " + std::to_string(sa.spi) + " in two epochs");
  } else if (use->second.source != sa.source || !equal(use->second.key, sa.key.expose())) {
    findings_.add(now, host, "sender-keys-differ", "SPI " + std::to_string(sa.spi));
  }
}

void KernelRules::check_activation(MonoTime now, HostIndex host,
                                   const protocol::InstallGroup& install, const GroupFacts& facts) {
  const MonoTime first = first_install_.try_emplace({host, install.epoch_id}, now).first->second;
  if (!install.spec.active_generation) return;
  if (now < first + facts.activation_delay) {
    findings_.add(now, host, "early-protect", "before the activation delay is over");
  }
  const bool exists = std::ranges::any_of(install.spec.senders, [&](const xfrm::SenderSa& sa) {
    return sa.outbound && sa.generation == *install.spec.active_generation;
  });
  if (!exists) findings_.add(now, host, "early-protect", "there is no such outbound SA");
}

/// Two of our SAs under one SPI and destination would be EEXIST in the kernel.
void KernelRules::check_own_kernel(MonoTime now, HostIndex host) {
  std::set<std::pair<IpAddress, std::uint32_t>> seen;
  for (const auto& [group, installed] : kernels_[host]) {
    for (const Sa& sa : installed.sas) {
      if (!seen.insert({installed.destination, sa.spi}).second) {
        findings_.add(now, host, "spi-clash", "SPI " + std::to_string(sa.spi) + " twice");
      }
    }
  }
}

bool KernelRules::on_keep(HostIndex host, const GroupId& group, xfrm::Generation newest,
                          protocol::Keep keep) {
  Installed& installed = kernels_[host][group];
  std::erase_if(installed.sas, [&](const Sa& sa) {
    return keep == protocol::Keep::kClosed ||
           (keep == protocol::Keep::kNewest && sa.generation != newest);
  });
  const auto sends_under = [&](xfrm::Generation generation) {
    return std::ranges::any_of(
        installed.sas, [&](const Sa& sa) { return sa.outbound && sa.generation == generation; });
  };
  if (installed.protects && !sends_under(*installed.protects)) installed.protects.reset();
  const bool switches = keep == protocol::Keep::kSwitched || keep == protocol::Keep::kNewest;
  if (switches && sends_under(newest)) installed.protects = newest;
  return installed.protects.has_value();
}

/// A restarted host counts its activation delay anew; an agent that adopts the epoch does not.
void KernelRules::on_crash(HostIndex host) {
  kernels_.erase(host);
  std::erase_if(first_install_, [&](const auto& entry) { return entry.first.first == host; });
}

void KernelRules::on_start(MonoTime now, HostIndex host,
                           const std::vector<protocol::GroupView>& views) {
  const auto kernel = kernels_.find(host);
  const std::size_t standing = kernel == kernels_.end() ? 0 : kernel->second.size();
  if (views.size() != standing) {
    findings_.add(
        now, host, "not-adopted",
        std::to_string(views.size()) + " groups are shown, " + std::to_string(standing) + " stand");
    return;
  }
  for (const protocol::GroupView& view : views) {
    const auto there = kernel->second.find(view.id);
    if (there == kernel->second.end() || view.epoch_id != there->second.epoch ||
        view.data_address != there->second.destination ||
        view.sending != there->second.protects.has_value() ||
        view.state != protocol::GroupState::kAdopted) {
      findings_.add(now, host, "not-adopted", view.name + " is shown otherwise than it stands");
    }
  }
}

void KernelRules::at_end(MonoTime now) {
  for (const auto& [host, groups] : kernels_) {
    for (const auto& [group, installed] : groups) {
      for (const Sa& sent : installed.sas) {
        // What is kept of an epoch before need not be heard by who came later.
        if (!sent.outbound || sent.epoch != installed.epoch) continue;
        for (const auto& [other, other_groups] : kernels_) {
          const auto there = other_groups.find(group);
          if (other == host || there == other_groups.end() ||
              there->second.epoch != installed.epoch || there->second.sas.empty()) {
            continue;
          }
          const bool hears = std::ranges::any_of(there->second.sas, [&](const Sa& sa) {
            // What all senders share hears too where it sends.
            return (!sa.outbound || sa.source.is_unspecified()) && sa.spi == sent.spi &&
                   sa.key == sent.key && sa.source == sent.source;
          });
          if (!hears) {
            findings_.add(now, other, "receiver-lacks-sender", "host " + std::to_string(host));
          }
        }
      }
    }
  }
}

std::vector<Bytes> KernelRules::esp_keys() const {
  std::vector<Bytes> keys;
  for (const auto& [place, use] : spis_) keys.push_back(use.key);
  return keys;
}

bool KernelRules::has_outbound(HostIndex host, const GroupId& group,
                               const xfrm::SenderSa& sa) const {
  const auto kernel = kernels_.find(host);
  if (kernel == kernels_.end()) return false;
  const auto installed = kernel->second.find(group);
  return installed != kernel->second.end() &&
         std::ranges::any_of(installed->second.sas, [&](const Sa& held) {
           return held.outbound && held.spi == sa.spi && equal(held.key, sa.key.expose());
         });
}

std::size_t KernelRules::sa_count(HostIndex host, const GroupId& group) const {
  const auto kernel = kernels_.find(host);
  if (kernel == kernels_.end()) return 0;
  const auto installed = kernel->second.find(group);
  return installed == kernel->second.end() ? 0 : installed->second.sas.size();
}

bool KernelRules::protects(HostIndex host, const GroupId& group) const {
  const auto kernel = kernels_.find(host);
  if (kernel == kernels_.end()) return false;
  const auto installed = kernel->second.find(group);
  return installed != kernel->second.end() && installed->second.protects.has_value();
}

}  // namespace gkmpd::sim
