#include "agent/protocol/commander.h"

#include "agent/protocol/commander_exchange.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {

/// The exchange, and what it shares with nobody here.
class Commander::Impl {
 public:
  Impl(Context own, identity::GroupToken token, CommanderExchange::Order order)
      : context(std::move(own)), exchange(context, std::move(token), std::move(order)) {}

  Context context;
  CommanderExchange exchange;
};

Commander::Commander(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Commander::Commander(Commander&&) noexcept = default;
Commander& Commander::operator=(Commander&&) noexcept = default;
Commander::~Commander() = default;

namespace {

/// Of a list's hosts, as far as it has them.
Result<std::map<std::string, IpAddress>> check_list(const std::string& text,
                                                    const identity::GroupPolicy& policy) {
  if (text.size() > wire::kMaxMemberListOctets) {
    return fail(kMemberListTooLong,
                "a command over the network takes a member list of " +
                    std::to_string(wire::kMaxMemberListOctets) + " octets, this one has " +
                    std::to_string(text.size()) +
                    ": leave out addresses that stand under [hosts] of the controller's "
                    "configuration, or give the command on the controller's host");
  }
  auto list = identity::check_member_list(text, policy);
  if (!list) return pass_on(list);
  std::map<std::string, IpAddress> addresses;
  for (const identity::MemberList::Entry& entry : list->members) {
    if (entry.address) addresses.emplace(entry.name, *entry.address);
  }
  return addresses;
}

}  // namespace

Result<Commander> Commander::make(CommanderConfig config, CommanderOrder order, Random& random,
                                  Now now) {
  auto self = own_identity(config.trust, config.certificate, config.intermediates, config.key, now);
  if (!self) return pass_on(self);
  auto token = identity::check_token(order.token, {.trust = &config.trust, .now = now.wall});
  if (!token) return pass_on(token);
  auto scope = identity::check_commander(self->permissions, token->policy);
  if (!scope) return pass_on(scope);
  if (config.controller.port == 0) config.controller.port = token->policy.control_port;
  CommanderExchange::Order given{.controller = config.controller,
                                 .action = order.action,
                                 .counter = config.counter,
                                 .sign = std::move(config.sign),
                                 .member_list = {},
                                 .addresses = {}};
  if (order.action == identity::CommandAction::kCreate) {
    auto addresses = check_list(order.member_list, token->policy);
    if (!addresses) return pass_on(addresses);
    given.addresses = std::move(*addresses);
    given.member_list = to_bytes(as_bytes(order.member_list));
  }

  EndpointConfig as_host{.trust = config.trust,
                         .limits = {},
                         .certificate = config.certificate,
                         .intermediates = config.intermediates,
                         .key = config.key,
                         .addresses = {},
                         .port = 0,
                         .hosts = {}};
  auto impl = std::make_unique<Impl>(Context{.config = std::move(as_host),
                                             .self = std::move(*self),
                                             .random = random,
                                             .floors = {},
                                             .out = {}},
                                     std::move(*token), std::move(given));
  if (auto started = impl->exchange.start(now); !started) return pass_on(started);
  return Commander(std::move(impl));
}

void Commander::handle_datagram(Now now, const SocketAddress& from, ByteView octets) {
  auto handled = impl_->exchange.handle_datagram(now, from, octets);
  if (!handled) impl_->context.out.count(handled.error().kind);
}
void Commander::handle_timeout(Now now) { impl_->exchange.handle_timeout(now); }
std::optional<Transmit> Commander::poll_transmit() { return impl_->context.out.next_transmit(); }
std::optional<MonoTime> Commander::poll_timeout() const { return impl_->exchange.next_timeout(); }
const std::optional<GroupView>& Commander::group() const { return impl_->exchange.group(); }
const std::optional<Error>& Commander::error() const { return impl_->exchange.error(); }
const std::string& Commander::refused_as() const { return impl_->exchange.refused_as(); }
const std::string& Commander::group_name() const { return impl_->exchange.group_name(); }
const SocketAddress& Commander::controller() const { return impl_->exchange.controller(); }
const std::map<std::string_view, std::uint64_t>& Commander::counters() const {
  return impl_->context.out.counters();
}

}  // namespace gkmpd::protocol
