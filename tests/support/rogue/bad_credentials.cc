// bad-credentials: writes all that is tried in vain against hosts of one security manager, as
// files, and a table of it as tries.json.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/crypto/random.h"
#include "tests/support/rogue/files.h"
#include "tests/support/rogue/tries.h"

namespace gkmpd::rogue {
namespace {

using Json = nlohmann::ordered_json;

struct Settings {
  Path manager;
  Path out;
  Path revoked;
  std::string controller;
  std::string group;
  std::vector<std::string> senders;
  std::uint16_t port = 8480;
};

WallTime wall_now() { return std::chrono::floor<seconds>(std::chrono::system_clock::now()); }

Setting setting_of(const Settings& settings) {
  Setting setting;
  setting.now = wall_now();
  setting.controller = settings.controller;
  setting.policy.group = settings.group;
  setting.policy.senders = settings.senders;
  setting.policy.control_port = settings.port;
  return setting;
}

Json to_json(const Expected& expected) {
  return {{"error", expected.error.name()}, {"told", expected.told}};
}

Json to_json(const std::optional<Expected>& expected) {
  return expected ? to_json(*expected) : Json(nullptr);
}

Json write_faces(const Tries& tries, const Path& out) {
  Json list = Json::array();
  for (const FaceTry& one : tries.faces()) {
    write_host(out, one.name, one.face.certificate, one.face.key);
    list.push_back({{"name", one.name},
                    {"as_member", to_json(one.as_member)},
                    {"as_controller", to_json(one.as_controller)},
                    {"claims_key", one.face.claimed_key.has_value()}});
  }
  return list;
}

const char* to_text(AgentTry::Trust trust) {
  switch (trust) {
    case AgentTry::Trust::kCommon:
      return "common";
    case AgentTry::Trust::kOldList:
      return "old-list";
    case AgentTry::Trust::kOwnManager:
      return "own-manager";
  }
  return "";
}

Json write_agents(const Tries& tries, const Path& out) {
  Json list = Json::array();
  for (const AgentTry& one : tries.agents()) {
    write_host(out, one.name, one.face.certificate, one.face.key);
    list.push_back({{"name", one.name},
                    {"trust", to_text(one.trust)},
                    {"at_controller", one.at_controller},
                    {"expected", to_json(one.expected)}});
  }
  return list;
}

Json write_tokens(const Tries& tries, const Path& out) {
  Json list = Json::array();
  for (const TokenTry& one : tries.tokens()) {
    write_file(out / (one.name + ".token"), as_text(one.token));
    list.push_back(
        {{"name", one.name},
         {"error", one.error.name()},
         {"needs_group", one.needs_group},
         {"as_command", one.as_command},
         {"group", one.group},
         {"announced", one.announced_hash ? Json(to_hex(*one.announced_hash)) : Json(nullptr)},
         {"suite", one.suite ? Json(static_cast<int>(*one.suite)) : Json(nullptr)}});
  }
  return list;
}

/// gkmpctl token sign puts the hash of the list there that it is given.
std::string without_list_hash(std::string policy) {
  const std::size_t at = policy.find("member_list_sha256");
  return policy.erase(at, policy.find('\n', at) + 1 - at);
}

int run(const Settings& settings) {
  crypto::SystemRandom random;
  std::uint64_t seed = 0;
  for (const std::uint8_t octet : random.array<8>()) seed = seed << 8 | octet;
  test::TestPki pki({"manager", read_key(settings.manager / "anchor.key"),
                     read_certificate(settings.manager / "anchor.pem")},
                    seed);
  test::TestPki other(seed + 1);
  const Revoked revoked{read_host(settings.revoked, "revoked"),
                        read_host(settings.revoked, "unfit-revoked"),
                        read_host(settings.revoked, "commander-revoked")};
  const Setting setting = setting_of(settings);
  const Tries tries(pki, other, setting, revoked);
  const Path& out = settings.out;
  write_file(out / "tries.json", Json{{"faces", write_faces(tries, out)},
                                      {"agents", write_agents(tries, out)},
                                      {"tokens", write_tokens(tries, out)}}
                                     .dump(1));
  write_host(out, "rogue", tries.good_face().certificate, tries.good_face().key);
  write_file(out / "rogue.token", as_text(tries.rogue_token()));
  write_file(out / "good.policy.toml",
             without_list_hash(test::policy_text(tries.policy(Tries::kGoodVersion))));
  write_host(out, "commander", tries.commander().certificate, tries.commander().key);
  write_file(out / "limits.toml", tries.limits_toml());
  write_file(out / "other-anchor.pem", other.anchor().to_pem());
  write_file(out / "other-crl.pem", other.crl(setting.now).to_pem());
  return 0;
}

}  // namespace
}  // namespace gkmpd::rogue

int main(int argc, char** argv) {
  gkmpd::rogue::Settings settings;
  CLI::App app("Writes what is tried in vain against hosts of one security manager.");
  app.add_option("--manager", settings.manager, "directory of gkmpctl pki init")->required();
  app.add_option("--revoked", settings.revoked,
                 "directory with revoked, unfit-revoked and commander-revoked, .pem and .key each, "
                 "all of them revoked")
      ->required();
  app.add_option("--controller", settings.controller, "name of the honest controller")->required();
  app.add_option("--group", settings.group, "name of the group")->required();
  app.add_option("--sender", settings.senders, "sender of the good token; may be repeated");
  app.add_option("--port", settings.port, "port of control");
  app.add_option("--out", settings.out, "existing directory to write to")->required();
  CLI11_PARSE(app, argc, argv);
  return gkmpd::rogue::run(settings);
}
