// A directory that goes with the test, and values to store.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "agent/store/store.h"

namespace gkmpd::store {

class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "gkmpd-store-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    directory_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string path(const std::string& name = "state.db") const {
    return (directory_ / name).string();
  }

 private:
  std::filesystem::path directory_;
};

inline Store open_or_die(const std::string& path) {
  auto store = Store::open(path);
  if (!store) {
    ADD_FAILURE() << store.error().text();
    std::abort();
  }
  return std::move(*store);
}

inline GroupId group(std::uint8_t number) {
  GroupId id{};
  id.fill(number);
  return id;
}

inline Floor floor_at(std::uint32_t token_version, EpochTuple tuple,
                      std::uint16_t next_sender_id = 1) {
  Floor floor;
  floor.group_name = "demo";
  floor.token_version = token_version;
  floor.token_hash.fill(static_cast<std::uint8_t>(token_version));
  floor.tuple = tuple;
  floor.next_sender_id = next_sender_id;
  return floor;
}

inline InstalledGroup installed(std::uint8_t number, const std::string& place = "4026531840/boot") {
  InstalledGroup value;
  value.network_namespace = place;
  value.group = group(number);
  value.name = "demo";
  value.role = InstalledGroup::Role::kController;
  value.controller = "a";
  value.data_address = "239.1.1.1";
  value.data_port = 5000;
  value.control_address = "239.1.1.2";
  value.control_port = 8480;
  value.epoch_id.fill(number);
  value.tuple = {1, 2, 14, 0xffffffff};
  value.not_after = from_unix(1800000000);
  value.remove_on_stop = true;
  value.release_at = from_unix(1700000020);
  value.activate_at = from_unix(1700000010);
  value.controller_address = "10.9.0.7";
  value.controller_port = 8480;
  return value;
}

}  // namespace gkmpd::store
