#include "agent/protocol/command_side.h"

namespace gkmpd::protocol {

Result<void> CommandSide::handle_datagram(Now now, const SocketAddress& from,
                                          const wire::Datagram& datagram, ByteView octets) {
  // Who may control nothing does no work for commanders.
  if (!context_.self.permissions.has(identity::Role::kController)) return fail(kNoControllerRole);
  const wire::Header& header = datagram.header;
  const SessionKey key{header.group, header.exchange, from};
  const auto found = sessions_.find(key);
  if (found != sessions_.end()) return found->second.handle_datagram(now, from, datagram, octets);

  if (header.type != wire::MessageType::kCreateSessionKek1) return fail(kUnknownExchange);
  if (sessions_.size() >= kMaxCommandSessions) return fail(kTooManyExchanges);
  const auto opened = sessions_
                          .try_emplace(key, context_, office_, header.suite, header.group,
                                       header.exchange, from, now)
                          .first;
  // A first message that does not hold leaves nothing behind.
  auto outcome = opened->second.handle_datagram(now, from, datagram, octets);
  if (!outcome) sessions_.erase(opened);
  return outcome;
}

void CommandSide::handle_timeout(Now now) {
  std::erase_if(sessions_, [&](const auto& entry) { return now.mono >= entry.second.forget_at(); });
}

std::optional<MonoTime> CommandSide::next_timeout() const {
  std::optional<MonoTime> earliest;
  for (const auto& [key, session] : sessions_) keep_earlier(earliest, session.forget_at());
  return earliest;
}

}  // namespace gkmpd::protocol
