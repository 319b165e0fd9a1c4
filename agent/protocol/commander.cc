#include "agent/protocol/commander.h"

#include <algorithm>
#include <variant>

#include "agent/protocol/handshake.h"
#include "agent/protocol/report_view.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {

using wire::MessageType;

class Commander::Impl {
 public:
  Impl(Context context, identity::GroupToken token, CommanderConfig config, Bytes member_list)
      : context_(std::move(context)),
        token_(std::move(token)),
        counter_(config.counter),
        sign_(std::move(config.sign)),
        member_list_(std::move(member_list)),
        channel_(context_, wire::SenderRole::kCommander, token_.group_id,
                 context_.random.array<8>(),
                 {config.controller.ip, config.controller.port != 0 ? config.controller.port
                                                                    : token_.policy.control_port},
                 context_.opened_octets) {}

  [[nodiscard]] Result<void> start(Now now) {
    auto opened = open_session(context_, channel_, token_.hash);
    if (!opened) return pass_on(opened);
    std::vector<Bytes> request{opened->create_1};
    state_ = std::move(*opened);
    send(now, std::move(request));
    return {};
  }

  void handle_datagram(Now now, const SocketAddress& from, ByteView octets) {
    if (auto handled = take(now, from, octets); !handled) context_.out.count(handled.error().kind);
  }

  void handle_timeout(Now now) {
    if (ask_at_ && now.mono >= *ask_at_) ask_status(now);
    if (!timer_.due() || now.mono < *timer_.due()) return;
    if (timer_.again(now.mono, context_.random)) return channel_.resend();
    finish({kTimeout, "no answer from " + channel_.peer().text() +
                          ": is a controller's agent running there, and does it know this "
                          "commander?"});
  }

  [[nodiscard]] std::optional<MonoTime> next_timeout() const {
    std::optional<MonoTime> earliest = timer_.due();
    keep_earlier(earliest, ask_at_);
    return earliest;
  }

  Context& context() { return context_; }
  [[nodiscard]] const std::optional<GroupView>& group() const { return shown_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] const std::string& refused_as() const { return refused_as_; }
  [[nodiscard]] const std::string& group_name() const { return token_.policy.group; }
  [[nodiscard]] const SocketAddress& controller() const { return channel_.peer(); }

 private:
  struct Start {};
  struct AwaitNegotiate {
    Agreed agreed;
    Bytes negotiate_1;
  };
  /// The command is under way, or a status request, or neither for a while.
  struct Following {
    keys::PairwiseKeys keys;
    GroupView view;  // as it was before the report that is awaited
  };
  struct Done {};
  using State = std::variant<Start, OpenedSession, AwaitNegotiate, Following, Done>;

  struct Step {
    State next;
    std::vector<Bytes> request;
  };
  using Handler = Result<Step> (Impl::*)(Now, const Incoming&);
  struct Transition {
    std::size_t from;
    MessageType message;
    const Secret* (Impl::*opens_with)() const;
    Handler handler;
  };
  static const std::array<Transition, 5> kTransitions;

  [[nodiscard]] const Secret* stage_key() const {
    return &std::get<AwaitNegotiate>(state_).agreed.stage.up;
  }
  [[nodiscard]] const Secret* report_key() const {
    return &std::get<Following>(state_).keys.skek.up;
  }

