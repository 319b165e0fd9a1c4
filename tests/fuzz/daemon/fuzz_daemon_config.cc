// Any text: refused with file and reason, or a configuration whose values are within their limits.
#include <cstdlib>

#include "agent/daemon/config.h"

namespace {

void check(bool good) {
  if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gkmpd;
  const auto config = daemon::parse_config(as_text(ByteView(data, size)), "/etc/gkmpd.toml");
  if (!config) {
    check(config.error().name().starts_with("config."));
    check(config.error().detail.starts_with("/etc/gkmpd.toml:"));
    return 0;
  }
  check(config->port != 0);
  check(config->addresses.size() == 1 || config->addresses.size() == 2);
  check(config->addresses.front().family < config->addresses.back().family ||
        config->addresses.size() == 1);
  for (const IpAddress& ip : config->addresses) {
    check(!ip.is_multicast() && !ip.is_unspecified() && !ip.is_v6_link_local());
  }
  check(config->certificate.is_absolute() && config->key.is_absolute());
  check(!config->interface.empty() && !config->socket.empty() && !config->store.empty());
  check(config->limits.max_rekey_interval_s >= daemon::kMinRekeyInterval_s);
  check(config->hosts.size() <= daemon::kMaxHosts);
  return 0;
}
