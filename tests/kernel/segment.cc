#include "tests/kernel/segment.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
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

void run_ip(const std::string& options, const std::string& script) {
  const std::string command = "ip " + options + " -batch -";
  FILE* ip = popen(command.c_str(), "w");
  must(ip != nullptr, command);
  (void)std::fwrite(script.data(), 1, script.size(), ip);
  must(pclose(ip) == 0, command + " with:\n" + script);
}

in_addr address(const std::string& text) {
  in_addr out{};
  must(inet_pton(AF_INET, text.c_str(), &out) == 1, "address " + text);
  return out;
}

template <typename T>
void set_option(const Fd& fd, int level, int option, const T& value) {
  must(setsockopt(fd.get(), level, option, &value, sizeof value) == 0,
       "socket option " + std::to_string(option));
}

Fd udp_socket(const Segment& segment, const std::string& host) {
  const Inside inside(segment.host(host));
  Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  must(fd.get() >= 0, "UDP socket");
  return fd;
}

void bind_to(const Fd& fd, const std::string& ip, unsigned short port) {
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_addr = address(ip);
  local.sin_port = htons(port);
  must(bind(fd.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) == 0, "bind " + ip);
}

}  // namespace

Fd::Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

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
    run_ip("-n " + name_of(hosts[i]), "addr add 10.9.0." + std::to_string(i + 1) +
                                          "/24 dev eth0\nlink set lo up\n" +
                                          "link set eth0 up\nroute add 239.0.0.0/8 dev eth0\n");
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

Sender::Sender(const Segment& segment, const std::string& host, const std::string& source)
    : socket_(udp_socket(segment, host)) {
  bind_to(socket_, source, 0);
  set_option(socket_, IPPROTO_IP, IP_MULTICAST_IF, address(source));
  set_option(socket_, IPPROTO_IP, IP_MULTICAST_LOOP, int{1});
}

int Sender::send(const std::string& group, unsigned short port, const std::string& payload) const {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr = address(group);
  to.sin_port = htons(port);
  const ssize_t sent = sendto(socket_.get(), payload.data(), payload.size(), 0,
                              reinterpret_cast<sockaddr*>(&to), sizeof to);
  return sent < 0 ? errno : 0;
}

Listener::Listener(const Segment& segment, const std::string& host, const std::string& group,
                   unsigned short port)
    : socket_(udp_socket(segment, host)) {
  set_option(socket_, SOL_SOCKET, SO_REUSEADDR, int{1});
  bind_to(socket_, group, port);
  const Inside inside(segment.host(host));
  ip_mreqn membership{};
  membership.imr_multiaddr = address(group);
  membership.imr_ifindex = static_cast<int>(if_nametoindex("eth0"));
  set_option(socket_, IPPROTO_IP, IP_ADD_MEMBERSHIP, membership);
  set_option(socket_, SOL_SOCKET, SO_RCVTIMEO, timeval{.tv_sec = kPatienceSeconds, .tv_usec = 0});
}

std::optional<std::string> Listener::next() const {
  char buffer[2048];
  const ssize_t size = recv(socket_.get(), buffer, sizeof buffer, 0);
  if (size < 0) return std::nullopt;
  return std::string(buffer, static_cast<std::size_t>(size));
}

Sniffer::Sniffer(const Segment& segment, const std::string& host) {
  const Inside inside(segment.host(host));
  socket_ = Fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP)));
  must(socket_.get() >= 0, "packet socket");
  sockaddr_ll local{};
  local.sll_family = AF_PACKET;
  local.sll_protocol = htons(ETH_P_IP);
  local.sll_ifindex = static_cast<int>(if_nametoindex("eth0"));
  must(bind(socket_.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) == 0, "bind");
  packet_mreq all{};
  all.mr_ifindex = local.sll_ifindex;
  all.mr_type = PACKET_MR_PROMISC;
  set_option(socket_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, all);
}

std::vector<int> Sniffer::protocols(const std::string& source, const std::string& group) const {
  std::vector<int> found;
  char buffer[2048];
  for (;;) {
    const ssize_t size = recv(socket_.get(), buffer, sizeof buffer, 0);
    if (size < 0) return found;
    iphdr header{};
    if (static_cast<std::size_t>(size) < sizeof header) continue;
    std::memcpy(&header, buffer, sizeof header);
    if (header.saddr == address(source).s_addr && header.daddr == address(group).s_addr)
      found.push_back(header.protocol);
  }
}

}  // namespace gkmpd::test