  [[nodiscard]] Result<void> take(Now now, const SocketAddress& from, ByteView octets);
  [[nodiscard]] Result<Step> on_create(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_negotiate(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_report(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_refusal(Now now, const Incoming& in);

  [[nodiscard]] Result<identity::Host> review(Now now, const Agreed& agreed,
                                              const wire::Negotiate2& negotiate) const;
  [[nodiscard]] Result<std::vector<Bytes>> seal_command(Now now, const identity::Host& controller,
                                                        const Secret& key);
  void ask_status(Now now);
  [[nodiscard]] std::vector<Bytes> seal_status(const Following& state);
  [[nodiscard]] GroupView blank_view(const std::string& controller) const;

  void send(Now now, std::vector<Bytes> request) {
    channel_.send(std::move(request));
    timer_.start(now.mono, context_.random, kMaxTransmissions);
  }
  [[nodiscard]] Step over(Error why) {
    finish(std::move(why));
    return Step{Done{}, {}};
  }
  void finish(Error why) {
    context_.out.count(why.kind);
    error_ = std::move(why);
    state_ = Done{};
    timer_.stop();
    ask_at_.reset();
  }

  Context context_;
  identity::GroupToken token_;
  std::uint64_t counter_;
  std::function<Result<Bytes>(const identity::CommandText&)> sign_;
  Bytes member_list_;
  Channel channel_;
  RetransmitTimer timer_;
  std::optional<MonoTime> ask_at_;
  State state_;
  std::optional<GroupView> shown_;
  std::optional<Error> error_;
  std::string refused_as_;
};

// The left-hand column of the figure in command_exchange.cc.
const std::array<Commander::Impl::Transition, 5> Commander::Impl::kTransitions{{
    {1, MessageType::kCreateSessionKek2, nullptr, &Impl::on_create},
    {2, MessageType::kNegotiateSessionKeys2, &Impl::stage_key, &Impl::on_negotiate},
    {2, MessageType::kRefusal, &Impl::stage_key, &Impl::on_refusal},
    {3, MessageType::kReport, &Impl::report_key, &Impl::on_report},
    {3, MessageType::kRefusal, &Impl::report_key, &Impl::on_refusal},
}};

Result<void> Commander::Impl::take(Now now, const SocketAddress& from, ByteView octets) {
  auto datagram = wire::decode_datagram(octets);
  if (!datagram) return pass_on(datagram);
  const wire::Header& header = datagram->header;
  if (from != channel_.peer()) return fail(kWrongPeer, from.text());
  if (header.exchange != channel_.exchange() || header.group != channel_.group() ||
      header.role != wire::SenderRole::kController) {
    return fail(kUnknownExchange);
  }
  const auto row = std::ranges::find_if(kTransitions, [&](const Transition& transition) {
    return transition.from == state_.index() && transition.message == header.type;
  });
  if (row == kTransitions.end()) return fail(kUnexpectedMessage);
  const Secret* key = row->opens_with == nullptr ? nullptr : (this->*row->opens_with)();
  auto incoming = channel_.open(*datagram, octets, key);
  if (!incoming) return pass_on(incoming);
  if (!*incoming) return {};

  auto step = (this->*row->handler)(now, **incoming);
  if (!step) return pass_on(step);
  channel_.received();
  state_ = std::move(step->next);
  timer_.stop();
  if (!step->request.empty()) send(now, std::move(step->request));
  return {};
}

Result<Commander::Impl::Step> Commander::Impl::on_create(Now, const Incoming& in) {
  auto agreed = agree_on_session(std::get<OpenedSession>(state_), in);
  if (!agreed && agreed.error().kind == crypto::kBadShare) return over(agreed.error());
  if (!agreed) return pass_on(agreed);
  auto sealed = seal_negotiate_1(context_, channel_, *agreed, MessageType::kNegotiateSessionKeys1,
                                 token_.der);
  if (!sealed) return over(sealed.error());
  return Step{AwaitNegotiate{std::move(*agreed), std::move(sealed->transcript)},
              std::move(sealed->datagrams)};
}

/// The controller is who it should be: the order, signed for it, goes out.
Result<Commander::Impl::Step> Commander::Impl::on_negotiate(Now now, const Incoming& in) {
  auto& state = std::get<AwaitNegotiate>(state_);
  auto controller = review(now, state.agreed, std::get<wire::Negotiate2>(in.message));
  if (!controller) return over(controller.error());
  const Digest th2 = keys::transcript_2(state.agreed.create_1, state.agreed.create_2,
                                        state.negotiate_1, in.octets);
  Following next{keys::derive_pairwise(state.agreed.root, th2), blank_view(controller->name)};
  auto request = seal_command(now, *controller, next.keys.skek.down);
  if (!request) return over(request.error());
  return Step{std::move(next), std::move(*request)};
}

Result<identity::Host> Commander::Impl::review(Now now, const Agreed& agreed,
                                               const wire::Negotiate2& negotiate) const {
  if (negotiate.key_ids != agreed.key_ids) {
    return fail(kKeyIdDiffers, "the negotiation names another key than the creation");
  }
  auto controller = review_host(context_, negotiate.certificates, agreed.peer_key, now);
  if (!controller) return controller;
  auto rank = review_controller(token_.policy, *controller);
  if (!rank) return pass_on(rank);
  return controller;
}

Result<std::vector<Bytes>> Commander::Impl::seal_command(Now now, const identity::Host& controller,
                                                         const Secret& key) {
  auto signed_order = sign_({.group = token_.policy.group,
                             .controller = controller.name,
                             .token_hash = token_.hash,
                             .counter = counter_,
                             .not_after = now.wall + kCommandLife});
  if (!signed_order) return pass_on(signed_order);
  const wire::Command command{std::move(*signed_order), member_list_};
  return Channel::seal(channel_.next_header(MessageType::kCommand), wire::encode_body(command), key)
      .datagrams;
}

/// What the commander knows of the group by itself.
GroupView Commander::Impl::blank_view(const std::string& controller) const {
  GroupView view;
  view.id = token_.group_id;
  view.name = token_.policy.group;
  view.role = GroupRole::kController;
  view.controller = controller;
  view.controller_address = channel_.peer();
  view.data_address = token_.policy.address;
  view.data_port = token_.policy.port;
  view.control_multicast = {token_.policy.control_address, token_.policy.control_port};
  return view;
}

/// One report may be a part: members come in pages, and a view is shown when it is whole.
Result<Commander::Impl::Step> Commander::Impl::on_report(Now now, const Incoming& in) {
  auto& state = std::get<Following>(state_);
  auto report = wire::decode_group_report(std::get<wire::Report>(in.message).report);
  if (!report) return pass_on(report);
  GroupView view = state.view;
  if (auto taken = take_report(*report, view); !taken) return pass_on(taken);
  Following next{std::move(state.keys), std::move(view)};
  if (next.view.members.size() < report->listed) {
    auto request = seal_status(next);
    return Step{std::move(next), std::move(request)};
  }
  shown_ = next.view;
  next.view.members.clear();
  ask_at_ = now.mono + kStatusInterval;
  return Step{std::move(next), {}};
}

void Commander::Impl::ask_status(Now now) {
  ask_at_.reset();
  send(now, seal_status(std::get<Following>(state_)));
}

std::vector<Bytes> Commander::Impl::seal_status(const Following& state) {
  wire::StatusRequest request;
  request.first = static_cast<std::uint16_t>(state.view.members.size());
  return Channel::seal(channel_.next_header(MessageType::kStatusRequest),
                       wire::encode_body(request), state.keys.skek.down)
      .datagrams;
}

Result<Commander::Impl::Step> Commander::Impl::on_refusal(Now, const Incoming& in) {
  refused_as_ = std::get<wire::Refusal>(in.message).error_name;
  const bool proven = std::holds_alternative<Following>(state_);
  const std::string who = proven ? std::get<Following>(state_).view.controller + " refused"
                                 : "who answers at " + channel_.peer().text() +
                                       " refused before it had proven to be a controller";
  return over({kRefusedByPeer, who + ": " + refused_as_});
}

Commander::Commander(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Commander::Commander(Commander&&) noexcept = default;
Commander& Commander::operator=(Commander&&) noexcept = default;
Commander::~Commander() = default;

Result<Commander> Commander::make(CommanderConfig config, CreateGroupCommand order, Random& random,
                                  Now now) {
  auto self = config.trust.check_host(config.certificate, config.intermediates, now.wall);
  if (!self) return pass_on(self);
  if (!(config.certificate.public_key() == config.key.public_key())) {
    return fail(kKeyDiffers, "the private key is not the one of the certificate");
  }
  auto token = identity::check_token(order.token, {.trust = &config.trust, .now = now.wall});
  if (!token) return pass_on(token);
  auto scope = identity::check_commander(self->permissions, token->policy);
  if (!scope) return pass_on(scope);
  if (order.member_list.size() > wire::kMaxMemberListOctets) {
    return fail(kMemberListTooLong,
                "a command over the network takes a member list of " +
                    std::to_string(wire::kMaxMemberListOctets) + " octets, this one has " +
                    std::to_string(order.member_list.size()) +
                    ": leave out addresses that stand under [hosts] of the controller's "
                    "configuration, or give the command on the controller's host");
  }
  auto list = identity::check_member_list(order.member_list, token->policy);
  if (!list) return pass_on(list);

  EndpointConfig as_host{.trust = config.trust,
                         .limits = {},
                         .certificate = config.certificate,
                         .intermediates = config.intermediates,
                         .key = config.key,
                         .control_unicast = {},
                         .hosts = {}};
  auto impl = std::make_unique<Impl>(Context{.config = std::move(as_host),
                                             .self = std::move(*self),
                                             .random = random,
                                             .floors = {},
                                             .out = {}},
                                     std::move(*token), std::move(config),
                                     to_bytes(as_bytes(order.member_list)));
  if (auto started = impl->start(now); !started) return pass_on(started);
  return Commander(std::move(impl));
}

void Commander::handle_datagram(Now now, const SocketAddress& from, ByteView octets) {
  impl_->handle_datagram(now, from, octets);
}
void Commander::handle_timeout(Now now) { impl_->handle_timeout(now); }
std::optional<Transmit> Commander::poll_transmit() { return impl_->context().out.next_transmit(); }
std::optional<MonoTime> Commander::poll_timeout() const { return impl_->next_timeout(); }
const std::optional<GroupView>& Commander::group() const { return impl_->group(); }
const std::optional<Error>& Commander::error() const { return impl_->error(); }
const std::string& Commander::refused_as() const { return impl_->refused_as(); }
const std::string& Commander::group_name() const { return impl_->group_name(); }
const SocketAddress& Commander::controller() const { return impl_->controller(); }
const std::map<std::string_view, std::uint64_t>& Commander::counters() const {
  return impl_->context().out.counters();
}

}  // namespace gkmpd::protocol
