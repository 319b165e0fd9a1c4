// Peer review (RFC 2093 1.1, states 3, 4, 6 and 7): each side checks the other's certificate,
// permissions and the token before any key is used.
#pragma once

#include "agent/protocol/context.h"

namespace gkmpd::protocol {

/// This host itself: its certificate after every check of TrustStore::check_host, and `key` is the
/// certificate's (`protocol.key-differs-from-certificate`).
[[nodiscard]] Result<identity::Host> own_identity(
    const identity::TrustStore& trust, const crypto::Certificate& certificate,
    const std::vector<crypto::Certificate>& intermediates, const crypto::PrivateKey& key, Now now);

/// The host behind certificates from a Negotiate message, after every check of
/// TrustStore::check_host and that its key is `key`, the bare one that the Create message showed.
[[nodiscard]] Result<identity::Host> review_host(const Context& context,
                                                 const std::vector<Bytes>& certificates,
                                                 const crypto::PublicKey& key, Now now);

/// May `host` control the group: listed (its index is the rank), role, scope, dominance.
[[nodiscard]] Result<std::uint8_t> review_controller(const identity::GroupPolicy& policy,
                                                     const identity::Host& host);

/// May `host` hold the group's keys: role, dominance; and if the token lists it as a sender, the
/// sender role.
[[nodiscard]] Result<void> review_member(const identity::GroupPolicy& policy,
                                         const identity::Host& host);

/// State 10: what was reviewed once is held against today's clock and revocation lists, before an
/// epoch is taken without a new exchange: the controller, the token's commander, and this host
/// itself.
[[nodiscard]] Result<void> review_again(const Context& context, const identity::GroupToken& token,
                                        const identity::Host& controller, Now now);

[[nodiscard]] bool is_sender(const identity::GroupPolicy& policy, std::string_view host);

/// The token of `der` after every check of identity::check_token against this host's floors, that
/// its control port is ours, that it allows creation, that we have an address of its family, and
/// that no other group of ours has its addresses.
[[nodiscard]] Result<identity::GroupToken> review_token(const Context& context, ByteView der,
                                                        Now now);

}  // namespace gkmpd::protocol
