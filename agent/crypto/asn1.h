// Small conversions between OpenSSL's ASN.1 types and ours, for sources of this directory.
#pragma once

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/time.h"
#include "agent/crypto/openssl.h"

namespace gkmpd::crypto::ossl {

struct X509StackFreer {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
struct X509StackAllFreer {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};

using Object = std::unique_ptr<ASN1_OBJECT, Freer<ASN1_OBJECT_free>>;
using Integer = std::unique_ptr<ASN1_INTEGER, Freer<ASN1_INTEGER_free>>;
using OctetString = std::unique_ptr<ASN1_OCTET_STRING, Freer<ASN1_OCTET_STRING_free>>;
using Time = std::unique_ptr<ASN1_TIME, Freer<ASN1_TIME_free>>;
using X509Pointer = std::unique_ptr<X509, Freer<X509_free>>;
using CrlPointer = std::unique_ptr<X509_CRL, Freer<X509_CRL_free>>;
using RequestPointer = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;
using ExtendedUsage = std::unique_ptr<EXTENDED_KEY_USAGE, Freer<EXTENDED_KEY_USAGE_free>>;
using GeneralNames = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
using GeneralName = std::unique_ptr<GENERAL_NAME, Freer<GENERAL_NAME_free>>;
/// A stack that does not own, and one that does own, its certificates.
using X509Stack = std::unique_ptr<STACK_OF(X509), X509StackFreer>;
using OwningX509Stack = std::unique_ptr<STACK_OF(X509), X509StackAllFreer>;

/// The object with this dotted identifier. Never null: only constants of ours come here, or text of
/// a caller that is known to be one.
[[nodiscard]] Object object_of(std::string_view dotted);

[[nodiscard]] ByteView octets_of(const ASN1_STRING* string);

/// Nothing unless it is a time as RFC 5280 wants it: to the second, in UTC.
[[nodiscard]] std::optional<WallTime> wall_time(const ASN1_TIME* time);
/// Null if the year does not fit in four digits.
[[nodiscard]] Time asn1_time(WallTime time);

/// True for a serial number that we take: not negative, at most kMaxSerialSize octets.
inline constexpr std::size_t kMaxSerialSize = 20;
[[nodiscard]] bool is_usable_serial(const ASN1_INTEGER* serial);
/// Upper-case hexadecimal, as `openssl x509 -serial` prints it.
[[nodiscard]] std::string serial_text(const ASN1_INTEGER* serial);

/// True for a signature algorithm that our keys make with a strong hash.
[[nodiscard]] bool is_our_signature(const X509_ALGOR* algorithm);

/// `text` in lower case if it is not empty and printable ASCII all through, else "".
[[nodiscard]] std::string plain_lower(ByteView text);
/// X.520's upper bound of a common name, and ours of a host's name; octets.
inline constexpr std::size_t kMaxCommonName = 64;
/// 1 to 64 letters, digits, dots, hyphens and underscores.
[[nodiscard]] bool is_host_name(std::string_view text);
/// The only common name of `name`, plain and lower case; "" if there is none or several.
[[nodiscard]] std::string only_common_name(const X509_NAME* name);
/// A name of one common name.
using Name = std::unique_ptr<X509_NAME, Freer<X509_NAME_free>>;
[[nodiscard]] Name common_name(const std::string& text);

/// DER contents of the PEM blocks called `label`, in order, at most `most`; other kinds of block
/// are passed over. `kind` if a block is broken or there is none.
[[nodiscard]] Result<std::vector<Bytes>> pem_blocks(std::string_view pem, std::string_view label,
                                                    std::size_t most, ErrorKind kind);
[[nodiscard]] std::string to_pem(ByteView der, const char* label);

}  // namespace gkmpd::crypto::ossl
