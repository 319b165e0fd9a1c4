#include "tests/kernel/segment.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <thread>
#include <utility>

namespace gkmpd::test {
namespace {

// Long enough for the slowest machine: reached only when a test fails.
constexpr int kPatienceSeconds = 10;

void must(bool succeeded, const std::string& what) {
  if (succeeded) return;
  std::fprintf(stderr, "test set-up failed: %s: %s\n", what.c_str(), std::strerror(errno));
  std::abort();
}

/// Or until all patience is at its end.
void wait_until(const std::function<bool()>& reached) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kPatienceSeconds);
  while (!reached() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

void run_ip(const std::string& options, const std::string& script) {
  const std::string command = "ip " + options + " -batch -";
  FILE* ip = popen(command.c_str(), "w");
  must(ip != nullptr, command);
  (void)std::fwrite(script.data(), 1, script.size(), ip);
  must(pclose(ip) == 0, command + " with:\n" + script);
}

/// A socket address of either family.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] int family() const { return storage.ss_family; }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

int family_of(const std::string& address) {
  return address.find(':') == std::string::npos ? AF_INET : AF_INET6;
}

template <typename Address>
Address address(const std::string& text) {
  Address out{};
  must(inet_pton(family_of(text), text.c_str(), &out) == 1, "address " + text);
  return out;
}

Endpoint endpoint(const std::string& ip, unsigned short port) {
  Endpoint out;
  if (family_of(ip) == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr = address<in_addr>(ip);
    v4.sin_port = htons(port);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.size = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = address<in6_addr>(ip);
    v6.sin6_port = htons(port);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.size = sizeof v6;
  }
  return out;
}

/// The protocol of an IP packet that is from `source` to `group`.
std::optional<int> protocol_between(const std::string& packet, const std::string& source,
                                    const std::string& group) {
  if (family_of(source) == AF_INET) {
    ip header{};
    if (packet.size() < sizeof header) return std::nullopt;
    std::memcpy(&header, packet.data(), sizeof header);
    const bool between = header.ip_v == 4 &&
                         header.ip_src.s_addr == address<in_addr>(source).s_addr &&
                         header.ip_dst.s_addr == address<in_addr>(group).s_addr;
    return between ? std::optional<int>(header.ip_p) : std::nullopt;
  }
  ip6_hdr header{};
  if (packet.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, packet.data(), sizeof header);
  const auto from = address<in6_addr>(source);
  const auto to = address<in6_addr>(group);
  const bool between = (header.ip6_vfc >> 4) == 6 && IN6_ARE_ADDR_EQUAL(&header.ip6_src, &from) &&
                       IN6_ARE_ADDR_EQUAL(&header.ip6_dst, &to);
  return between ? std::optional<int>(header.ip6_nxt) : std::nullopt;
}

template <typename T>
void set_option(const Fd& fd, int level, int option, const T& value) {
  must(setsockopt(fd.get(), level, option, &value, sizeof value) == 0,
       "socket option " + std::to_string(option));
}

Fd udp_socket(const Segment& segment, const std::string& host, int family) {
  const Inside inside(segment.host(host));
  Fd fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  must(fd.get() >= 0, "UDP socket");
  return fd;
}

void bind_to(const Fd& fd, const Endpoint& local) {
  must(bind(fd.get(), local.get(), local.size) == 0, "bind");
}

unsigned index_of(const Segment& segment, const std::string& host, const std::string& interface) {
  const Inside inside(segment.host(host));
  return if_nametoindex(interface.c_str());
}

}  // namespace

Inside::Inside(const Fd& network_namespace)
    : former_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  must(setns(network_namespace.get(), CLONE_NEWNET) == 0, "setns");
}
Inside::~Inside() { must(setns(former_.get(), CLONE_NEWNET) == 0, "setns back"); }

Segment::Segment(const std::vector<std::string>& hosts)
    : prefix_("gkmpdk" + std::to_string(getpid())), names_(hosts) {
  const std::string bridge = name_of("switch");
  std::string make = "netns add " + bridge + "\n";
  std::string plug = "link add br0 type bridge mcast_snooping 0\nlink set br0 up\n";
  for (const std::string& host : hosts) {
    make += "netns add " + name_of(host) + "\nlink add p" + host + " netns " + bridge +
            " type veth peer name eth0 netns " + name_of(host) + "\n";
    plug += "link set p" + host + " master br0\nlink set p" + host + " up\n";
  }
  run_ip("", make);
  run_ip("-n " + bridge, plug);
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    run_ip("-n " + name_of(hosts[i]),
           "addr add 10.9.0." + std::to_string(i + 1) + "/24 dev eth0\nlink set lo up\n" +
               "link set eth0 up\nroute add 239.0.0.0/8 dev eth0\n" +
               "addr add fd09::" + std::to_string(i + 1) + "/64 dev eth0 nodad\n");
    const std::string path = "/run/netns/" + name_of(hosts[i]);
    Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    must(fd.get() >= 0, path);
    namespaces_.emplace(hosts[i], std::move(fd));
  }
}

Segment::~Segment() {
  std::string script = "netns del " + name_of("switch") + "\n";
  for (const std::string& host : names_) script += "netns del " + name_of(host) + "\n";
  run_ip("", script);
}

