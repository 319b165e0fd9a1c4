// All sessions of this host with commanders on other hosts.
#pragma once

#include <map>
#include <tuple>

#include "agent/protocol/command_exchange.h"

namespace gkmpd::protocol {

class CommandSide {
 public:
  CommandSide(Context& context, GroupOffice& office) : context_(context), office_(office) {}

  /// A commander's datagram. An error is a drop.
  [[nodiscard]] Result<void> handle_datagram(Now now, const SocketAddress& from,
                                             const wire::Datagram& datagram, ByteView octets);
  void handle_timeout(Now now);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;

 private:
  /// With the peer's address: who overheard an id gains nothing by using it first.
  using SessionKey = std::tuple<GroupId, ExchangeId, SocketAddress>;

  Context& context_;
  GroupOffice& office_;
  std::map<SessionKey, CommandExchange> sessions_;
};

}  // namespace gkmpd::protocol
