// Orders to the agent of this host, over its control socket.
#include <nlohmann/json.hpp>

#include "agent/crypto/cms.h"
#include "agent/crypto/hash.h"
#include "agent/ctl/client.h"
#include "agent/ctl/follow.h"
#include "agent/ctl/group_order.h"
#include "agent/ctl/output.h"
#include "agent/ctl/progress.h"
#include "agent/ctl/signer.h"
#include "agent/daemon/files.h"
#include "agent/daemon/loop.h"
#include "agent/identity/token.h"
#include "agent/protocol/order.h"

namespace gkmpd::ctl {
namespace {

using daemon::Json;

/// The name of the group of a token whose signer the agent will judge.
Result<std::string> group_of(ByteView token) {
  auto content = crypto::cms_verify(token, crypto::oid_group_token());
  if (!content) return pass_on(content);
  auto policy = identity::parse_policy(as_text(content->content));
  if (!policy) return pass_on(policy);
  return std::move(policy->group);
}

/// Asks the agent for the name of its host.
Result<std::string> host_of(Client& client) {
  auto reply = client.ask(daemon::StatusRequest{});
  if (!reply) return pass_on(reply);
  const auto status = reply->find("status");
  std::string host = status == reply->end() ? "" : text_at(*status, "host");
  if (host.empty()) return fail(kBadReply, "the agent does not tell its host's name");
  return host;
}

/// The files of an order, read before anybody is asked.
struct Papers {
  Bytes token;
  std::string group;
  std::string members;           // to create the group
  std::optional<Signer> signer;  // of any other order
};

Result<Papers> read_papers(const GroupOrder& order) {
  auto token = daemon::read_text_file(order.token_file, identity::kMaxTokenSize);
  if (!token) return pass_on(token);
  Papers papers{.token = to_bytes(as_bytes(*token)), .group = {}, .members = {}, .signer = {}};
  if (order.action == identity::CommandAction::kCreate) {
    auto members = daemon::read_text_file(order.members_file, daemon::kMaxMemberListSize);
    if (!members) return pass_on(members);
    papers.members = *std::move(members);
    return papers;
  }
  auto group = group_of(papers.token);
  if (!group) return pass_on(group);
  papers.group = *std::move(group);
  auto signer = read_signer(order.certificate, order.key);
  if (!signer) return pass_on(signer);
  papers.signer = *std::move(signer);
  return papers;
}

/// The group's creation rests on the token alone; everything else is signed for this very host.
Result<daemon::Request> to_request(const GroupOrder& order, Papers papers, Client& client) {
  if (!papers.signer) {
    return daemon::CreateGroupRequest{std::move(papers.token), std::move(papers.members)};
  }
  auto host = host_of(client);
  if (!host) return pass_on(host);
  const auto text =
      protocol::order_text(order.action, papers.group, crypto::sha256({papers.token}), *host,
                           counter_of_now(), Now{daemon::mono_now(), daemon::wall_now()});
  auto command = identity::sign_command(text, papers.signer->certificate, papers.signer->key,
                                        papers.signer->intermediates);
  if (!command) return pass_on(command);
  return daemon::OrderRequest{std::move(papers.token), *std::move(command)};
}

/// Until what was ordered has ended or time is up.
int wait_for(const GroupOrder& order, Client& client, const Json& group) {
  auto last = follow_group(client, group, *order.wait_s, order.json,
                           [&](const Json& view) { return verdict_on(order.action, view); });
  if (!last) return fail_with(order.json, last.error());
  return finish_order(order.json, order.action, *last, /*waited=*/true);
}

}  // namespace

int order_locally(const GroupOrder& order) {
  auto papers = read_papers(order);
  if (!papers) return fail_with(order.json, papers.error());
  auto client = Client::connect(order.socket);
  if (!client) return fail_with(order.json, client.error());
  auto request = to_request(order, *std::move(papers), *client);
  if (!request) return fail_with(order.json, request.error());
  auto reply = client->ask(*request);
  if (!reply) return fail_with(order.json, reply.error());
  if (!is_ok(*reply)) {
    return print_refusal(order.json, text_at(*reply, "error"), text_at(*reply, "detail"));
  }
  const Json group = reply->value("group", Json());
  if (!order.json) show_accepted(order.action, group);
  if (order.wait_s) return wait_for(order, *client, group);
  return finish_order(order.json, order.action, group, /*waited=*/false);
}

}  // namespace gkmpd::ctl
