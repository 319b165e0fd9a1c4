#include "agent/protocol/order.h"

#include "agent/protocol/errors.h"

namespace gkmpd::protocol {
namespace {

using identity::CommandAction;

Result<void> check_moment(Now now, const identity::CommandText& text) {
  if (now.wall - identity::kClockSkew > text.not_after) {
    return fail(kCommandExpired, "its not_after has passed; compare the hosts' clocks");
  }
  if (text.not_after > now.wall + kMaxCommandLife + identity::kClockSkew) {
    return fail(kCommandValidTooLong, "its not_after is too far ahead; compare the hosts' clocks");
  }
  return {};
}

/// The list is what a group is created from, and nothing else.
Result<void> check_list(CommandAction action, const std::optional<Bytes>& member_list) {
  const bool wanted = action == CommandAction::kCreate;
  if (wanted == member_list.has_value()) return {};
  return fail(kCommandList, "an order to " + std::string(to_text(action)) + " a group " +
                                (wanted ? "wants its member list" : "takes no member list"));
}

}  // namespace

identity::CommandText order_text(CommandAction action, const std::string& group,
                                 const Digest& token_hash, const std::string& controller,
                                 std::uint64_t counter, Now now) {
  return {.action = action,
          .group = group,
          .controller = controller,
          .token_hash = token_hash,
          .counter = counter,
          .not_after = now.wall + kCommandLife};
}

Result<Order> review_order(const Context& context, const identity::GroupToken& token,
                           const identity::Host* bearer, ByteView der, Now now) {
  auto command = identity::check_command(der, {&context.config.trust, &token.policy, now.wall});
  if (!command) return pass_on(command);
  const identity::CommandText& text = command->text;
  const identity::Host& commander = command->commander;
  if (bearer != nullptr && commander.hash != bearer->hash) {
    return fail(kCommandSigner, "signed by " + commander.name + ", brought by " + bearer->name);
  }
  if (text.controller != context.self.name) {
    return fail(kCommandTarget, "it is for " + text.controller + ", this is " + context.self.name);
  }
  if (text.group != token.policy.group || text.token_hash != token.hash) {
    return fail(kCommandToken, "it is for another group or token than it comes with");
  }
  if (auto moment = check_moment(now, text); !moment) return pass_on(moment);
  const CommandMark mark{commander.hash, text.counter};
  if (const GroupFloor* floor = context.floor(token.group_id)) {
    if (auto fresh = check_fresh(floor->marks, mark); !fresh) return pass_on(fresh);
  }
  return Order{std::move(*command), mark};
}

Result<void> check_fresh(const CommandMarks& marks, const CommandMark& mark) {
  if (mark.counter > marks.last_of(mark.commander)) return {};
  return fail(kCommandStale, "an order of its commander with counter " +
                                 std::to_string(mark.counter) +
                                 " or above was taken before: give a new one");
}

Result<void> obey(GroupOffice& office, Now now, const identity::GroupToken& token,
                  const Order& order, const std::optional<Bytes>& member_list) {
  const CommandAction action = order.command.text.action;
  if (auto list = check_list(action, member_list); !list) return list;
  switch (action) {
    case CommandAction::kCreate:
      return office.create(now, {token.der, std::string(as_text(*member_list))}, order.mark);
    case CommandAction::kRekey:
      return office.rekey(now, token, order.mark);
  }
  return {};
}

void report_obeyed(Context& context, const Order& order, const std::string& where) {
  const identity::CommandText& text = order.command.text;
  context.out.report({Report::Level::kInfo, "commanded", text.group, order.command.commander.name,
                      "to " + std::string(to_text(text.action)) + " it, " + where});
}

}  // namespace gkmpd::protocol
