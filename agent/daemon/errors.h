// Names of what can go wrong around the core: configuration, files, sockets, requests.
#pragma once

#include "agent/base/error.h"
#include "agent/protocol/errors.h"

namespace gkmpd::daemon {

inline constexpr ErrorKind kConfigUnreadable{"config.unreadable"};
inline constexpr ErrorKind kConfigSyntax{"config.syntax"};
inline constexpr ErrorKind kConfigUnknownKey{"config.unknown-key"};
inline constexpr ErrorKind kConfigMissingKey{"config.missing-key"};
inline constexpr ErrorKind kConfigBadValue{"config.bad-value"};

inline constexpr ErrorKind kFileUnreadable{"file.unreadable"};
inline constexpr ErrorKind kFileTooLarge{"file.too-large"};
inline constexpr ErrorKind kFilePermissions{"file.permissions"};
inline constexpr ErrorKind kKeyMismatch{"daemon.key-mismatch"};
inline constexpr ErrorKind kCrlRolledBack{"daemon.crl-rolled-back"};
inline constexpr ErrorKind kNoInterface{"daemon.no-interface"};
inline constexpr ErrorKind kAddressNotOnInterface{"daemon.address-not-on-interface"};
inline constexpr ErrorKind kSocketFailed{"daemon.socket-failed"};
inline constexpr ErrorKind kEventLoop{"daemon.event-loop"};
inline constexpr ErrorKind kOutboundBurnt = protocol::kOutboundBurnt;
/// The record does not have a group that is to be kept.
inline constexpr ErrorKind kNotInstalled{"daemon.not-installed"};
/// Counted: repairs of groups, and SAs and policies that they put back.
inline constexpr ErrorKind kGroupsRepaired{"daemon.groups-repaired"};
inline constexpr ErrorKind kSasPutBack{"daemon.sas-put-back"};
inline constexpr ErrorKind kPoliciesPutBack{"daemon.policies-put-back"};
/// The kernel told more than was read in time: everything was compared.
inline constexpr ErrorKind kKernelEventsLost{"daemon.kernel-events-lost"};
/// Somebody takes out again what was put back: the next repair waits.
inline constexpr ErrorKind kRepairHeldBack{"daemon.repair-held-back"};

// Datagrams that go no further, counted.
inline constexpr ErrorKind kUdpTooLong{"udp.too-long"};
inline constexpr ErrorKind kUdpOtherInterface{"udp.other-interface"};
inline constexpr ErrorKind kUdpOtherDestination{"udp.other-destination"};
inline constexpr ErrorKind kUdpNotForUnicast{"udp.not-for-unicast"};
inline constexpr ErrorKind kUdpNotForMulticast{"udp.not-for-multicast"};
inline constexpr ErrorKind kUdpNoPacketInfo{"udp.no-packet-info"};
inline constexpr ErrorKind kUdpSendFailed{"udp.send-failed"};
inline constexpr ErrorKind kUdpReceiveFailed{"udp.receive-failed"};

inline constexpr ErrorKind kControlSocketBusy{"control.socket-busy"};
inline constexpr ErrorKind kControlSocketFailed{"control.socket-failed"};
inline constexpr ErrorKind kBadRequest{"control.bad-request"};
inline constexpr ErrorKind kUnknownRequest{"control.unknown-request"};
inline constexpr ErrorKind kLineTooLong{"control.line-too-long"};
inline constexpr ErrorKind kTooManyClients{"control.too-many-clients"};
inline constexpr ErrorKind kPeerRefused{"control.peer-refused"};
inline constexpr ErrorKind kNoSuchGroup{"control.no-such-group"};
inline constexpr ErrorKind kSlowClient{"control.slow-client"};
inline constexpr ErrorKind kRequestTimeout{"control.request-timeout"};

}  // namespace gkmpd::daemon
