// What an operator orders with `gkmpctl group create` or `group rekey`, here or over the network.
#pragma once

#include <optional>
#include <string>

#include "agent/identity/command.h"

namespace gkmpd::ctl {

struct GroupOrder {
  identity::CommandAction action = identity::CommandAction::kCreate;
  std::string token_file;
  std::string members_file;  // to create the group
  std::string controller;    // address, with or without a port; empty: the agent of this host
  std::string certificate;   // the commander's, with its key
  std::string key;
  std::string anchor;  // over the network, with the list
  std::string crl;
  std::string own_address;  // over the network; empty: the system's choice
  std::string socket;       // of the agent of this host
  std::optional<unsigned> wait_s;
  bool json = false;
};

/// Rises with every order, whichever host of the commander it comes from, as long as clocks agree.
[[nodiscard]] std::uint64_t counter_of_now();

/// Gives the order to the agent of this host and, with `wait_s`, follows what becomes of it;
/// returns the exit code.
[[nodiscard]] int order_locally(const GroupOrder& order);
/// Likewise to the controller at `controller`, as the commander.
[[nodiscard]] int order_over_network(const GroupOrder& order);

}  // namespace gkmpd::ctl
