#include "agent/ctl/pki_show.h"

#include <cstdio>

#include "agent/ctl/pki_manager.h"

namespace gkmpd::ctl {
namespace {

template <typename Names>
std::string joined(const Names& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out.empty() ? "none" : out;
}

std::string line(const char* label, const std::string& value) {
  return std::string(label) + ": " + value + "\n";
}

std::string permissions_of(const crypto::Certificate& certificate) {
  const auto extension = certificate.extension(crypto::oid_permissions());
  if (!extension) return line("permissions", certificate.is_ca() ? "not limited" : "none");
  const auto permissions = identity::decode_permissions(extension->value);
  if (!permissions) return line("permissions", permissions.error().text());
  return "permissions:\n" + to_text(*permissions);
}

}  // namespace

std::string to_text(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

std::string to_text(const identity::Permissions& permissions) {
  std::vector<std::string_view> roles;
  for (const identity::Role role : permissions.roles) roles.push_back(identity::to_text(role));
  return line("  level", std::to_string(permissions.level)) +
         line("  categories", joined(permissions.categories)) + line("  roles", joined(roles)) +
         line("  groups", joined(permissions.groups));
}

std::string to_text(const crypto::Certificate& certificate) {
  std::vector<std::string> addresses;
  for (const IpAddress& address : certificate.addresses()) addresses.push_back(address.text());
  std::string text = line(certificate.is_ca() ? "security manager" : "host", certificate.name());
  text += line("serial", certificate.serial());
  text +=
      line("valid", to_text(certificate.not_before()) + " to " + to_text(certificate.not_after()));
  text += line("key", std::string(crypto::to_text(certificate.public_key().type())) + " " +
                          to_hex(certificate.public_key().fingerprint()));
  text += line("addresses", joined(addresses));
  return text + permissions_of(certificate);
}

std::string to_text(const crypto::CertificateRequest& request) {
  return line("request of", request.name()) +
         line("key", std::string(crypto::to_text(request.public_key().type())) + " " +
                         to_hex(request.public_key().fingerprint())) +
         line("fingerprint", fingerprint_of(request));
}

std::string to_text(const crypto::Crl& list) {
  std::string text = line("revocation list", std::to_string(list.number()));
  text += line("made", to_text(list.this_update()));
  text += line("next by", list.next_update() ? to_text(*list.next_update()) : "not said");
  return text + line("revoked certificates", std::to_string(list.entry_count()));
}

Result<std::string> describe(const std::string& pem) {
  const auto has = [&](const char* label) {
    return pem.find(std::string("-----BEGIN ") + label + "-----") != std::string::npos;
  };
  if (has("CERTIFICATE REQUEST")) {
    return crypto::CertificateRequest::from_pem(pem).map(
        [](const auto& it) { return to_text(it); });
  }
  if (has("X509 CRL")) {
    return crypto::Crl::from_pem(pem).map([](const auto& it) { return to_text(it); });
  }
  if (!has("CERTIFICATE")) {
    return fail(kUnknownFile, "not a certificate, request or revocation list in PEM");
  }
  return crypto::Certificate::all_from_pem(pem).map([](const auto& chain) {
    std::string text;
    for (const crypto::Certificate& certificate : chain) {
      text += (text.empty() ? "" : "\n") + to_text(certificate);
    }
    return text;
  });
}

}  // namespace gkmpd::ctl
