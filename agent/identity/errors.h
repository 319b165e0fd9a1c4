// Names of what can be wrong with a host, its permissions or a token.
#pragma once

#include "agent/base/error.h"

namespace gkmpd::identity {

inline constexpr ErrorKind kBadPermissions{"identity.bad-permissions"};
inline constexpr ErrorKind kLevelTooLow{"identity.level-too-low"};
inline constexpr ErrorKind kCategoryMissing{"identity.category-missing"};
inline constexpr ErrorKind kExceedsIssuer{"identity.exceeds-issuer"};
inline constexpr ErrorKind kBadAnchor{"identity.bad-anchor"};
inline constexpr ErrorKind kNotAHostCertificate{"identity.not-a-host-certificate"};
inline constexpr ErrorKind kNoCrl{"identity.no-crl"};
inline constexpr ErrorKind kRevoked{"identity.revoked"};
inline constexpr ErrorKind kCrlUntrusted{"identity.crl-untrusted"};
inline constexpr ErrorKind kCrlFromFuture{"identity.crl-from-future"};
inline constexpr ErrorKind kCrlStale{"identity.crl-stale"};
inline constexpr ErrorKind kCrlConflict{"identity.crl-conflict"};
inline constexpr ErrorKind kTokenTooLarge{"identity.token-too-large"};
inline constexpr ErrorKind kTokenSyntax{"identity.token-syntax"};
inline constexpr ErrorKind kTokenField{"identity.token-field"};
inline constexpr ErrorKind kTokenUnsupported{"identity.token-unsupported"};
inline constexpr ErrorKind kTokenUnsafe{"identity.token-unsafe"};
inline constexpr ErrorKind kTokenNotYet{"identity.token-not-yet"};
inline constexpr ErrorKind kTokenExpired{"identity.token-expired"};
inline constexpr ErrorKind kTokenOld{"identity.token-old"};
inline constexpr ErrorKind kTokenConflict{"identity.token-conflict"};
inline constexpr ErrorKind kTokenLimits{"identity.token-limits"};
inline constexpr ErrorKind kCommandTooLarge{"identity.command-too-large"};
inline constexpr ErrorKind kCommandSyntax{"identity.command-syntax"};
inline constexpr ErrorKind kCommandField{"identity.command-field"};
inline constexpr ErrorKind kNotCommander{"identity.not-commander"};
inline constexpr ErrorKind kCommanderScope{"identity.commander-scope"};
inline constexpr ErrorKind kMemberListSyntax{"identity.member-list-syntax"};
inline constexpr ErrorKind kMemberListDiffers{"identity.member-list-differs"};

}  // namespace gkmpd::identity
