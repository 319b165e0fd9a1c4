// Rules about what stands in the hosts' kernels.
#pragma once

#include "agent/protocol/endpoint.h"
#include "tests/sim/key_rules.h"

namespace gkmpd::sim {

/// install-before-save: no SA of a tuple whose floor is not on disk.
/// install-outsider: no SA at a host that is not entitled to the group.
/// spi-clash: an SPI is used once per destination, over groups and any 16 epochs in a row.
/// sender-keys-differ: an SPI has one source and one key at every host.
/// outbound: only a listed sender has an outbound SA, one, from its own address; or, where the
/// senders share one, from any.
/// outbound-twice: a host installs a key for output once, whatever becomes of its agent or itself.
/// not-adopted: a host that starts again shows what stands in its kernel, and leaves it alone.
/// early-protect: outbound traffic starts after the activation delay, over an SA that exists.
/// sa-form: key size, lifetime and destination are what the group says.
/// receiver-lacks-sender: (at the end) a keyed host has the inbound SA of each keyed sender.
class KernelRules {
 public:
  KernelRules(Findings& findings, const KeyRules& keys) : findings_(findings), keys_(keys) {}

  /// The host `host`, whose data address is `own_address`, asks its kernel for `install`.
  void on_install(MonoTime now, HostIndex host, const IpAddress& own_address,
                  const protocol::InstallGroup& install, const protocol::Endpoint& endpoint);
  /// The host keeps that much of an adopted group whose newest epoch has generation `newest`. True
  /// if it sends.
  [[nodiscard]] bool on_keep(HostIndex host, const GroupId& group, xfrm::Generation newest,
                             protocol::Keep keep);
  /// The host has stopped, and its SAs are removed.
  void on_crash(HostIndex host);
  /// The agent has started again and shows `views`.
  void on_start(MonoTime now, HostIndex host, const std::vector<protocol::GroupView>& views);
  void at_end(MonoTime now);

  /// ESP keys seen so far.
  [[nodiscard]] std::vector<Bytes> esp_keys() const;
  /// True if just this SA stands there.
  [[nodiscard]] bool has_outbound(HostIndex host, const GroupId& group,
                                  const xfrm::SenderSa& sa) const;
  /// SAs that stand at a host for a group.
  [[nodiscard]] std::size_t sa_count(HostIndex host, const GroupId& group) const;
  [[nodiscard]] bool protects(HostIndex host, const GroupId& group) const;

 private:
  struct Sa {
    EpochId epoch{};
    std::uint32_t spi = 0;
    IpAddress source;
    bool outbound = false;
    xfrm::Generation generation = 0;
    Bytes key;
  };
  struct Installed {
    EpochId epoch{};
    IpAddress destination;
    std::vector<Sa> sas;
    std::optional<xfrm::Generation> protects;  // under which outbound SA
  };
  struct SpiUse {
    EpochId epoch{};
    std::uint32_t epoch_number = 0;
    IpAddress source;
    Bytes key;
  };

  void check_sa(MonoTime now, HostIndex host, const IpAddress& own_address,
                const protocol::InstallGroup& install, const GroupFacts& facts,
                const xfrm::SenderSa& sa);
  void check_activation(MonoTime now, HostIndex host, const protocol::InstallGroup& install,
                        const GroupFacts& facts);
  void check_own_kernel(MonoTime now, HostIndex host);
  [[nodiscard]] static Installed after(const Installed& before,
                                       const protocol::InstallGroup& install);

  Findings& findings_;
  const KeyRules& keys_;
  std::map<HostIndex, std::map<GroupId, Installed>> kernels_;
  std::map<std::pair<IpAddress, std::uint32_t>, SpiUse> spis_;
  std::map<std::pair<HostIndex, EpochId>, MonoTime> first_install_;
  std::set<std::pair<HostIndex, Bytes>> used_for_output_;  // keys
};

}  // namespace gkmpd::sim
