// `gkmpctl group create --controller`: the commander's order over the network, from any host.
#pragma once

#include <optional>
#include <string>

namespace gkmpd::ctl {

struct NetworkOrder {
  std::string token_file;
  std::string members_file;
  std::string controller;  // address, with or without a port
  std::string certificate;
  std::string key;
  std::string anchor;
  std::string crl;
  std::string own_address;  // empty: the system's choice
  std::optional<unsigned> wait_s;
  bool json = false;
};

/// Gives the order and, with `wait_s`, follows what becomes of it; returns the exit code.
[[nodiscard]] int create_over_network(const NetworkOrder& order);

}  // namespace gkmpd::ctl
