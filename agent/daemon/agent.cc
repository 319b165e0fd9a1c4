#include "agent/daemon/agent.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/daemon/errors.h"
#include "agent/daemon/process.h"
#include "agent/daemon/version.h"

namespace gkmpd::daemon {
namespace {

/// `senders`: names by SPI, of the newest epoch.
SaView to_view(const Installer::GroupUsage& usage,
               const std::map<std::uint32_t, std::string>& senders, std::uint64_t now_s) {
  const std::uint32_t newest = usage.tuple.epoch;
  const auto behind =
      (newest - xfrm::generation_of_reqid(usage.sa.id.reqid)) & xfrm::kMaxGeneration;
  const auto sender = senders.find(usage.sa.id.spi_or_index);
  return {.group = usage.name,
          .sender = behind == 0 && sender != senders.end() ? sender->second : "",
          .epoch = newest - behind,
          .current = behind == 0,
          .age_s = now_s > usage.sa.added_at_s ? now_s - usage.sa.added_at_s : 0,
          .usage = usage.sa};
}

}  // namespace

using protocol::Report;

Agent::Agent(const Config& config, const Log& log, Loop& loop,
             std::unique_ptr<crypto::SystemRandom> random, Prepared prepared,
             std::vector<UdpSocket> udp, protocol::Endpoint endpoint, CrlFacts crl)
    : config_(config),
      log_(log),
      loop_(loop),
      started_(mono_now()),
      random_(std::move(random)),
      store_(std::move(prepared.store)),
      installer_(std::move(prepared.installer)),
      kernel_lacks_(std::move(prepared.kernel_lacks)),
      time_floor_(prepared.time_floor),
      crl_(crl),
      udp_(std::move(udp)),
      endpoint_(std::move(endpoint)) {}

Result<std::unique_ptr<Agent>> Agent::start(const Config& config, const Log& log, Loop& loop) {
  auto prepared = prepare(config, [&](const Report& report) { log.write(report); });
  if (!prepared) return pass_on(prepared);
  std::vector<UdpSocket> udp;
  for (const IpAddress& own : config.addresses) {
    auto socket = UdpSocket::open({own, config.port}, prepared->interface);
    if (!socket) return pass_on(socket);
    udp.push_back(*std::move(socket));
  }

  Credentials& credentials = prepared->credentials;
  const crypto::Crl& crl = *credentials.trust.crl();
  const unsigned interface = prepared->interface;
  const CrlFacts facts{crl.number(), crl.this_update(), crl.next_update(), crl.entry_count()};
  auto random = std::make_unique<crypto::SystemRandom>();
  protocol::EndpointConfig endpoint_config{std::move(credentials.trust),
                                           config.limits,
                                           std::move(credentials.certificate),
                                           std::move(credentials.intermediates),
                                           std::move(credentials.key),
                                           config.addresses,
                                           config.port,
                                           config.hosts,
                                           prepared->kernel_lacks};
  auto endpoint = protocol::Endpoint::make(
      std::move(endpoint_config), std::move(prepared->floors), *random,
      Now{mono_now(), trusted_wall(wall_now(), prepared->time_floor)}, prepared->adopted);
  if (!endpoint) return pass_on(endpoint);

  std::unique_ptr<Agent> agent(new Agent(config, log, loop, std::move(random), *std::move(prepared),
                                         std::move(udp), *std::move(endpoint), facts));
  auto listening = agent->listen(interface);
  if (!listening) return pass_on(listening);
  agent->drain();
  return agent;
}

Result<void> Agent::listen(unsigned interface) {
  auto timer = loop_.timer([this] { on_timeout(); });
  if (!timer) return pass_on(timer);
  timer_ = *std::move(timer);
  for (UdpSocket& socket : udp_) {
    auto io =
        loop_.io(socket.fd(), EPOLLIN, [this, &socket](std::uint32_t) { on_datagrams(socket); });
    if (!io) return pass_on(io);
    udp_sources_.push_back(*std::move(io));
  }
  auto control = ControlServer::open(
      config_.socket, loop_, counters_, [this](const Request& request) { return answer(request); },
      [this](const WatchRequest& watch) { return snapshot(watch); });
  if (!control) return pass_on(control);
  control_ = *std::move(control);
  return follow_kernel(interface);
}

bool Agent::stop() {
  auto removed = installer_.remove_stopping();
  if (!removed) {
    report({Report::Level::kError, "kernel-not-cleared", "", "", removed.error().text()});
    return false;
  }
  auto left = installer_.standing();
  if (!left) {
    report({Report::Level::kWarning, "stopped", "", "", left.error().text()});
    return true;
  }
  report({Report::Level::kInfo, "stopped", "", "",
          fmt::format("{} SAs and policies taken out of the kernel, {} left at work",
                      removed->objects, left->sas + left->policies)});
  return true;
}

Now Agent::now() const { return {mono_now(), trusted_wall(wall_now(), time_floor_)}; }

void Agent::report(const Report& report) {
  log_.write(report);
  if (control_ && control_->has_watchers() && report.level >= config_.log_level) {
    control_->notify(report.group, encode_notice("report", to_json(report)));
  }
}

void Agent::on_datagrams(UdpSocket& socket) {
  socket.read(
      [this](const SocketAddress& from, ByteView octets) {
        endpoint_.handle_datagram(now(), from, octets);
        // One at a time, so that what a datagram leads to is on disk before the next is looked at.
        drain();
      },
      counters_);
}

void Agent::on_timeout() {
  endpoint_.handle_timeout(now());
  drain();
}

void Agent::drain() {
  for (bool worked = true; worked;) {
    worked = false;
    // First what is to be done, then what tells others of it: a member that acknowledges an epoch
    // and is killed has its SAs.
    while (auto event = endpoint_.poll_event()) {
      worked = true;
      std::visit(
          [this](auto&& each) {
            if constexpr (std::is_same_v<std::decay_t<decltype(each)>, Report>) {
              report(each);
            } else {
              perform(std::forward<decltype(each)>(each));
            }
          },
          *std::move(event));
    }
    while (auto transmit = endpoint_.poll_transmit()) {
      worked = true;
      // The core speaks only in families that we have an address of.
      UdpSocket* socket = find_socket(udp_, transmit->to.ip.family);
      if (socket != nullptr) socket->send(transmit->to, transmit->octets, counters_);
    }
  }
  if (take_dumps_withdrawn()) {
    report({Report::Level::kWarning, "core-dumps-refused", "", "",
            "process.core_dumps: the kernel keeps new memory for keys out of dumps no longer"});
  }
  notify_changes();
  if (const auto next = endpoint_.poll_timeout()) {
    timer_.arm(*next);
  } else {
    timer_.disarm();
  }
}

void Agent::perform(const protocol::SaveFloor& event) {
  auto saved = store_->raise_floor(event.group, to_store(event.group_name, event.floor));
  if (!saved) {
    report({Report::Level::kError, "save-failed", event.group_name, "", saved.error().text()});
  }
  endpoint_.handle_saved(now(), event.id, saved);
}

void Agent::perform(const protocol::JoinControl& event) {
  const auto& address = event.control_multicast;
  UdpSocket* socket = find_socket(udp_, address.ip.family);
  if (socket == nullptr) return;
  // Also if this fails: what is to be listened to is tried again when the interface is back.
  joined_[event.group] = address;
  if (auto joined = socket->join(address.ip); !joined) {
    report({Report::Level::kError, "control-not-joined", "", "", joined.error().text()});
  }
}

void Agent::perform(const protocol::LeaveControl& event) {
  joined_.erase(event.group);
  const auto& ip = event.control_multicast.ip;
  // Groups may share a control address.
  if (std::ranges::any_of(joined_, [&](const auto& other) { return other.second.ip == ip; })) {
    return;
  }
  UdpSocket* socket = find_socket(udp_, ip.family);
  if (socket == nullptr) return;
  if (auto left = socket->leave(ip); !left)
    report({Report::Level::kWarning, "control-not-left", "", "", left.error().text()});
}

void Agent::notify_changes() {
  if (!control_ || !control_->has_watchers()) return told_.clear();
  for (const auto& group : endpoint_.groups()) {
    std::string line = encode_notice("group", to_json(group));
    std::string& told = told_[group.name];
    if (told == line) continue;
    control_->notify(group.name, line);
    told = std::move(line);
  }
}

std::string Agent::answer(const Request& request) {
  struct Answer {
    Agent& agent;
    std::string operator()(const CreateGroupRequest& r) const { return agent.create_group(r); }
    std::string operator()(const OrderRequest& r) const { return agent.order_group(r); }
    std::string operator()(const JoinGroupRequest& r) const { return agent.join_group(r); }
    std::string operator()(const ListGroupsRequest&) const {
      Json list = Json::array();
      for (const auto& group : agent.endpoint_.groups()) list.push_back(summary_json(group));
      return encode_reply("groups", list);
    }
    std::string operator()(const ShowGroupRequest& r) const { return agent.show_group(r.name); }
    std::string operator()(const StatusRequest&) const {
      return encode_reply("status", to_json(agent.status()));
    }
    std::string operator()(const ListSasRequest& r) const { return agent.list_sas(r.group); }
    // The server gives watchers their snapshot.
    std::string operator()(const WatchRequest& r) const { return agent.snapshot(r); }
  };
  return std::visit(Answer{*this}, request);
}

Result<std::vector<SaView>> Agent::read_sas() {
  auto usage = installer_.usage();
  if (!usage) return pass_on(usage);
  const auto now_s = static_cast<std::uint64_t>(wall_now().time_since_epoch().count());
  std::map<GroupId, std::map<std::uint32_t, std::string>> senders;
  std::vector<SaView> views;
  for (const auto& each : *usage) {
    if (!senders.contains(each.group)) {
      senders.emplace(each.group, endpoint_.sender_names(each.group));
    }
    views.push_back(to_view(each, senders.at(each.group), now_s));
  }
  sender_totals_.look(views);
  usage_noted_at_ = mono_now();
  return views;
}

void Agent::note_usage() {
  // Counts that cannot be read now may be at the next look; until then the totals stand still.
  if (auto read = read_sas(); !read) counters_.count(read.error().kind);
}

std::string Agent::list_sas(const std::string& group) {
  auto sas = read_sas();
  if (!sas) return encode_refusal(sas.error());
  Json list = Json::array();
  for (const SaView& sa : *sas) {
    if (group.empty() || sa.group == group) list.push_back(to_json(sa));
  }
  if (list.empty() && !group.empty() && !endpoint_.group(group)) {
    return encode_refusal({kNoSuchGroup, group});
  }
  return encode_reply("sas", list);
}

std::string Agent::show_group(const std::string& name) {
  const auto group = endpoint_.group(name);
  if (!group) return encode_refusal({kNoSuchGroup, name});
  note_usage();
  Json senders = Json::array();
  for (const SenderView& sender : sender_totals_.of(name)) senders.push_back(to_json(sender));
  Json view = to_json(*group);
  view["senders"] = std::move(senders);
  return encode_reply("group", view);
}

std::string Agent::create_group(const CreateGroupRequest& request) {
  return answer_order(endpoint_.handle_command(now(), {request.token, request.members}));
}

std::string Agent::order_group(const OrderRequest& request) {
  return answer_order(endpoint_.handle_order(now(), {request.command, request.token}));
}

std::string Agent::join_group(const JoinGroupRequest& request) {
  SocketAddress controller = request.controller;
  if (controller.port == 0) controller.port = config_.port;
  return answer_order(endpoint_.handle_join(now(), request.name, controller));
}

std::string Agent::answer_order(const Result<GroupId>& taken) {
  drain();
  if (!taken) {
    counters_.count(taken.error().kind);
    report({Report::Level::kWarning, "command-refused", "", "", taken.error().text()});
    return encode_refusal(taken.error());
  }
  for (const auto& group : endpoint_.groups()) {
    if (group.id == *taken) return encode_reply("group", to_json(group));
  }
  return encode_refusal({kNoSuchGroup, to_hex(*taken)});
}

std::string Agent::snapshot(const WatchRequest& watch) const {
  std::string lines = encode_reply("watching", watch.group);
  for (const auto& group : endpoint_.groups()) {
    if (!watch.group.empty() && watch.group != group.name) continue;
    lines += encode_notice("group", to_json(group));
  }
  return lines;
}

Status Agent::status() {
  Status status;
  status.version = kVersion;
  status.host = host_name();
  status.control = config_.control_text();
  status.interface = config_.interface;
  status.certificate_serial = endpoint_.self().certificate.serial();
  status.certificate_not_after = endpoint_.self().certificate.not_after();
  status.crl_number = crl_.number;
  status.crl_this_update = crl_.this_update;
  status.crl_next_update = crl_.next_update;
  status.crl_entries = crl_.entries;
  status.now = now().wall;
  status.clock_trusted = is_clock_trusted(wall_now(), time_floor_);
  status.uptime_s =
      static_cast<std::uint64_t>(std::chrono::floor<seconds>(mono_now() - started_).count());
  auto standing = installer_.standing();
  if (standing) {
    status.kernel_sas = standing->sas;
    status.kernel_policies = standing->policies;
    status.kernel_recorded = standing->recorded;
  } else {
    status.kernel_error = standing.error().text();
  }
  status.kernel_lacks = kernel_lacks_;
  status.kernel_hides_keys = installer_.hides_keys();
  status.groups = endpoint_.groups();
  for (const auto& [name, count] : endpoint_.counters())
    status.counters[std::string(name)] += count;
  for (const auto& [name, count] : counters_.counts()) status.counters[std::string(name)] += count;
  return status;
}

}  // namespace gkmpd::daemon
