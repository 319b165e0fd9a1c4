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
  Installed& installed = kernels_[host][install.group];
  installed = {install.epoch_id, spec.destination, {}, spec.active_generation.has_value()};
  for (const xfrm::SenderSa& sa : spec.senders) {
    check_sa(now, host, own_address, install, *facts, sa);
    installed.sas.push_back({sa.spi, sa.source, sa.outbound, to_bytes(sa.key.expose())});
  }
  check_activation(now, host, install, *facts);
  check_own_kernel(now, host);
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
  const auto [use, fresh] =
      spis_.try_emplace({install.spec.destination, sa.spi},
                        SpiUse{install.epoch_id, sa.source, to_bytes(sa.key.expose())});
  if (fresh) return;
  if (use->second.epoch != install.epoch_id) {
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

/// A restarted host counts its activation delay anew.
void KernelRules::on_crash(HostIndex host) {
  kernels_.erase(host);
  std::erase_if(first_install_, [&](const auto& entry) { return entry.first.first == host; });
}

void KernelRules::at_end(MonoTime now) {
  for (const auto& [host, groups] : kernels_) {
    for (const auto& [group, installed] : groups) {
      for (const Sa& sent : installed.sas) {
        if (!sent.outbound) continue;
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
  return installed != kernel->second.end() && installed->second.protects;
}

}  // namespace gkmpd::sim
