#include "agent/crypto/asn1.h"

#include <openssl/objects.h>
#include <openssl/pem.h>

#include <algorithm>
#include <chrono>

namespace gkmpd::crypto::ossl {
namespace {

constexpr int kUtcTimeSize = 13;          // YYMMDDHHMMSSZ
constexpr int kGeneralizedTimeSize = 15;  // YYYYMMDDHHMMSSZ

// What PEM_read_bio_ex allocates. It may have met a private key: all of it is wiped.
struct PemBlock {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;

  PemBlock() = default;
  PemBlock(const PemBlock&) = delete;
  PemBlock& operator=(const PemBlock&) = delete;
  ~PemBlock() {
    OPENSSL_secure_free(name);
    OPENSSL_secure_free(header);
    OPENSSL_secure_clear_free(data, static_cast<std::size_t>(size));
  }
};

}  // namespace

Object object_of(std::string_view dotted) {
  Object object(OBJ_txt2obj(std::string(dotted).c_str(), 1));
  require(object != nullptr);
  return object;
}

ByteView octets_of(const ASN1_STRING* string) {
  return {ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::optional<WallTime> wall_time(const ASN1_TIME* time) {
  if (time == nullptr) return std::nullopt;
  const ByteView text = octets_of(time);
  const int wanted = ASN1_STRING_type(time) == V_ASN1_UTCTIME ? kUtcTimeSize : kGeneralizedTimeSize;
  if (text.size() != static_cast<std::size_t>(wanted) || text.back() != 'Z') return std::nullopt;
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    ERR_clear_error();
    return std::nullopt;
  }
  const std::chrono::year_month_day day{std::chrono::year(parts.tm_year + 1900),
                                        std::chrono::month(static_cast<unsigned>(parts.tm_mon) + 1),
                                        std::chrono::day(static_cast<unsigned>(parts.tm_mday))};
  if (!day.ok()) return std::nullopt;
  return std::chrono::sys_days(day) + std::chrono::hours(parts.tm_hour) +
         std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec);
}

Time asn1_time(WallTime time) {
  Time result(ASN1_TIME_set(nullptr, time.time_since_epoch().count()));
  if (result == nullptr) ERR_clear_error();
  return result;
}

bool is_usable_serial(const ASN1_INTEGER* serial) {
  return ASN1_STRING_type(serial) == V_ASN1_INTEGER && octets_of(serial).size() <= kMaxSerialSize;
}

std::string serial_text(const ASN1_INTEGER* serial) {
  const ByteView octets = octets_of(serial);
  std::string text = octets.empty() ? "00" : to_hex(octets);
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

bool is_our_signature(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  switch (OBJ_obj2nid(object)) {
    case NID_ecdsa_with_SHA256:
    case NID_ecdsa_with_SHA384:
    case NID_ecdsa_with_SHA512:
    case NID_ED25519:
      return true;
    default:
      return false;
  }
}

std::string plain_lower(ByteView text) {
  std::string lower;
  for (const std::uint8_t octet : text) {
    if (octet < 0x20 || octet > 0x7e) return {};
    const char c = static_cast<char>(octet);
    lower.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return lower;
}

bool is_host_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= kMaxCommonName && std::ranges::all_of(text, fits);
}

std::string only_common_name(const X509_NAME* name) {
  const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (index < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, index) >= 0) return {};
  unsigned char* utf8 = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
  if (size < 0) {
    ERR_clear_error();
    return {};
  }
  std::string text = plain_lower({utf8, static_cast<std::size_t>(size)});
  OPENSSL_free(utf8);
  return text;
}

Name common_name(const std::string& text) {
  Name name(X509_NAME_new());
  require(name != nullptr);
  const auto* const octets = reinterpret_cast<const unsigned char*>(text.data());
  require(X509_NAME_add_entry_by_NID(name.get(), NID_commonName, MBSTRING_UTF8, octets,
                                     static_cast<int>(text.size()), -1, 0) == 1);
  return name;
}

Result<std::vector<Bytes>> pem_blocks(std::string_view pem, std::string_view label,
                                      std::size_t most, ErrorKind kind) {
  const Bio bio = reader_of(as_bytes(pem));
  std::vector<Bytes> found;
  while (found.size() < most) {
    PemBlock block;
    if (PEM_read_bio_ex(bio.get(), &block.name, &block.header, &block.data, &block.size,
                        PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE) != 1) {
      const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      if (!at_end) return fail_with_reason(kind, "broken PEM text");
      ERR_clear_error();
      break;
    }
    if (label != block.name) continue;
    found.emplace_back(block.data, block.data + block.size);
  }
  if (found.empty()) return fail(kind, "no \"" + std::string(label) + "\" in this PEM text");
  return found;
}

std::string to_pem(ByteView der, const char* label) {
  const Bio sink(BIO_new(BIO_s_mem()));
  require(sink != nullptr);
  require(PEM_write_bio(sink.get(), label, "", der.data(), static_cast<long>(der.size())) > 0);
  return std::string(as_text(written(sink)));
}

}  // namespace gkmpd::crypto::ossl
