// Every maximum and every wait of the protocol, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

#include "agent/base/time.h"

namespace gkmpd::protocol {

/// Exchanges a controller has open in one group; the others of the list wait.
inline constexpr std::size_t kMaxExchangesPerGroup = 64;
/// Exchanges a host answers as a member, all groups together.
inline constexpr std::size_t kMaxMemberExchanges = 64;
inline constexpr std::size_t kMaxGroups = 256;
/// Octets of unfinished messages: of all exchanges that this host answers, and of all that it
/// opened, and of commanders' sessions, each by itself, so that strangers cannot crowd out our own.
inline constexpr std::size_t kMaxReassemblyOctets = 128 * 1024;
/// Reports not yet fetched; other events are bounded by the groups and never dropped.
inline constexpr std::size_t kMaxQueuedReports = 4096;

/// First wait for an answer; doubles with each retransmission up to the maximum, plus up to a
/// quarter of it at random.
inline constexpr milliseconds kRetransmitFirst{300};
inline constexpr milliseconds kRetransmitMax{3000};
/// Transmissions of the first message of an exchange before it fails.
inline constexpr int kMaxTransmissions = 16;
/// The same towards a first member, before there is an epoch: nobody else can be keyed while it is
/// silent.
inline constexpr int kMaxFirstMemberTransmissions = 7;
/// Of any later message: most likely the agent of a member that has answered and is silent has
/// ended, and the next one knows nothing of the exchange. With a long activation delay it is keyed
/// anew before the others switch.
inline constexpr int kMaxAnsweredTransmissions = 5;
/// How often the list of possible first members is gone through.
inline constexpr int kFirstMemberRounds = 4;
/// A member that did not answer is asked again after this long, doubling up to the maximum; one
/// that refused or was refused, after the maximum.
inline constexpr milliseconds kRetryMemberFirst{15'000};
inline constexpr milliseconds kRetryMemberMax{300'000};

/// A member forgets an exchange in which nothing comes, and keeps the answer of a finished one for
/// retransmissions, this long.
inline constexpr milliseconds kMemberExchangeLife{60'000};

/// Sessions with commanders, all groups together; one in which nothing comes is forgotten.
inline constexpr std::size_t kMaxCommandSessions = 16;
inline constexpr milliseconds kCommandSessionLife{60'000};
/// Commanders whose last counter is remembered by name, in each group; the others share the highest
/// of those that had to make room.
inline constexpr std::size_t kMaxCommandMarks = 16;
/// How far ahead the end of a command's validity may be, and how far a commander puts it.
inline constexpr seconds kMaxCommandLife{3600};
inline constexpr seconds kCommandLife{600};
/// A commander asks how far it is this long after the last whole answer.
inline constexpr milliseconds kStatusInterval{500};

/// A group that the kernel did not take is tried again after this long, doubling up to the maximum.
inline constexpr milliseconds kRetryInstallFirst{1000};
inline constexpr milliseconds kRetryInstallMax{60'000};

/// An adopted controller that may be alone with an epoch sends under it so long before the one
/// before is done with: the ends of delays are on disk in whole seconds, and may come that much too
/// late.
inline constexpr seconds kSwitchBeforeRelease{3};

/// Ids of a sender in one epoch, each with its key and SA. The first is sent under; the next when
/// the SA of the one before was lost, since a key is never put in for output twice (profile S14,
/// P24). Receivers hold SAs for all of them from the start: each more is an SA per sender on every
/// host.
inline constexpr std::uint16_t kSenderRun = 2;
/// The longest run that a member takes from a controller.
inline constexpr std::uint16_t kMaxSenderRun = 16;

/// Signatures of multicast messages that a member verifies of one group in a second: so many of
/// those that anybody can send, and as many of rekeys that a holder of the group's keys has made.
inline constexpr int kChecksPerSecond = 8;
/// Heartbeat intervals without a heartbeat until a group counts as silent.
inline constexpr int kSilenceIntervals = 3;

/// Rekey packages that a host keeps of a group: who missed more than so many is keyed anew.
inline constexpr std::size_t kMaxKeptPackages = 8;
/// A package that was on the wire is not sent again so soon (profile S23).
inline constexpr milliseconds kRepairQuiet{1000};
/// Over how long those who would ask, and those who could answer, spread at random.
inline constexpr milliseconds kRepairSpread{500};
/// One that still lacks an epoch asks again so long after it, or anybody, has asked.
inline constexpr milliseconds kRepairAgain{1500};

/// A secret of cookies is used this long, and its cookies are taken as long again (profile P32).
inline constexpr milliseconds kCookieSecretLife{60'000};
/// Exchanges of a group that requests to join have opened, at a controller: of those that any
/// exchange may have.
inline constexpr std::size_t kMaxJoinExchanges = 16;
/// Joins that a host asks for at a time.
inline constexpr std::size_t kMaxJoins = 256;
/// A join that nobody answered is asked for again after this long, doubling up to the maximum; one
/// that was refused, after the maximum.
inline constexpr milliseconds kRetryJoinFirst{5'000};
inline constexpr milliseconds kRetryJoinMax{300'000};
/// At a start, hosts that all start together ask for their groups over so long a time.
inline constexpr milliseconds kRejoinSpread{2'000};
/// Heartbeat intervals that a silent controller stays silent until its members ask for it.
inline constexpr int kSilenceBeforeJoin = 6;
/// Repair requests without an answer until it asks the controller for the keys itself.
inline constexpr int kRepairsBeforeJoin = 4;

/// First members that a rekey is tried with. If none answers the controller makes the keys alone:
/// no dead member holds up the others (profile K10).
inline constexpr int kRekeyFirstMembers = 2;
/// Transmissions of the first message to each of them.
inline constexpr int kMaxRekeyTransmissions = 4;
/// A rekey that could not be begun, or whose tuple could not be saved, is tried again after this
/// long, doubling up to the maximum.
inline constexpr milliseconds kRetryRekeyFirst{1000};
inline constexpr milliseconds kRetryRekeyMax{60'000};

}  // namespace gkmpd::protocol
