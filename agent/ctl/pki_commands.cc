#include "agent/ctl/pki_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "agent/ctl/pki_manager.h"
#include "agent/ctl/pki_show.h"
#include "agent/daemon/files.h"
#include "agent/identity/names.h"

namespace gkmpd::ctl {
namespace {

constexpr std::size_t kMaxShown = 16 * 1024 * 1024;

/// What the subcommands' options are read into; one object serves them all, as only one runs.
struct Options {
  std::string directory;
  std::string name;
  std::string key_type = "p256";
  std::string key_file;
  std::string out;
  std::string file;
  std::string fingerprint;
  std::string serial;
  unsigned level = 0;
  std::vector<std::string> categories;
  std::vector<std::string> roles = {"member"};
  std::vector<std::string> groups;
  std::vector<std::string> addresses;
  unsigned days = 0;
  bool force = false;

  [[nodiscard]] Overwrite overwrite() const {
    return force ? Overwrite::kAllowed : Overwrite::kNever;
  }
};

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

Result<void> init(const Options& options) {
  auto type = crypto::key_type_from_text(options.key_type);
  if (!type) return pass_on(type);
  auto manager = SecurityManager::make(options.directory, options.name, *type, options.days,
                                       options.overwrite(), wall_clock());
  if (!manager) return pass_on(manager);
  print(to_text(manager->anchor()));
  print("Give anchor.pem and crl.pem of " + options.directory +
        " to every host. Keep anchor.key: who has it can admit anybody.\n");
  return {};
}

Result<void> csr(const Options& options) {
  if (!identity::is_valid_name(options.name)) {
    return fail(kBadRequestName, "a host's name is at most 64 of a-z 0-9 . - _");
  }
  for (const std::string& path : {options.key_file, options.out}) {
    if (auto writable = check_writable(path, options.overwrite()); !writable) return writable;
  }
  auto type = crypto::key_type_from_text(options.key_type);
  if (!type) return pass_on(type);
  auto key = crypto::PrivateKey::generate(*type);
  if (!key) return pass_on(key);
  auto request = crypto::CertificateRequest::make(*key, options.name);
  if (!request) return pass_on(request);
  auto wrote = write_private_file(options.key_file, key->to_pem(), options.overwrite());
  if (wrote) wrote = write_file(options.out, as_bytes(request->to_pem()), options.overwrite());
  if (wrote) print(to_text(*request));
  return wrote;
}

Result<IssueOrder> order_from(const Options& options) {
  IssueOrder order;
  auto request = daemon::read_text_file(options.file, kMaxShown);
  if (!request) return pass_on(request);
  order.request_pem = std::move(*request);
  order.confirmed_fingerprint = options.fingerprint;
  order.permissions.level = static_cast<std::uint8_t>(options.level);
  order.permissions.categories = {options.categories.begin(), options.categories.end()};
  order.permissions.groups = options.groups;
  for (const std::string& text : options.roles) {
    auto role = identity::role_from_text(text);
    if (!role) return fail(kBadPermissionsAsked, "\"" + text + "\" is " + role.error().detail);
    order.permissions.roles.insert(*role);
  }
  for (const std::string& text : options.addresses) {
    const auto address = IpAddress::parse(text);
    if (!address) return fail(kBadPermissionsAsked, "\"" + text + "\" is not an IP address");
    order.addresses.push_back(*address);
  }
  order.days = options.days;
  return order;
}

Result<void> issue(const Options& options) {
  if (auto writable = check_writable(options.out, options.overwrite()); !writable) return writable;
  auto order = order_from(options);
  if (!order) return pass_on(order);
  auto manager = SecurityManager::open(options.directory);
  if (!manager) return pass_on(manager);
  auto certificate = manager->issue(*order, wall_clock());
  if (!certificate) return pass_on(certificate);
  auto wrote = write_file(options.out, as_bytes(certificate->to_pem()), options.overwrite());
  if (wrote) print(to_text(*certificate));
  return wrote;
}

Result<void> revoke(const Options& options) {
  std::string serial = options.serial;
  auto manager = SecurityManager::open(options.directory);
  if (!manager) return pass_on(manager);
  if (!options.file.empty()) {
    auto pem = daemon::read_text_file(options.file, kMaxShown);
    if (!pem) return pass_on(pem);
    auto certificate = crypto::Certificate::from_pem(*pem);
    if (!certificate) return pass_on(certificate);
    serial = certificate->serial();
  }
  auto list = manager->revoke(serial, wall_clock());
  if (!list) return pass_on(list);
  print(to_text(*list));
  print("Give the new crl.pem to every host.\n");
  return {};
}

Result<void> crl(const Options& options) {
  if (!options.out.empty()) {
    auto writable = check_writable(options.out, options.overwrite());
    if (!writable) return writable;
  }
  auto manager = SecurityManager::open(options.directory);
  if (!manager) return pass_on(manager);
  auto list = manager->make_list(options.days, wall_clock());
  if (!list) return pass_on(list);
  if (!options.out.empty()) {
    auto wrote = write_file(options.out, as_bytes(list->to_pem()), options.overwrite());
    if (!wrote) return wrote;
  }
  print(to_text(*list));
  return {};
}

Result<void> show(const Options& options) {
  auto pem = daemon::read_text_file(options.file, kMaxShown);
  if (!pem) return pass_on(pem);
  auto text = describe(*pem);
  if (!text) return pass_on(text);
  print(*text);
  return {};
}

using Shared = std::shared_ptr<Options>;

/// A subcommand whose callback runs `work` on the options it shares with the callback.
CLI::App* add(CLI::App& pki, const char* name, const char* what, int& exit_code,
              const Shared& options, Result<void> (*work)(const Options&)) {
  CLI::App* command = pki.add_subcommand(name, what);
  command->callback([options, work, &exit_code] { exit_code = finish(work(*options)); });
  return command;
}

void add_directory(CLI::App* command, const Shared& options) {
  command->add_option("--dir", options->directory, "directory of the security manager")->required();
}
void add_days(CLI::App* command, const Shared& options, unsigned days) {
  command->add_option("--days", options->days, "days of validity")
      ->default_val(days)
      ->check(CLI::Range(1U, kMaxDays));
}
void add_force(CLI::App* command, const Shared& options) {
  command->add_flag("--force", options->force, "replace files that exist");
}
void add_key_type(CLI::App* command, const Shared& options) {
  command->add_option("--key-type", options->key_type, "p256, p384 or ed25519")
      ->capture_default_str();
}

void add_init(CLI::App& pki, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = add(pki, "init", "make a security manager", exit_code, options, init);
  add_directory(command, options);
  command->add_option("--name", options->name, "its name")->required();
  add_key_type(command, options);
  add_days(command, options, kDefaultAnchorDays);
  add_force(command, options);
}

void add_csr(CLI::App& pki, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = add(pki, "csr", "make a host's key and request", exit_code, options, csr);
  command->add_option("--name", options->name, "the host's name")->required();
  command->add_option("--key", options->key_file, "where the private key goes")->required();
  command->add_option("--out", options->out, "where the request goes")->required();
  add_key_type(command, options);
  add_force(command, options);
}

void add_issue(CLI::App& pki, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      add(pki, "issue", "issue a certificate on a confirmed request", exit_code, options, issue);
  add_directory(command, options);
  command->add_option("--csr", options->file, "the host's request")->required();
  command
      ->add_option("--fingerprint", options->fingerprint,
                   "the request's fingerprint, confirmed with the host's operator")
      ->required();
  command->add_option("--level", options->level, "classification level, 0 to 255")
      ->required()
      ->check(CLI::Range(0U, 255U));
  command->add_option("--category", options->categories, "category; may be given several times");
  command->add_option("--role", options->roles,
                      "member (the default), sender, controller, distributor or commander; may be "
                      "given several times");
  command->add_option("--group", options->groups,
                      "group that the host may control or command, or \"*\"; may be given several "
                      "times");
  command->add_option("--address", options->addresses, "IP address of the host");
  add_days(command, options, kDefaultHostDays);
  command->add_option("--out", options->out, "where the certificate goes")->required();
  add_force(command, options);
}

void add_revoke(CLI::App& pki, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      add(pki, "revoke", "revoke a certificate and make a new list", exit_code, options, revoke);
  add_directory(command, options);
  CLI::Option_group* which = command->add_option_group("which");
  which->add_option("--serial", options->serial, "its serial number, hexadecimal");
  which->add_option("--cert", options->file, "its file");
  which->require_option(1);
}

void add_crl(CLI::App& pki, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      add(pki, "crl", "make a fresh revocation list of the next number", exit_code, options, crl);
  add_directory(command, options);
  add_days(command, options, kDefaultListDays);
  command->add_option("--out", options->out, "another place for the list, beside crl.pem");
  add_force(command, options);
}

void add_show(CLI::App& pki, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      add(pki, "show", "tell what a certificate, request or list says", exit_code, options, show);
  command->add_option("file", options->file, "PEM file")->required();
}

}  // namespace

int finish(const Result<void>& result) {
  if (result) return 0;
  std::fprintf(stderr, "gkmpctl: %s\n", result.error().text().c_str());
  return 1;
}

void add_pki_commands(CLI::App& app, int& exit_code) {
  CLI::App* pki = app.add_subcommand("pki", "be the security manager, or ask one");
  pki->require_subcommand(1);
  add_init(*pki, exit_code);
  add_csr(*pki, exit_code);
  add_issue(*pki, exit_code);
  add_revoke(*pki, exit_code);
  add_crl(*pki, exit_code);
  add_show(*pki, exit_code);
}

}  // namespace gkmpd::ctl
