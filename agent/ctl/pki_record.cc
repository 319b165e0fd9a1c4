#include "agent/ctl/pki_record.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/ctl/pki_files.h"
#include "agent/daemon/files.h"

namespace gkmpd::ctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxRecord = 256 * 1024 * 1024;

Json to_json(const IssuedCertificate& certificate) {
  Json roles = Json::array();
  for (const identity::Role role : certificate.permissions.roles) {
    roles.push_back(std::string(identity::to_text(role)));
  }
  return {{"event", "issued"},
          {"serial", certificate.serial},
          {"name", certificate.name},
          {"level", certificate.permissions.level},
          {"categories", certificate.permissions.categories},
          {"roles", roles},
          {"groups", certificate.permissions.groups},
          {"request_fingerprint", certificate.request_fingerprint},
          {"issued_at", to_unix(certificate.issued_at)},
          {"not_after", to_unix(certificate.not_after)}};
}

/// Throws what nlohmann-json throws; replay() catches it.
IssuedCertificate issued_from(const Json& line) {
  IssuedCertificate certificate;
  certificate.serial = line.at("serial").get<std::string>();
  certificate.name = line.at("name").get<std::string>();
  certificate.permissions.level = line.at("level").get<std::uint8_t>();
  certificate.permissions.categories = line.at("categories").get<std::set<std::string>>();
  for (const Json& text : line.at("roles")) {
    const auto role = identity::role_from_text(text.get<std::string>());
    if (role) certificate.permissions.roles.insert(*role);
  }
  certificate.permissions.groups = line.at("groups").get<std::vector<std::string>>();
  certificate.request_fingerprint = line.at("request_fingerprint").get<std::string>();
  certificate.issued_at = from_unix(line.at("issued_at").get<std::uint64_t>());
  certificate.not_after = from_unix(line.at("not_after").get<std::uint64_t>());
  return certificate;
}

}  // namespace

Result<Record> Record::load(const std::string& path) {
  auto text = daemon::read_text_file(path, kMaxRecord);
  if (!text) return pass_on(text);
  Record record(path);
  std::size_t number = 0;
  for (std::size_t start = 0; start < text->size(); ++number) {
    const std::size_t end = text->find('\n', start);
    // A line without its end was being written when the machine stopped.
    const bool whole = end != std::string::npos;
    if (!whole || !record.replay(text->substr(start, end - start))) {
      return fail(kBadRecord, path + ", line " + std::to_string(number + 1) +
                                  " cannot be read; if it is an unfinished last line, remove it, "
                                  "else restore the file from a copy");
    }
    start = end + 1;
  }
  return record;
}

Result<void> Record::replay(const std::string& line) {
  try {
    const Json json = Json::parse(line);
    const std::string event = json.at("event").get<std::string>();
    if (event == "issued") {
      issued_.push_back(issued_from(json));
    } else if (event == "revoked") {
      revoked_.push_back({json.at("serial").get<std::string>(),
                          from_unix(json.at("revoked_at").get<std::uint64_t>())});
    } else if (event == "list") {
      last_list_number_ = std::max(last_list_number_, json.at("number").get<std::uint64_t>());
    } else {
      return fail(kBadRecord, "unknown event");
    }
  } catch (const nlohmann::json::exception&) {
    return fail(kBadRecord, "not a line of the record");
  }
  return {};
}

const IssuedCertificate* Record::find(const std::string& serial) const {
  const auto found = std::ranges::find(issued_, serial, &IssuedCertificate::serial);
  return found == issued_.end() ? nullptr : &*found;
}

bool Record::is_revoked(const std::string& serial) const {
  return std::ranges::find(revoked_, serial, &crypto::RevokedEntry::serial) != revoked_.end();
}

Result<void> Record::add_issued(const IssuedCertificate& certificate) {
  auto added = append_line(path_, to_json(certificate).dump());
  if (added) issued_.push_back(certificate);
  return added;
}

Result<void> Record::add_revoked(const crypto::RevokedEntry& entry) {
  const Json line = {
      {"event", "revoked"}, {"serial", entry.serial}, {"revoked_at", to_unix(entry.revoked_at)}};
  auto added = append_line(path_, line.dump());
  if (added) revoked_.push_back(entry);
  return added;
}

Result<std::uint64_t> Record::take_list_number(WallTime now) {
  const std::uint64_t number = next_list_number();
  const Json line = {{"event", "list"}, {"number", number}, {"made_at", to_unix(now)}};
  auto added = append_line(path_, line.dump());
  if (!added) return pass_on(added);
  last_list_number_ = number;
  return number;
}

}  // namespace gkmpd::ctl
