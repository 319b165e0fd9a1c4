#include "agent/store/installed.h"

#include "agent/store/rows.h"

namespace gkmpd::store {
namespace {

bool read_group(const Statement& row, InstalledGroup& group) {
  group.network_namespace = row.text(0);
  group.name = row.text(2);
  group.role =
      row.number(3) == 1 ? InstalledGroup::Role::kController : InstalledGroup::Role::kMember;
  group.controller = row.text(4);
  group.data_address = row.text(5);
  group.control_address = row.text(7);
  group.not_after = from_unix(row.number(14));
  group.remove_on_stop = row.number(15) == 1;
  group.release_at = from_unix(row.number(16));
  group.activate_at = from_unix(row.number(19));
  group.controller_address = row.text(20);
  return read_array(row, 1, group.group) && read_number(row, 6, group.data_port) &&
         read_number(row, 8, group.control_port) && read_array(row, 9, group.epoch_id) &&
         read_number(row, 10, group.tuple.token_version) &&
         read_number(row, 11, group.tuple.term) && read_number(row, 12, group.tuple.rank) &&
         read_number(row, 13, group.tuple.epoch) && read_number(row, 17, group.data_protocol) &&
         read_number(row, 18, group.spi_prefix) && read_number(row, 21, group.controller_port);
}

constexpr const char* kSelectGroups =
    "SELECT network_namespace, group_id, group_name, role, controller, data_address, data_port,"
    " control_address, control_port, epoch_id, tuple_token_version, tuple_term, tuple_rank,"
    " tuple_epoch, not_after, remove_on_stop, release_at, data_protocol, spi_prefix,"
    " activate_at, controller_address, controller_port"
    " FROM installed_groups";

}  // namespace

Result<std::vector<InstalledGroup>> read_installed_groups(const Database& database) {
  std::vector<InstalledGroup> groups;
  Statement rows(database, kReadFailed, kSelectGroups);
  while (true) {
    auto row = rows.step();
    if (!row) return pass_on(row);
    if (!*row) return groups;
    InstalledGroup group;
    if (!read_group(rows, group)) return damaged(database, "an installed group");
    groups.push_back(std::move(group));
  }
}

Result<void> write_installed_group(Database& database, const InstalledGroup& group) {
  Statement write(database, kWriteFailed,
                  "INSERT OR REPLACE INTO installed_groups"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  write.bind(group.network_namespace).bind(group.group).bind(group.name);
  write.bind(static_cast<std::uint64_t>(group.role)).bind(group.controller);
  write.bind(group.data_address).bind(group.data_port);
  write.bind(group.control_address).bind(group.control_port).bind(group.epoch_id);
  write.bind(group.tuple.token_version).bind(group.tuple.term).bind(group.tuple.rank);
  write.bind(group.tuple.epoch).bind(to_unix(group.not_after));
  write.bind(std::uint64_t{group.remove_on_stop}).bind(to_unix(group.release_at));
  write.bind(group.data_protocol).bind(group.spi_prefix);
  write.bind(to_unix(group.activate_at)).bind(group.controller_address);
  write.bind(group.controller_port);
  return write.run();
}

Result<void> drop_groups_without_records(Database& database) {
  Statement write(database, kWriteFailed,
                  "DELETE FROM installed_groups AS held WHERE NOT EXISTS"
                  " (SELECT 1 FROM kernel_records WHERE group_id = held.group_id"
                  " AND network_namespace = held.network_namespace)");
  return write.run();
}

}  // namespace gkmpd::store
