// Sends captured datagrams again, from the address and ports that they came from:
//
//   udp-replay CAPTURE FROM TO PORT
//
// takes every UDP datagram of the capture that went from FROM to TO at PORT, in order, and prints
// how many it sent. Runs on the host that has the address FROM.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "tests/support/esp_open/packet.h"
#include "tests/support/esp_open/pcap.h"

namespace {

using namespace gkmpd::esp_open;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "udp-replay: %s\n", why.c_str());
  std::exit(1);
}

sockaddr_in address(const std::string& ip, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  if (inet_pton(AF_INET, ip.c_str(), &out.sin_addr) != 1) give_up(ip + " is no IPv4 address");
  return out;
}

int bound_socket(const std::string& ip, std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const sockaddr_in from = address(ip, port);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
    give_up(ip + " port " + std::to_string(port) + ": " + std::strerror(errno));
  }
  return fd;
}

Octets read_file(const char* name) {
  std::ifstream in(name, std::ios::binary);
  if (!in) give_up(std::string("cannot read ") + name);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: udp-replay CAPTURE FROM TO PORT\n");
    return 2;
  }
  const std::string from = argv[2];
  const std::string to = argv[3];
  const auto port = static_cast<std::uint16_t>(std::strtoul(argv[4], nullptr, 10));
  const Octets file = read_file(argv[1]);
  const auto capture = read_capture(file);
  if (!capture) give_up(capture.error());

  const sockaddr_in target = address(to, port);
  std::map<std::uint16_t, int> sockets;
  std::size_t sent = 0;
  for (const Frame& frame : capture->frames) {
    const auto packet = find_ip(capture->link, frame);
    if (!packet || packet->fragment || packet->protocol != kProtocolUdp) continue;
    if (packet->source != from || packet->destination != to) continue;
    const auto datagram = read_udp(*packet, packet->payload, /*check=*/false);
    if (!datagram || datagram->destination_port != port) continue;
    const auto [socket, is_new] = sockets.try_emplace(datagram->source_port, -1);
    if (is_new) socket->second = bound_socket(from, datagram->source_port);
    const View octets = datagram->payload;
    if (sendto(socket->second, octets.data(), octets.size(), 0,
               reinterpret_cast<const sockaddr*>(&target), sizeof target) < 0) {
      give_up(std::strerror(errno));
    }
    ++sent;
    usleep(2000);  // so that the receiver's buffer takes them all
  }
  std::printf("%zu\n", sent);
  return 0;
}
