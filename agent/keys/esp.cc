#include "agent/keys/esp.h"

#include "agent/keys/errors.h"

namespace gkmpd::keys {
namespace {

constexpr std::string_view kEspLabel{"GKMP/1 esp\0", 11};
constexpr std::string_view kSharedLabel{"GKMP/1 esp-shared\0", 18};

}  // namespace

Result<std::uint32_t> spi(std::uint8_t prefix, const EpochTuple& tuple, std::uint16_t sender_id) {
  if (prefix == 0) return fail(kSpiField, "SPI prefix 0 is reserved");
  if (tuple.rank > kMaxSpiRank) return fail(kSpiField, "a rank above 15 has no place in an SPI");
  return static_cast<std::uint32_t>(prefix) << 24 | static_cast<std::uint32_t>(tuple.rank) << 20 |
         (tuple.epoch % 16) << 16 | sender_id;
}

EspKeys::EspKeys(crypto::Hash hash, const Secret& gtek, const Digest& statement_hash)
    : hash_(hash), root_(crypto::hkdf_extract(hash, statement_hash, gtek)) {}

Secret EspKeys::sender_key(xfrm::EspSuite suite, std::uint32_t spi, std::uint16_t sender_id) const {
  Bytes fields;
  fields.push_back(static_cast<std::uint8_t>(suite));
  append_u32(fields, spi);
  append_u16(fields, sender_id);
  return crypto::hkdf_expand(hash_, root_, {as_bytes(kEspLabel), fields},
                             xfrm::key_material_size(suite));
}

Secret EspKeys::shared_key(xfrm::EspSuite suite, std::uint32_t spi) const {
  Bytes fields;
  fields.push_back(static_cast<std::uint8_t>(suite));
  append_u32(fields, spi);
  return crypto::hkdf_expand(hash_, root_, {as_bytes(kSharedLabel), fields},
                             xfrm::key_material_size(suite));
}

}  // namespace gkmpd::keys
