// Groups into the kernel, with what must be on disk first.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/daemon/adoption.h"
#include "agent/daemon/attachment.h"
#include "agent/daemon/kernel_place.h"
#include "agent/protocol/endpoint.h"
#include "agent/store/store.h"
#include "xfrm/kernel.h"
#include "xfrm/tally.h"

namespace gkmpd::daemon {

/// `spec` without the outbound SA of `spi`. If that was the one in use, outbound packets meet the
/// guard and go nowhere. One that all senders share stays for the others to be heard.
void drop_outbound(xfrm::GroupSpec& spec, std::uint32_t spi);

/// Puts the next of those that stand by in the place of the outbound SA of `spi`, or drops that if
/// there is none: false.
bool use_next(protocol::InstallGroup& wanted, std::uint32_t spi);

/// If an SA that stands by is at work in `standing` already, it is the one to go on with.
void prefer_standing(protocol::InstallGroup& wanted, const xfrm::KernelState& standing);

class Installer {
 public:
  Installer(xfrm::Kernel kernel, store::Store& store, KernelPlace place,
            SettingsByGroup settings = {});

  struct Takeover {
    std::vector<protocol::AdoptedGroup> adopted;
    std::vector<std::string> vanished;  // groups in the record of which nothing stands
    std::size_t removed = 0;            // taken out: of no group that the record names
    std::size_t forgotten = 0;          // of an earlier boot
    std::size_t other = 0;              // of another namespace, kept in the record
  };
  /// What an earlier run left here stays untouched, and is told. Only what the record names no
  /// group for (a store of schema 1 had none) is taken out.
  [[nodiscard]] Result<Takeover> take_over(WallTime now);

  /// Makes the kernel hold the group's spec, attached as the settings say. The record and the burnt
  /// SPIs are on disk before the kernel is touched. An outbound SA that stands already is left as
  /// it is; one whose SPI was burnt before gives its place to the next that stands by. If there is
  /// none, everything else is installed and the error is `daemon.outbound-burnt`. While the group's
  /// interface is not there, everything is installed and bound to none: `daemon.no-interface`.
  /// Other errors: of xfrm, netlink and store. A kernel that is as it should be costs one reading
  /// and nothing on disk. `done`, if given, gets what there was to do.
  [[nodiscard]] Result<void> install(protocol::InstallGroup wanted, xfrm::Tally* done = nullptr);

  /// Makes the kernel hold of an adopted group what `keep` says: see `kept_state`. `done` as above.
  /// `daemon.not-installed` if the record does not have the group. Other errors as above.
  [[nodiscard]] Result<protocol::Kept> keep(const GroupId& group, protocol::Keep keep, WallTime now,
                                            xfrm::Tally* done = nullptr);

  /// Called before each change that takes SAs out of the kernel, and their counters with them.
  void before_sas_go(std::function<void()> hook) { before_sas_go_ = std::move(hook); }

  /// Of our requests to the kernel: events that carry it are the echo of our own doing.
  [[nodiscard]] std::uint32_t port_id() const { return kernel_.port_id(); }
  /// True once the kernel has shown SAs of ours without their keys.
  [[nodiscard]] bool hides_keys() const { return kernel_.hides_keys(); }

  struct Removal {
    std::size_t objects = 0;          // SAs and policies that stood
    std::vector<std::string> groups;  // names, as far as the record has them
  };
  /// Takes those groups out of the kernel and the record whose tokens say so for an orderly stop.
  [[nodiscard]] Result<Removal> remove_stopping();
  /// Takes everything of ours that is here out of the kernel and the record.
  [[nodiscard]] Result<Removal> remove_all();

  struct GroupUsage {
    GroupId group{};
    std::string name;
    EpochTuple tuple;  // of the group's newest epoch here
    xfrm::SaUsage sa;
  };
  /// What the kernel counts of each SA of ours here; by group, then by SPI.
  [[nodiscard]] Result<std::vector<GroupUsage>> usage();

