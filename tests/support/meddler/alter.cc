#include "tests/support/meddler/alter.h"

#include <algorithm>
#include <array>

#include "agent/wire/header.h"
#include "agent/wire/messages.h"

namespace gkmpd::meddler {
namespace {

struct Region {
  const char* name;
  std::size_t at;
  std::size_t octets;
};

/// docs/PROTOCOL.md, "Header".
constexpr std::array<Region, 13> kHeaderRegions{{{"magic", 0, 2},
                                                 {"version", 2, 1},
                                                 {"suite", 3, 1},
                                                 {"type", 4, 1},
                                                 {"role", 5, 1},
                                                 {"flags", 6, 1},
                                                 {"reserved", 7, 1},
                                                 {"exchange-id", 8, 8},
                                                 {"group-id", 16, 16},
                                                 {"message-number", 32, 4},
                                                 {"fragment-index", 36, 1},
                                                 {"fragment-count", 37, 1},
                                                 {"reserved-end", 38, 2}}};
constexpr std::size_t kGroupAt = 16;
constexpr std::size_t kGroupOctets = 16;
/// Tag and length of the first item, if in clear.
constexpr std::size_t kItemHeader = 4;

/// Where the tag of the seal, or the signature's value, begins in the body.
std::size_t proof_at(const wire::Datagram& datagram) {
  if (wire::is_sealed(datagram.header.type)) return datagram.body.size() - wire::kSealOverhead;
  return wire::unsigned_size(datagram.body) + kItemHeader;
}

/// The regions behind the header.
std::vector<Region> body_regions(ByteView octets) {
  const auto datagram = wire::decode_datagram(octets);
  if (!datagram) return {};
  const std::size_t body = wire::kHeaderSize;
  const std::size_t proof = body + proof_at(*datagram);
  const std::size_t proof_size = octets.size() - proof;
  const bool sealed = wire::is_sealed(datagram->header.type);
  std::vector<Region> regions;
  if (proof > body) {
    const std::size_t start = std::min(kItemHeader, proof - body);
    const std::size_t middle = body + (proof - body) / 2;
    regions.push_back({"body-start", body, start});
    regions.push_back({"body-first-half", body, middle - body + 1});
    regions.push_back({"body-second-half", middle, proof - middle});
    regions.push_back({"body-end", proof - 1, 1});
  }
  regions.push_back({sealed ? "tag" : "signature", proof, proof_size});
  regions.push_back({sealed ? "tag-end" : "signature-end", octets.size() - 1, 1});
  return regions;
}

Altered flipped(ByteView datagram, const Region& region, const Draw& draw) {
  Altered altered{region.name, to_bytes(datagram)};
  const std::size_t bit = draw(region.octets * 8);
  std::uint8_t& octet = altered.octets[region.at + bit / 8];
  octet = static_cast<std::uint8_t>(octet ^ (1U << (bit % 8)));
  return altered;
}

Bytes joined(ByteView first, ByteView second) {
  Bytes out = to_bytes(first);
  append(out, second);
  return out;
}

}  // namespace

std::vector<Altered> tampered(ByteView datagram, const Draw& draw) {
  std::vector<Altered> out;
  for (const Region& region : kHeaderRegions) out.push_back(flipped(datagram, region, draw));
  for (const Region& region : body_regions(datagram)) {
    out.push_back(flipped(datagram, region, draw));
  }
  return out;
}

std::vector<Altered> truncated(ByteView datagram) {
  const std::size_t whole = datagram.size();
  std::vector<Altered> out;
  const auto cut = [&](const char* how, std::size_t left) {
    if (left < whole) out.push_back({how, to_bytes(datagram.first(left))});
  };
  cut("cut-to-nothing", 0);
  cut("cut-to-one-octet", 1);
  cut("cut-in-header", wire::kHeaderSize - 1);
  cut("cut-to-header", wire::kHeaderSize);
  cut("cut-in-first-item", wire::kHeaderSize + kItemHeader - 1);
  cut("cut-to-tag", wire::kHeaderSize + wire::kSealOverhead);
  cut("cut-to-half", whole / 2);
  cut("cut-by-tag", whole - wire::kSealOverhead);
  cut("cut-by-one-octet", whole - 1);
  return out;
}

std::vector<Altered> grafted(ByteView datagram, ByteView others) {
  Bytes renamed = to_bytes(datagram);
  std::copy_n(others.begin() + kGroupAt, kGroupOctets, renamed.begin() + kGroupAt);
  return {
      {"other-group-id", std::move(renamed)},
      {"other-header",
       joined(others.first(wire::kHeaderSize), datagram.subspan(wire::kHeaderSize))},
      {"other-body", joined(datagram.first(wire::kHeaderSize), others.subspan(wire::kHeaderSize))}};
}

}  // namespace gkmpd::meddler
