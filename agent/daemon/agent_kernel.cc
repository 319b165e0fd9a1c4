// The agent and its kernel: what is installed, what others change, and the interface.
#include <algorithm>
#include <ranges>
#include <set>

#include "agent/daemon/agent.h"
#include "agent/daemon/errors.h"

namespace gkmpd::daemon {

using protocol::Report;

namespace {

/// Between two looks at what SAs count that nobody asked for; shorter than that between two rounds
/// of comparisons, so that each round begins with one.
constexpr milliseconds kUsageInterval = kCheckInterval / 2;

}  // namespace

Result<void> Agent::follow_kernel(unsigned interface) {
  const auto tell = [this](const Report& each) { report(each); };
  const auto addresses = [this] { return endpoint_.data_addresses(); };
  auto kernel = KernelWatch::start(
      loop_, counters_, installer_.port_id(),
      {addresses, [this](const IpAddress& address) { return compare(address); }, tell});
  if (!kernel) return pass_on(kernel);
  kernel_watch_ = *std::move(kernel);
  installer_.before_sas_go([this] { note_usage(); });
  auto links = LinkFollower::start(loop_, interface,
                                   {[this] { return check_interface(config_); },
                                    [this] {
                                      // Without [groups] no policy depends on an interface.
                                      if (!config_.groups.empty()) kernel_watch_->look_at_all();
                                    },
                                    [this](unsigned index) { return move_to(index); }, tell});
  if (!links) return pass_on(links);
  link_follower_ = *std::move(links);
  return {};
}

bool Agent::compare(const IpAddress& data_address) {
  note_usage_now_and_then();
  repaired_ = false;
  endpoint_.handle_kernel_change(now(), data_address);
  drain();
  return repaired_;
}

void Agent::note_usage_now_and_then() {
  if (mono_now() - usage_noted_at_ < kUsageInterval) return;
  note_usage();
  std::set<std::string> names;
  for (const auto& group : endpoint_.groups()) names.insert(group.name);
  sender_totals_.keep_only(names);
}

void Agent::perform(protocol::InstallGroup event) {
  const auto id = event.id;
  const bool repair = event.repair;
  const std::string name = event.spec.group_name;
  xfrm::Tally done;
  // The core reports what failed, and knows what it means for the group.
  auto installed = installer_.install(std::move(event), &done);
  if (repair && !done.empty()) {
    repaired_ = true;
    if (installed || installed.error().kind == kOutboundBurnt ||
        installed.error().kind == kNoInterface) {
      note_repair(name, done);
    }
  }
  note_hidden_keys();
  endpoint_.handle_installed(now(), id, installed);
}

void Agent::perform(const protocol::KeepGroup& event) {
  xfrm::Tally done;
  auto kept = installer_.keep(event.group, event.keep, now().wall, &done);
  if (event.repair && !done.empty()) {
    repaired_ = true;
    const auto groups = endpoint_.groups();
    const auto group = std::ranges::find(groups, event.group, &protocol::GroupView::id);
    if (kept) note_repair(group == groups.end() ? to_hex(event.group) : group->name, done);
  }
  note_hidden_keys();
  endpoint_.handle_kept(now(), event.id, kept);
}

void Agent::note_hidden_keys() {
  if (hidden_keys_told_ || !installer_.hides_keys()) return;
  hidden_keys_told_ = true;
  report({Report::Level::kWarning, "kernel-hides-keys", "", "",
          "the kernel is locked down for confidentiality: an SA of ours that another program "
          "replaced by one under another key, and alike otherwise, is not noticed"});
}

void Agent::note_repair(const std::string& group, const xfrm::Tally& done) {
  counters_.count(kGroupsRepaired);
  counters_.count(kSasPutBack, done.sas());
  counters_.count(kPoliciesPutBack, done.policies());
  report({Report::Level::kWarning, "repaired", group, "", done.text()});
}

Result<void> Agent::move_to(unsigned interface) {
  for (UdpSocket& socket : udp_) {
    if (auto moved = socket.move_to(interface); !moved) return moved;
  }
  for (const auto& [group, address] : joined_) {
    UdpSocket* socket = find_socket(udp_, address.ip.family);
    if (socket == nullptr) continue;
    if (auto joined = socket->join(address.ip); !joined) return joined;
  }
  return {};
}

}  // namespace gkmpd::daemon
