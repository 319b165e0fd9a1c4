// Names of what the protocol refuses or drops. They are also what peers and operators are told.
#pragma once

#include "agent/base/error.h"

namespace gkmpd::protocol {

// Datagrams that no exchange wants: counted drops.
inline constexpr ErrorKind kUnexpectedMessage{"protocol.unexpected-message"};
inline constexpr ErrorKind kUnknownExchange{"protocol.unknown-exchange"};
inline constexpr ErrorKind kUnknownGroup{"protocol.unknown-group"};
inline constexpr ErrorKind kWrongPeer{"protocol.wrong-peer-address"};
inline constexpr ErrorKind kOwnGroup{"protocol.own-group"};
inline constexpr ErrorKind kStaleRetransmission{"protocol.stale-retransmission"};

// Limits.
inline constexpr ErrorKind kTooManyExchanges{"protocol.too-many-exchanges"};
inline constexpr ErrorKind kTooManyGroups{"protocol.too-many-groups"};
inline constexpr ErrorKind kReassemblyFull{"protocol.reassembly-full"};
inline constexpr ErrorKind kReportsDropped{"protocol.reports-dropped"};

// Exchanges.
inline constexpr ErrorKind kSuiteDiffers{"protocol.suite-differs"};
inline constexpr ErrorKind kTokenHashDiffers{"protocol.token-hash-differs"};
inline constexpr ErrorKind kKeyDiffers{"protocol.key-differs-from-certificate"};
inline constexpr ErrorKind kKeyIdDiffers{"protocol.key-id-differs"};
inline constexpr ErrorKind kWrongHost{"protocol.wrong-host"};
inline constexpr ErrorKind kTimeout{"protocol.timeout"};
inline constexpr ErrorKind kRefusedByPeer{"protocol.refused-by-peer"};
inline constexpr ErrorKind kBadConfirmation{"protocol.bad-confirmation"};
inline constexpr ErrorKind kSourceAddress{"protocol.source-address"};

// Peer review.
inline constexpr ErrorKind kControllerNotListed{"protocol.controller-not-listed"};
inline constexpr ErrorKind kNoControllerRole{"protocol.no-controller-role"};
inline constexpr ErrorKind kControllerScope{"protocol.controller-scope"};
inline constexpr ErrorKind kNoMemberRole{"protocol.no-member-role"};
inline constexpr ErrorKind kNoSenderRole{"protocol.no-sender-role"};
inline constexpr ErrorKind kGroupIdDiffers{"protocol.group-id-differs"};
inline constexpr ErrorKind kActionMissing{"protocol.action-not-in-token"};
inline constexpr ErrorKind kPortDiffers{"protocol.control-port-differs"};
inline constexpr ErrorKind kAddressTaken{"protocol.address-taken"};
inline constexpr ErrorKind kSpiPrefixTaken{"protocol.spi-prefix-taken"};
inline constexpr ErrorKind kAddressFamily{"protocol.address-family"};
inline constexpr ErrorKind kKernelLacks{"protocol.kernel-lacks"};

// Joins.
inline constexpr ErrorKind kJoinsClosed{"protocol.joins-closed"};
inline constexpr ErrorKind kJoinNotListed{"protocol.join-not-listed"};
inline constexpr ErrorKind kTooManyMembers{"protocol.too-many-members"};
inline constexpr ErrorKind kCookieWanted{"protocol.cookie-wanted"};
inline constexpr ErrorKind kNotReady{"protocol.not-ready"};
inline constexpr ErrorKind kTooManyJoins{"protocol.too-many-joins"};
inline constexpr ErrorKind kAlreadyMember{"protocol.already-member"};

// Commands.
inline constexpr ErrorKind kGroupExists{"protocol.group-exists"};
inline constexpr ErrorKind kNoMembers{"protocol.no-members"};
inline constexpr ErrorKind kNoAddress{"protocol.no-address"};
inline constexpr ErrorKind kSenderNotListed{"protocol.sender-not-listed"};
inline constexpr ErrorKind kNoMemberAnswered{"protocol.no-member-answered"};
inline constexpr ErrorKind kSaveFailed{"protocol.save-failed"};
inline constexpr ErrorKind kNumbersExhausted{"protocol.numbers-exhausted"};

// Orders that a commander signed (profile S26).
inline constexpr ErrorKind kMemberListTooLong{"protocol.member-list-too-long"};
inline constexpr ErrorKind kCommandSigner{"protocol.command-signer"};
inline constexpr ErrorKind kCommandTarget{"protocol.command-for-another"};
inline constexpr ErrorKind kCommandToken{"protocol.command-token-differs"};
inline constexpr ErrorKind kCommandExpired{"protocol.command-expired"};
inline constexpr ErrorKind kCommandValidTooLong{"protocol.command-valid-too-long"};
inline constexpr ErrorKind kCommandStale{"protocol.command-stale"};
inline constexpr ErrorKind kCommandList{"protocol.command-member-list"};
inline constexpr ErrorKind kGroupNotLive{"protocol.group-not-live"};
inline constexpr ErrorKind kTokenNotInForce{"protocol.token-not-in-force"};
inline constexpr ErrorKind kReportDiffers{"protocol.report-differs"};

// Statements (profile P18) and heartbeats (P17).
inline constexpr ErrorKind kStatementForm{"protocol.statement-form"};
inline constexpr ErrorKind kStatementStale{"protocol.statement-stale"};
inline constexpr ErrorKind kStatementCause{"protocol.statement-cause"};
inline constexpr ErrorKind kEpochMissing{"protocol.epoch-missing"};
inline constexpr ErrorKind kTupleConflict{"protocol.tuple-conflict"};
inline constexpr ErrorKind kStatementToken{"protocol.statement-token-differs"};
inline constexpr ErrorKind kStatementSigner{"protocol.statement-signer"};
inline constexpr ErrorKind kStatementValidity{"protocol.statement-validity"};
inline constexpr ErrorKind kCrlTooOld{"protocol.crl-older-than-required"};
inline constexpr ErrorKind kExclusions{"protocol.exclusions-shrank"};
inline constexpr ErrorKind kExcluded{"protocol.excluded"};
inline constexpr ErrorKind kSenderTable{"protocol.sender-table"};
inline constexpr ErrorKind kStatementHashes{"protocol.statement-hashes"};
inline constexpr ErrorKind kHeartbeatStale{"protocol.heartbeat-stale"};
inline constexpr ErrorKind kHeartbeatTime{"protocol.heartbeat-time"};
inline constexpr ErrorKind kHeartbeatContent{"protocol.heartbeat-content"};
inline constexpr ErrorKind kCheckRate{"protocol.check-rate"};
inline constexpr ErrorKind kPeerCrlNewer{"protocol.peer-crl-newer"};

/// Answer to an InstallGroup of which all was done but for the outbound SA: every key of this
/// host's run may have been used before. The daemon's name, since it is the daemon that sees it.
inline constexpr ErrorKind kOutboundBurnt{"daemon.outbound-burnt"};

}  // namespace gkmpd::protocol