std::string Segment::name_of(const std::string& host) const { return prefix_ + host; }

void Segment::ip(const std::string& host, const std::string& arguments) const {
  run_ip("-n " + name_of(host), arguments + "\n");
}

void Segment::set(const std::string& host, const std::string& path,
                  const std::string& value) const {
  const Inside inside(this->host(host));
  std::ofstream file("/proc/sys/" + path);
  file << value << std::flush;
  must(file.good(), "setting " + path);
}

unsigned long Segment::xfrm_counter(const std::string& host, const std::string& name) const {
  const Inside inside(this->host(host));
  std::ifstream file("/proc/thread-self/net/xfrm_stat");
  std::string key;
  unsigned long value = 0;
  while (file >> key >> value)
    if (key == name) return value;
  must(false, "no counter " + name);
  return 0;
}

unsigned long Segment::xfrm_counter_at(const std::string& host, const std::string& name,
                                       unsigned long least) const {
  wait_until([&] { return xfrm_counter(host, name) >= least; });
  return xfrm_counter(host, name);
}

Sender::Sender(const Segment& segment, const std::string& host, const std::string& source,
               const std::string& interface)
    : socket_(udp_socket(segment, host, family_of(source))) {
  bind_to(socket_, endpoint(source, 0));
  if (family_of(source) == AF_INET) {
    ip_mreqn by{};
    by.imr_ifindex = static_cast<int>(index_of(segment, host, interface));
    set_option(socket_, IPPROTO_IP, IP_MULTICAST_IF, by);
    set_option(socket_, IPPROTO_IP, IP_MULTICAST_LOOP, int{1});
  } else {
    set_option(socket_, IPPROTO_IPV6, IPV6_MULTICAST_IF, index_of(segment, host, interface));
    set_option(socket_, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, int{1});
  }
}

int Sender::send(const std::string& group, unsigned short port, const std::string& payload) const {
  const Endpoint to = endpoint(group, port);
  const ssize_t sent = sendto(socket_.get(), payload.data(), payload.size(), 0, to.get(), to.size);
  return sent < 0 ? errno : 0;
}

void Sender::mark(std::uint32_t value) const { set_option(socket_, SOL_SOCKET, SO_MARK, value); }

Listener::Listener(const Segment& segment, const std::string& host, const std::string& group,
                   unsigned short port, const std::optional<std::string>& source,
                   const std::string& interface)
    : socket_(udp_socket(segment, host, family_of(group))) {
  set_option(socket_, SOL_SOCKET, SO_REUSEADDR, int{1});
  bind_to(socket_, endpoint(group, port));
  const Endpoint joined = endpoint(group, 0);
  const int level = joined.family() == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  group_source_req membership{};
  membership.gsr_interface = index_of(segment, host, interface);
  std::memcpy(&membership.gsr_group, &joined.storage, joined.size);
  if (source) {
    const Endpoint from = endpoint(*source, 0);
    std::memcpy(&membership.gsr_source, &from.storage, from.size);
    set_option(socket_, level, MCAST_JOIN_SOURCE_GROUP, membership);
  } else {
    const group_req any{.gr_interface = membership.gsr_interface, .gr_group = membership.gsr_group};
    set_option(socket_, level, MCAST_JOIN_GROUP, any);
  }
  set_option(socket_, SOL_SOCKET, SO_RCVTIMEO, timeval{.tv_sec = kPatienceSeconds, .tv_usec = 0});
}

std::optional<std::string> Listener::next() const {
  char buffer[4096];
  const ssize_t size = recv(socket_.get(), buffer, sizeof buffer, 0);
  if (size < 0) return std::nullopt;
  return std::string(buffer, static_cast<std::size_t>(size));
}

Sniffer::Sniffer(const Segment& segment, const std::string& host) {
  const Inside inside(segment.host(host));
  socket_ = Fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)));
  must(socket_.get() >= 0, "packet socket");
  set_option(socket_, SOL_PACKET, PACKET_IGNORE_OUTGOING, int{1});
  sockaddr_ll local{};
  local.sll_family = AF_PACKET;
  local.sll_protocol = htons(ETH_P_ALL);
  local.sll_ifindex = static_cast<int>(if_nametoindex("eth0"));
  must(bind(socket_.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) == 0, "bind");
  packet_mreq all{};
  all.mr_ifindex = local.sll_ifindex;
  all.mr_type = PACKET_MR_PROMISC;
  set_option(socket_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, all);
}

const std::vector<std::string>& Sniffer::packets() {
  char buffer[2048];
  for (;;) {
    const ssize_t size = recv(socket_.get(), buffer, sizeof buffer, 0);
    if (size < 0) break;
    packets_.emplace_back(buffer, static_cast<std::size_t>(size));
  }
  return packets_;
}

std::vector<int> Sniffer::protocols(const std::string& source, const std::string& group,
                                    std::size_t least) {
  std::vector<int> found;
  wait_until([&] {
    found.clear();
    for (const std::string& packet : packets())
      if (const auto protocol = protocol_between(packet, source, group)) found.push_back(*protocol);
    return found.size() >= least;
  });
  return found;
}

}  // namespace gkmpd::test
