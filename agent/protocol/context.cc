#include "agent/protocol/context.h"

#include <algorithm>

#include "agent/protocol/errors.h"

namespace gkmpd::protocol {
namespace {

/// The other group's data is all or part of what the policy's would be, or the reverse.
bool is_same_traffic(const identity::GroupPolicy& policy, const GroupAddresses& other) {
  return policy.address == other.data && policy.protocol == other.protocol &&
         (policy.port == other.port || policy.port == 0 || other.port == 0);
}

/// What two groups on one host must not share.
Result<void> check_apart(const identity::GroupPolicy& policy, const GroupAddresses& other) {
  if (policy.address == other.control || is_same_traffic(policy, other)) {
    return fail(kAddressTaken, policy.address.text() + " is an address of group " + other.name +
                                   " already: give the group one of its own, or each of the two "
                                   "a port of its own");
  }
  if (policy.address == other.data && policy.spi_prefix == other.spi_prefix) {
    return fail(kSpiPrefixTaken, "group " + other.name + " has SPI prefix " +
                                     std::to_string(other.spi_prefix) + " on " +
                                     policy.address.text() +
                                     " already: give each group on an address its own");
  }
  if (policy.control_address == other.data) {
    return fail(kAddressTaken, policy.control_address.text() + " carries the data of group " +
                                   other.name + " already: give the group another for control");
  }
  return {};
}

}  // namespace

void Outbox::report(Report report) {
  if (queued_reports_ >= kMaxQueuedReports) {
    count(kReportsDropped);
    return;
  }
  ++queued_reports_;
  events_.push_back(std::move(report));
}

std::optional<Transmit> Outbox::next_transmit() {
  if (transmits_.empty()) return std::nullopt;
  Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

std::optional<Event> Outbox::next_event() {
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  if (std::holds_alternative<Report>(event)) --queued_reports_;
  return event;
}

const GroupFloor* Context::floor(const GroupId& group) const {
  const auto found = floors.find(group);
  return found == floors.end() ? nullptr : &found->second;
}

const IpAddress* Context::own_address(IpFamily family) const {
  return find_family(config.addresses, family);
}

Result<void> Context::check_addresses_free(const identity::GroupToken& token) const {
  for (const auto* held : {&addresses, &former_addresses}) {
    for (const auto& [id, other] : *held) {
      if (id == token.group_id) continue;
      if (auto apart = check_apart(token.policy, other); !apart) return apart;
    }
  }
  return {};
}

void Context::take_addresses(const identity::GroupToken& token) {
  const identity::GroupPolicy& policy = token.policy;
  const auto held = addresses.find(token.group_id);
  if (held != addresses.end()) former_addresses.insert_or_assign(token.group_id, held->second);
  addresses[token.group_id] = {policy.group, policy.address,    policy.protocol,
                               policy.port,  policy.spi_prefix, policy.control_address};
}

std::vector<wire::CrlNumber> Context::crl_numbers() const {
  std::vector<wire::CrlNumber> numbers;
  for (const identity::CrlVersion& version : config.trust.crl_versions()) {
    numbers.push_back({version.issuer_key_hash, version.number});
  }
  return numbers;
}

std::vector<Bytes> Context::certificate_chain() const {
  std::vector<Bytes> chain{config.certificate.der()};
  for (const crypto::Certificate& certificate : config.intermediates) {
    chain.push_back(certificate.der());
  }
  return chain;
}

SaveId Context::save(const GroupId& group, std::string group_name, const GroupFloor& floor) {
  const SaveId id = next_id++;
  out.event(SaveFloor{id, group, std::move(group_name), floor});
  return id;
}

bool note_crls(Context& context, const std::vector<wire::CrlNumber>& theirs) {
  const auto ours = context.crl_numbers();
  const bool newer = std::ranges::any_of(theirs, [&](const wire::CrlNumber& their) {
    return std::ranges::any_of(ours, [&](const wire::CrlNumber& our) {
      return our.issuer_key_hash == their.issuer_key_hash && their.number > our.number;
    });
  });
  if (newer) context.out.count(kPeerCrlNewer);
  return newer;
}

const IpAddress* find_family(const std::vector<IpAddress>& addresses, IpFamily family) {
  const auto found = std::ranges::find(addresses, family, &IpAddress::family);
  return found == addresses.end() ? nullptr : &*found;
}

void keep_earlier(std::optional<MonoTime>& earliest, std::optional<MonoTime> candidate) {
  if (candidate && (!earliest || *candidate < *earliest)) earliest = candidate;
}

}  // namespace gkmpd::protocol
