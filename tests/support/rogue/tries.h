// Everything that is tried in vain: flawed faces of rogues, hosts that are honest but unfit, and
// octets in place of a group's token, each with the error by which it is to be refused. The
// simulation and the laboratory try the same things (docs/REFUSALS.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/support/pki.h"
#include "tests/support/rogue/peer.h"

namespace gkmpd::rogue {

/// What an honest host is to make of something wrong.
struct Expected {
  ErrorKind error;
  bool told = false;  // whether the other side hears the error's name
};

struct FaceTry {
  std::string name;  // also what a member list and a token call the host
  Face face;
  std::optional<Expected> as_member;      // before a controller
  std::optional<Expected> as_controller;  // before a member
};

/// A host that keeps to the protocol, but must not get keys.
struct AgentTry {
  enum class Trust { kCommon, kOldList, kOwnManager };
  std::string name;
  Face face;
  Trust trust = Trust::kCommon;
  bool at_controller = false;  // refused there, else by the host itself
  Expected expected;
};

struct TokenTry {
  std::string name;
  Bytes token;
  ErrorKind error;
  bool needs_group = false;  // wrong only where the group has been made with kGoodVersion
  bool as_command = true;    // can be tried at a controller; a member is always told
  std::string group;         // of the exchange
  std::optional<Digest> announced_hash;
  std::optional<Suite> suite;  // of the exchange, if not the token's own
};

/// The group that the tries are about.
struct Setting {
  /// Of the good token: group, addresses, senders and the like. Version, validity and controllers
  /// are filled in.
  test::PolicyOptions policy;
  std::string controller;  // the honest one
  WallTime now = test::kNow;
};

/// Hosts that the security manager has revoked.
struct Revoked {
  test::TestHost face;
  test::TestHost agent;
  test::TestHost commander;
};

class Tries {
 public:
  static constexpr std::uint32_t kGoodVersion = 5;
  /// Of the rogues' tokens, so that no mark stands in their way.
  static constexpr std::uint32_t kRogueVersion = 9;

  Tries(test::TestPki& pki, test::TestPki& other_manager, const Setting& setting,
        const Revoked& revoked);

  /// A token that everybody may take, for the hosts of `member_list`.
  [[nodiscard]] Bytes good_token(test::TestPki& pki, const std::string& member_list) const;
  /// Another one, of kRogueVersion.
  [[nodiscard]] const Bytes& rogue_token() const { return rogue_token_; }
  [[nodiscard]] const test::TestHost& commander() const { return *commander_; }
  /// A host with every permission that the good tokens name as a controller.
  [[nodiscard]] const Face& good_face() const { return *good_face_; }

  [[nodiscard]] const std::vector<FaceTry>& faces() const { return faces_; }
  [[nodiscard]] const std::vector<AgentTry>& agents() const { return agents_; }
  [[nodiscard]] const std::vector<TokenTry>& tokens() const { return tokens_; }

  /// The group's policy, all of it good.
  [[nodiscard]] test::PolicyOptions policy(std::uint32_t version) const;

  /// [limits] that all but the tries about limits keep to.
  [[nodiscard]] identity::LocalLimits limits() const;
  [[nodiscard]] std::string limits_toml() const;

  [[nodiscard]] static test::HostOptions everything(const Setting& setting);
  /// Makes what the tries want revoked, and revokes it.
  [[nodiscard]] static Revoked revoke_some(test::TestPki& pki, const Setting& setting);

 private:
  void make_faces(test::TestPki& pki, test::TestPki& other_manager, const Revoked& revoked);
  void make_agents(test::TestPki& pki, test::TestPki& other_manager, const Revoked& revoked);
  void make_tokens(test::TestPki& pki, test::TestPki& other_manager, const Revoked& revoked);
  void try_signers(test::TestPki& pki, test::TestPki& other_manager, const Revoked& revoked);
  void try_validity(test::TestPki& pki);
  void try_texts(test::TestPki& pki);
  void try_limits(test::TestPki& pki);
  void try_other_cms(test::TestPki& pki);
  void try_other_exchange(test::TestPki& pki);
  void add(std::string name, Bytes token, ErrorKind error);
  [[nodiscard]] test::HostOptions commander_options() const;

  Setting setting_;
  std::vector<std::string> controllers_;
  std::optional<Face> good_face_;
  std::optional<test::TestHost> commander_;
  Bytes rogue_token_;
  std::vector<FaceTry> faces_;
  std::vector<AgentTry> agents_;
  std::vector<TokenTry> tokens_;
};

}  // namespace gkmpd::rogue
