// Puts captured ESP frames on a segment again, as they came or with another sequence number:
//
//   esp-replay CAPTURE INTERFACE SOURCE [ADVANCE]
//
// takes every whole IPv4 ESP packet of the capture that came from SOURCE, in order, adds ADVANCE to
// its sequence number (then it is forged: no ICV is right any more), sends it out of the interface
// and prints how many it sent.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/esp_open/packet.h"
#include "tests/support/esp_open/pcap.h"

namespace {

using namespace gkmpd::esp_open;

constexpr std::size_t kSequenceAt = 4;  // in an ESP packet, after the SPI
constexpr useconds_t kPause_us = 1000;  // so that nobody's queue is full

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "esp-replay: %s\n", why.c_str());
  std::exit(1);
}

Octets read_file(const char* name) {
  std::ifstream in(name, std::ios::binary);
  if (!in) give_up(std::string("cannot read ") + name);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

int open_on(const char* interface) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  sockaddr_ll place{};
  place.sll_family = AF_PACKET;
  place.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) {
    give_up(std::string(interface) + ": " + std::strerror(errno));
  }
  return fd;
}

/// The frame with another sequence number in the ESP packet that begins at `esp`.
Octets changed(View frame, std::size_t esp, std::uint32_t sequence) {
  Octets out(frame.begin(), frame.end());
  for (std::size_t i = 0; i < 4; ++i) {
    out[esp + kSequenceAt + i] = static_cast<std::uint8_t>(sequence >> (8 * (3 - i)));
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fprintf(stderr, "usage: esp-replay CAPTURE INTERFACE SOURCE [ADVANCE]\n");
    return 2;
  }
  const auto advance =
      static_cast<std::uint32_t>(argc == 5 ? std::strtoul(argv[4], nullptr, 10) : 0);
  const Octets file = read_file(argv[1]);
  const auto capture = read_capture(file);
  if (!capture) give_up(capture.error());
  if (capture->link != LinkType::kEthernet) give_up("not a capture of Ethernet frames");

  const int fd = open_on(argv[2]);
  std::size_t sent = 0;
  for (const Frame& frame : capture->frames) {
    const auto packet = find_ip(capture->link, frame);
    if (!packet || packet->version != 4 || packet->fragment || packet->source != argv[3]) continue;
    const auto esp = packet->protocol == kProtocolEsp ? read_esp(packet->payload) : std::nullopt;
    if (!esp) continue;
    const auto at = static_cast<std::size_t>(packet->payload.data() - frame.octets.data());
    const Octets octets = changed(frame.octets, at, esp->sequence + advance);
    if (send(fd, octets.data(), octets.size(), 0) < 0) give_up(std::strerror(errno));
    ++sent;
    usleep(kPause_us);
  }
  std::printf("%zu\n", sent);
  return 0;
}
