// Rekey_Multicast (RFC 2093 4.12, figure 3): the next epoch for everybody who holds the one before,
// in one datagram (profile P13).
#pragma once

#include "agent/protocol/epoch.h"

namespace gkmpd::protocol {

/// Rekey_Multicast (RFC 2093 4.12) of `epoch`, its keys under the GKEK that was given out with
/// `before`.
[[nodiscard]] Bytes rekey_datagram(const Epoch& epoch, const Epoch& before);

/// A Rekey_Multicast as it came, its header held against its statement.
struct RekeyPackage {
  wire::RekeyMulticast message;
  wire::Statement statement;
  Digest hash{};   // of the statement
  Bytes datagram;  // to send again: without items that were skipped, which nothing covers
};
/// `protocol.statement-form` if the header says anything else than the statement.
[[nodiscard]] Result<RekeyPackage> read_rekey(const wire::Datagram& datagram);

/// Made by somebody who holds the keys of `held`, on which it follows: `keys.bad-packet` otherwise.
/// Costs no signature check, so that no outsider can keep a member busy with forgeries.
[[nodiscard]] Result<void> check_made_by_holder(const Epoch& held, const RekeyPackage& package);

/// State 10 on top of `check.held`, which must be there: every check of profile P18 in its order;
/// nothing is changed. `protocol.epoch-missing` if the package follows an epoch that is not held:
/// then its signature holds, and there is something to repair.
[[nodiscard]] Result<Epoch> check_rekey(const Context& context, const EpochCheck& check,
                                        const RekeyPackage& package, Now now);

}  // namespace gkmpd::protocol
