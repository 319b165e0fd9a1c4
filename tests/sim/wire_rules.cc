#include "tests/sim/wire_rules.h"

#include <algorithm>

#include "agent/crypto/hash.h"
#include "agent/wire/header.h"

namespace gkmpd::sim {

SecretSearch::SecretSearch(const std::vector<Bytes>& secrets) : first_two_(1U << 16) {
  for (const Bytes& secret : secrets) {
    add(secret);
    const std::string text = to_hex(secret);
    add(as_bytes(text));
  }
}

void SecretSearch::add(ByteView pattern) {
  ByteArray<kPrefix> prefix{};
  std::ranges::copy(pattern.first(kPrefix), prefix.begin());
  first_two_[static_cast<std::size_t>(prefix[0]) << 8 | prefix[1]] = true;
  prefixes_.insert(prefix);
}

bool SecretSearch::found_in(ByteView octets) const {
  for (std::size_t at = 0; at + kPrefix <= octets.size(); ++at) {
    if (!first_two_[static_cast<std::size_t>(octets[at]) << 8 | octets[at + 1]]) continue;
    ByteArray<kPrefix> here{};
    std::ranges::copy(octets.subspan(at, kPrefix), here.begin());
    if (prefixes_.contains(here)) return true;
  }
  return false;
}

void WireRules::on_transmit(MonoTime now, HostIndex host, unsigned incarnation,
                            const protocol::Transmit& transmit) {
  const Digest digest = crypto::sha256({transmit.octets});
  if (known_.insert(digest).second) sent_.push_back({host, transmit.to, transmit.octets});
  if (transmit.octets.size() > wire::kMaxDatagram) {
    findings_.add(now, host, "datagram-size", std::to_string(transmit.octets.size()));
    return;
  }
  const auto datagram = wire::decode_datagram(transmit.octets);
  if (!datagram) {
    findings_.add(now, host, "datagram-form", datagram.error().text());
    return;
  }
  const wire::Header& header = datagram->header;
  ++counts_[header.type];
  if (wire::is_multicast(header.type) != transmit.to.ip.is_multicast()) {
    findings_.add(now, host, "datagram-form",
                  std::string(wire::to_text(header.type)) + " to " + transmit.to.text());
  }
  if (!wire::is_sealed(header.type)) return;
  const Place place{host,
                    incarnation,
                    header.exchange,
                    static_cast<std::uint8_t>(header.role),
                    header.message_number,
                    header.fragment_index};
  if (ciphertexts_.try_emplace(place, digest).first->second != digest) {
    findings_.add(now, host, "nonce-reuse", std::string(wire::to_text(header.type)));
  }
}

void WireRules::on_report(HostIndex host, const protocol::Report& report) {
  reports_.emplace_back(host,
                        report.what + " " + report.group + " " + report.peer + " " + report.detail);
}

void WireRules::at_end(MonoTime now, const std::vector<Bytes>& secrets) {
  const SecretSearch search(secrets);
  for (const Sent& sent : sent_) {
    if (search.found_in(sent.octets)) {
      findings_.add(now, sent.host, "secret-shown", "in a datagram to " + sent.to.text());
    }
  }
  for (const auto& [host, text] : reports_) {
    if (search.found_in(as_bytes(text))) {
      findings_.add(now, host, "secret-shown", "in a report");
    }
  }
}

}  // namespace gkmpd::sim