  struct Standing {
    std::size_t sas = 0;
    std::size_t policies = 0;
    std::size_t recorded = 0;
  };
  /// What the kernel holds of our record.
  [[nodiscard]] Result<Standing> standing();

 private:
  using Outbound = std::pair<EpochId, std::uint32_t>;

  using GroupFilter = std::function<bool(const GroupId&)>;
  /// Without repetition: groups on one address share its policies.
  [[nodiscard]] Result<std::vector<xfrm::ObjectId>> record_of(const GroupFilter& which);
  /// Where the group has its place here; without its attachment.
  [[nodiscard]] Result<Placement> place_of(const GroupId& group, const std::string& data_address);
  /// Those of this place.
  [[nodiscard]] Result<std::vector<store::InstalledGroup>> groups_here();
  /// How many records of an earlier boot were dropped, and how many of other namespaces are there.
  [[nodiscard]] Result<void> forget_earlier_boots(Takeover& takeover);
  [[nodiscard]] Result<void> adopt(const std::vector<store::InstalledGroup>& groups, WallTime now,
                                   Takeover& takeover);
  [[nodiscard]] Result<std::size_t> remove(const GroupFilter& which);
  /// What is recorded of a group, and what of it and of `wanted` stands. What is recorded of
  /// another group too, and not wanted, is that group's.
  struct Held {
    std::vector<xfrm::ObjectId> recorded;
    xfrm::KernelState standing;
  };
  [[nodiscard]] Result<Held> held(const GroupId& group, const std::vector<xfrm::ObjectId>& wanted);
  /// SAs of which the kernel tells no keys count as ours only if the group was last installed for
  /// that epoch: another epoch may have the same SPIs under other keys.
  [[nodiscard]] Result<void> doubt_hidden_keys(const protocol::InstallGroup& wanted,
                                               xfrm::KernelState& standing);
  /// Burns what `stages` would install for output. SPIs that were taken come back.
  [[nodiscard]] Result<std::vector<std::uint32_t>> burn(const protocol::InstallGroup& wanted,
                                                        const std::vector<xfrm::Stage>& stages);
  /// What `install` has to do, the outbound SA being chosen and burnt. SPIs that were passed over
  /// for good go to `left_out`.
  [[nodiscard]] Result<std::vector<xfrm::Stage>> choose(protocol::InstallGroup& wanted,
                                                        const xfrm::KernelState& standing,
                                                        std::vector<std::uint32_t>& left_out);
  /// Writes only what is not there.
  [[nodiscard]] Result<void> record(const store::InstalledGroup& row,
                                    const std::vector<xfrm::ObjectId>& recorded,
                                    const std::vector<xfrm::ObjectId>& wanted);
  /// Notes how far each inbound SA had come when it was last seen, and has one that is put back go
  /// on from there (profile S16): what was recorded before then stays a repeat.
  void carry_received(protocol::InstallGroup& wanted, const xfrm::KernelState& standing);
  [[nodiscard]] Result<void> execute(const GroupId& group, const EpochId& epoch,
                                     const std::vector<xfrm::Stage>& stages);
  /// Takes `objects` out of the records of those groups, and not out of other groups'.
  [[nodiscard]] Result<void> forget(const GroupFilter& which,
                                    const std::vector<xfrm::ObjectId>& objects);

  xfrm::Kernel kernel_;
  store::Store& store_;
  KernelPlace place_;
  SettingsByGroup settings_;
  std::function<void()> before_sas_go_ = [] {};
  /// Burnt by this run for an installation that certainly did not come to it: still free.
  std::set<Outbound> unused_;
  /// Of each group's wanted inbound SAs. Another epoch may have the same SPIs under other keys.
  struct Received {
    EpochId epoch_id{};
    std::map<xfrm::ObjectId, std::uint64_t> numbers;
  };
  std::map<GroupId, Received> received_;
};

}  // namespace gkmpd::daemon
