#include "agent/daemon/startup.h"

#include <fmt/format.h>

#include <filesystem>

#include "agent/crypto/random.h"
#include "agent/daemon/errors.h"
#include "agent/daemon/loop.h"
#include "agent/daemon/views.h"
#include "netlink/links.h"
#include "xfrm/offer.h"

namespace gkmpd::daemon {
namespace {

using protocol::Report;

Result<std::optional<crypto::Crl>> stored_crl(store::Store& store, const Digest& issuer) {
  auto der = store.crl(issuer);
  if (!der) return pass_on(der);
  if (!*der) return std::nullopt;
  auto crl = crypto::Crl::from_der(**der);
  if (!crl) return pass_on(crl);
  return *std::move(crl);
}

/// Brings file and store together, and raises the time floor by what the held list proves.
Result<void> settle_crl(Credentials& credentials, store::Store& store,
                        std::optional<WallTime>& time_floor, const Reporter& report) {
  identity::TrustStore& trust = credentials.trust;
  const Digest& issuer = trust.anchor_key_hash();
  auto stored = stored_crl(store, issuer);
  if (!stored) return pass_on(stored);
  auto outcome = take_crls(trust, *stored, credentials.crl, trusted_wall(wall_now(), time_floor));
  if (!outcome) return pass_on(outcome);
  if (outcome->rolled_back) {
    report({Report::Level::kError, "crl-rolled-back", "", "", outcome->rolled_back->text()});
  }
  if (outcome->replaced_same_number) {
    report({Report::Level::kError, "crl-number-reused", "", "",
            "the security manager issued two lists with one number; the later one is held"});
  }
  const crypto::Crl& held = *trust.crl();
  if (outcome->save) {
    auto saved = store.save_crl(issuer, held.number(), held.der());
    if (!saved) return saved;
  }
  auto raised = store.raise_time_floor(held.this_update());
  if (!raised) return raised;
  time_floor = trusted_wall(held.this_update(), time_floor);
  if (!is_clock_trusted(wall_now(), time_floor)) {
    report({Report::Level::kError, "clock-behind", "", "",
            "the system's clock is before the newest revocation list; validity is judged by that "
            "list's date until the clock is set"});
  }
  if (held.next_update() && *held.next_update() < trusted_wall(wall_now(), time_floor)) {
    report({Report::Level::kWarning, "crl-expired", "", "",
            fmt::format("revocation list {} should have been replaced by now; it still serves",
                        held.number())});
  }
  return {};
}

void report_adopted(const protocol::AdoptedGroup& group, const Reporter& report) {
  report({Report::Level::kInfo, "adopted", group.name, group.memo.controller,
          fmt::format("epoch {} is at work until {}", group.memo.tuple.text(),
                      time_text(group.memo.not_after))});
  if (group.missing.empty()) return;
  report({Report::Level::kWarning, "adopted-incomplete", group.name, "",
          fmt::format("{}; policies are put back, SAs when the group is created again",
                      group.missing)});
}

Result<std::vector<protocol::AdoptedGroup>> take_over(Installer& installer, WallTime now,
                                                      const Reporter& report) {
  auto taken = installer.take_over(now);
  if (!taken) return pass_on(taken);
  if (taken->removed + taken->forgotten + taken->other > 0) {
    report({Report::Level::kInfo, "leftovers-removed", "", "",
            fmt::format("{} SAs and policies taken out that no group is recorded for (an earlier "
                        "version's), {} of an earlier boot forgotten, {} of other network "
                        "namespaces left alone",
                        taken->removed, taken->forgotten, taken->other)});
  }
  for (const std::string& name : taken->vanished) {
    report({Report::Level::kWarning, "not-adopted", name, "",
            "nothing of it stands in this kernel any more: its address is open on this host"});
  }
  for (const auto& group : taken->adopted) report_adopted(group, report);
  return std::move(taken->adopted);
}

}  // namespace

Result<unsigned> check_interface(const Config& config) {
  auto link = netlink::find_link(config.interface);
  if (!link) return fail(kNoInterface, fmt::format("control.interface: {}", link.error().text()));
  if (!link->up) {
    return fail(kNoInterface,
                fmt::format("{} is down; run: ip link set {} up", link->name, link->name));
  }
  for (const IpAddress& ip : config.addresses) {
    if (!link->has(ip)) {
      return fail(kAddressNotOnInterface,
                  fmt::format("control.address {} is not on {}", ip.text(), link->name));
    }
  }
  return link->index;
}

Result<Prepared> prepare(const Config& config, const Reporter& report) {
  auto credentials = load_credentials(config);
  if (!credentials) return pass_on(credentials);
  auto interface = check_interface(config);
  if (!interface) return pass_on(interface);

  auto opened = store::Store::open(config.store.string());
  if (!opened) return pass_on(opened);
  auto store = std::make_unique<store::Store>(*std::move(opened));
  auto time_floor = store->time_floor();
  if (!time_floor) return pass_on(time_floor);
  auto settled = settle_crl(*credentials, *store, *time_floor, report);
  if (!settled) return pass_on(settled);
  auto stored_floors = store->floors();
  if (!stored_floors) return pass_on(stored_floors);
  std::map<GroupId, protocol::GroupFloor> floors;
  for (const auto& [group, floor] : *stored_floors) floors.emplace(group, from_store(floor));

  auto place = KernelPlace::current();
  if (!place) return pass_on(place);
  auto kernel = xfrm::Kernel::open();
  if (!kernel) return pass_on(kernel);
  crypto::SystemRandom random;
  auto lacks = xfrm::find_lacks(random);
  if (!lacks) return pass_on(lacks);
  if (!lacks->empty()) {
    report({Report::Level::kInfo, "kernel-lacks", "", "", lacks_text(*lacks)});
  }
  Installer installer(*std::move(kernel), *store, *std::move(place), config.groups);
  auto adopted = take_over(installer, trusted_wall(wall_now(), *time_floor), report);
  if (!adopted) return pass_on(adopted);
  return Prepared{std::move(store), std::move(installer), *std::move(credentials),
                  *time_floor,      std::move(floors),    *std::move(adopted),
                  *interface,       *std::move(lacks)};
}

Result<Installer::Removal> remove_from_kernel(const Config& config) {
  std::error_code none;
  if (!std::filesystem::exists(config.store, none)) return Installer::Removal{};
  auto store = store::Store::open(config.store.string());
  if (!store) return pass_on(store);
  auto place = KernelPlace::current();
  if (!place) return pass_on(place);
  auto kernel = xfrm::Kernel::open();
  if (!kernel) return pass_on(kernel);
  return Installer(*std::move(kernel), *store, *std::move(place)).remove_all();
}

store::Floor to_store(const std::string& group_name, const protocol::GroupFloor& floor) {
  store::Floor stored{group_name,  floor.token.version,  floor.token.hash,
                      floor.tuple, floor.next_sender_id, floor.marks.by_commander};
  // Under a name that no host's hash can be.
  if (floor.marks.others != 0) stored.command_marks[NameHash{}] = floor.marks.others;
  return stored;
}

protocol::GroupFloor from_store(const store::Floor& floor) {
  protocol::GroupFloor held{{floor.token_version, floor.token_hash},
                            floor.tuple,
                            floor.next_sender_id,
                            {floor.command_marks, 0}};
  if (const auto others = held.marks.by_commander.extract(NameHash{})) {
    held.marks.others = others.mapped();
  }
  return held;
}

}  // namespace gkmpd::daemon
