#include "netlink/links.h"

#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/xfrmi.h>

#include <algorithm>
#include <memory>

namespace gkmpd::netlink {
namespace {

struct Deleter {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
  void operator()(nl_cache* cache) const { nl_cache_free(cache); }
  void operator()(rtnl_link* link) const { rtnl_link_put(link); }
};
using NlSocket = std::unique_ptr<nl_sock, Deleter>;
using NlCache = std::unique_ptr<nl_cache, Deleter>;
using NlLink = std::unique_ptr<rtnl_link, Deleter>;

tl::unexpected<Error> unreadable(std::string_view step, int error) {
  return fail(kLinksUnreadable, std::string(step) + ": " + nl_geterror(error));
}

struct AddressReader {
  int index = 0;
  std::vector<IpAddress> addresses;
};

void read_address(nl_object* object, void* argument) {
  auto* reader = static_cast<AddressReader*>(argument);
  auto* address = reinterpret_cast<rtnl_addr*>(object);
  if (rtnl_addr_get_ifindex(address) != reader->index) return;
  const nl_addr* local = rtnl_addr_get_local(address);
  if (local == nullptr) return;
  const auto* octets = static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(local));
  const auto parsed = IpAddress::from_octets({octets, nl_addr_get_len(local)});
  if (parsed) reader->addresses.push_back(*parsed);
}

/// 0 if it is no XFRM interface.
std::uint32_t xfrm_if_id_of(rtnl_link* link) {
  std::uint32_t id = 0;
  if (rtnl_link_is_xfrmi(link) == 0 || rtnl_link_xfrmi_get_if_id(link, &id) < 0) return 0;
  return id;
}

}  // namespace

bool Link::has(const IpAddress& address) const {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

Result<Link> find_link(std::string_view name) {
  const std::string wanted(name);
  if (wanted.empty() || wanted.size() >= IFNAMSIZ)
    return fail(kNoSuchLink, "\"" + wanted + "\" is no name of an interface");

  const NlSocket socket(nl_socket_alloc());
  if (!socket) return unreadable("socket", -NLE_NOMEM);
  if (const int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0)
    return unreadable("connect", error);

  rtnl_link* raw_link = nullptr;
  if (const int error = rtnl_link_get_kernel(socket.get(), 0, wanted.c_str(), &raw_link);
      error < 0) {
    if (error == -NLE_OBJ_NOTFOUND || error == -NLE_NODEV)
      return fail(kNoSuchLink, "no interface " + wanted);
    return unreadable("interface " + wanted, error);
  }
  const NlLink link(raw_link);
  Link result{.index = static_cast<unsigned>(rtnl_link_get_ifindex(link.get())),
              .name = wanted,
              .up = (rtnl_link_get_flags(link.get()) & IFF_UP) != 0,
              .xfrm_if_id = xfrm_if_id_of(link.get()),
              .addresses = {}};

  nl_cache* raw_cache = nullptr;
  if (const int error = rtnl_addr_alloc_cache(socket.get(), &raw_cache); error < 0)
    return unreadable("addresses of " + wanted, error);
  const NlCache cache(raw_cache);
  AddressReader reader{.index = rtnl_link_get_ifindex(link.get()), .addresses = {}};
  nl_cache_foreach(cache.get(), read_address, &reader);
  result.addresses = std::move(reader.addresses);
  return result;
}

}  // namespace gkmpd::netlink
