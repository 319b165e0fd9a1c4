#include "agent/ctl/order_commands.h"

#include <CLI/CLI.hpp>

#include "agent/ctl/group_order.h"
#include "agent/ctl/subcommand.h"

namespace gkmpd::ctl {
namespace {

struct CommanderOptions {
  CLI::Option* certificate = nullptr;
  CLI::Option* key = nullptr;
};

/// What every order has. All or none of an order over the network: it is signed, and its receiver
/// checked.
CommanderOptions add_common_options(CLI::App& app, GroupOrder& order, const char* wait) {
  app.add_option("token", order.token_file, "signed group token")->required();
  app.add_option("--wait", order.wait_s, wait);
  CLI::Option* controller =
      app.add_option("--controller", order.controller,
                     "order over the network: the controller's address, with or without :PORT");
  for (CLI::Option* option :
       {app.add_option("--anchor", order.anchor, "certificate of the security manager"),
        app.add_option("--crl", order.crl, "its revocation list")}) {
    controller->needs(option);
    option->needs(controller);
  }
  app.add_option("--address", order.own_address, "send from this address of this host")
      ->needs(controller);
  return {app.add_option("--cert", order.certificate, "the commander's certificate"),
          app.add_option("--key", order.key, "the commander's private key")};
}

/// `order` at the end of the parse, to whom it is meant for.
void run_order(CLI::App& app, int& exit_code, const std::shared_ptr<GroupOrder>& order,
               const std::shared_ptr<const std::string>& socket) {
  run_at_end(app, exit_code, order->json, [order, socket] {
    order->socket = *socket;
    return order->controller.empty() ? order_locally(*order) : order_over_network(*order);
  });
}

}  // namespace

void add_order_commands(CLI::App& group, int& exit_code,
                        const std::shared_ptr<const std::string>& socket) {
  const auto create = std::make_shared<GroupOrder>();
  CLI::App* create_app = group.add_subcommand("create", "create a group from a signed token");
  create_app->fallthrough();
  const auto signing =
      add_common_options(*create_app, *create, "wait so many seconds until all members are keyed");
  create_app->add_option("--members", create->members_file, "member list")->required();
  // On this host the token alone is signed.
  CLI::Option* controller = create_app->get_option("--controller");
  for (CLI::Option* option : {signing.certificate, signing.key}) {
    controller->needs(option);
    option->needs(controller);
  }
  run_order(*create_app, exit_code, create, socket);

  const auto rekey = std::make_shared<GroupOrder>();
  rekey->action = identity::CommandAction::kRekey;
  CLI::App* rekey_app =
      group.add_subcommand("rekey", "have the keys of a group replaced, now or as soon as can be");
  rekey_app->fallthrough();
  const auto signed_by =
      add_common_options(*rekey_app, *rekey, "wait so many seconds until the new epoch stands");
  signed_by.certificate->required();
  signed_by.key->required();
  run_order(*rekey_app, exit_code, rekey, socket);
}

}  // namespace gkmpd::ctl
