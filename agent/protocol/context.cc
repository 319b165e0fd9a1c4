#include "agent/protocol/context.h"

#include <algorithm>

#include "agent/protocol/errors.h"

namespace gkmpd::protocol {

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

bool has_newer_crl(const std::vector<wire::CrlNumber>& theirs,
                   const std::vector<wire::CrlNumber>& ours) {
  return std::ranges::any_of(theirs, [&](const wire::CrlNumber& their) {
    return std::ranges::any_of(ours, [&](const wire::CrlNumber& our) {
      return our.issuer_key_hash == their.issuer_key_hash && their.number > our.number;
    });
  });
}

void keep_earlier(std::optional<MonoTime>& earliest, std::optional<MonoTime> candidate) {
  if (candidate && (!earliest || *candidate < *earliest)) earliest = candidate;
}

}  // namespace gkmpd::protocol
