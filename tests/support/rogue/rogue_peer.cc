// rogue-peer: a peer over UDP that keeps the cryptography of the protocol and lies about everything
// else. Prints as JSON what came of it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/base/fd.h"
#include "agent/crypto/random.h"
#include "tests/support/rogue/files.h"
#include "tests/support/rogue/peer.h"

namespace gkmpd::rogue {
namespace {

using Json = nlohmann::ordered_json;

struct Settings {
  std::string role;
  Path certificate;
  Path key;
  bool claims_key = false;
  Path anchor;
  Path crl;
  std::vector<std::string> categories;
  std::string address;
  std::uint16_t port = 0;
  std::int64_t patience_ms = 3000;
  std::int64_t first_patience_ms = 10'000;
  // As a controller:
  int figure = 1;
  std::string group;
  Path token;
  std::string announced;
  int suite = 0;
  std::string peer_name;
  std::string peer_address;
  std::uint16_t peer_port = 0;
};

Now now() {
  return {MonoTime(std::chrono::duration_cast<milliseconds>(
              std::chrono::steady_clock::now().time_since_epoch())),
          std::chrono::floor<seconds>(std::chrono::system_clock::now())};
}

IpAddress address_of(const std::string& text) {
  const auto address = IpAddress::parse(text);
  if (!address) give_up("not an address: " + text);
  return *address;
}

/// A UDP socket of one address.
class Socket {
 public:
  explicit Socket(const SocketAddress& own)
      : fd_(::socket(own.ip.family == IpFamily::kV4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC,
                     0)) {
    const Raw raw = to_raw(own);
    if (!fd_ || ::bind(fd_.get(), &raw.any, raw.size()) != 0) {
      give_up(own.text() + ": " + std::strerror(errno));
    }
  }

  void send(const protocol::Transmit& transmit) const {
    const Raw to = to_raw(transmit.to);
    if (::sendto(fd_.get(), transmit.octets.data(), transmit.octets.size(), 0, &to.any, to.size()) <
        0) {
      give_up(transmit.to.text() + ": " + std::strerror(errno));
    }
  }
  /// Waits for at most `most`; nothing if nothing came.
  [[nodiscard]] std::optional<std::pair<SocketAddress, Bytes>> receive(milliseconds most) const {
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(most.count())) <= 0) return std::nullopt;
    std::array<std::uint8_t, 2048> octets{};
    Raw from{};
    socklen_t size = sizeof from;
    const auto got = ::recvfrom(fd_.get(), octets.data(), octets.size(), 0, &from.any, &size);
    if (got < 0) return std::nullopt;
    return std::pair{from_raw(from),
                     to_bytes(ByteView(octets).first(static_cast<std::size_t>(got)))};
  }

 private:
  union Raw {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    [[nodiscard]] socklen_t size() const {
      return any.sa_family == AF_INET ? sizeof v4 : sizeof v6;
    }
  };
  static Raw to_raw(const SocketAddress& address) {
    Raw raw{};
    if (address.ip.family == IpFamily::kV4) {
      raw.v4.sin_family = AF_INET;
      raw.v4.sin_port = htons(address.port);
      std::memcpy(&raw.v4.sin_addr, address.ip.octets.data(), 4);
    } else {
      raw.v6.sin6_family = AF_INET6;
      raw.v6.sin6_port = htons(address.port);
      std::memcpy(&raw.v6.sin6_addr, address.ip.octets.data(), 16);
    }
    return raw;
  }
  static SocketAddress from_raw(const Raw& raw) {
    SocketAddress address;
    if (raw.any.sa_family == AF_INET) {
      address.port = ntohs(raw.v4.sin_port);
      std::memcpy(address.ip.octets.data(), &raw.v4.sin_addr, 4);
    } else {
      address.ip.family = IpFamily::kV6;
      address.port = ntohs(raw.v6.sin6_port);
      std::memcpy(address.ip.octets.data(), &raw.v6.sin6_addr, 16);
    }
    return address;
  }

  Fd fd_;
};

Face face_of(const Settings& settings) {
  Face face{read_certificate(settings.certificate), read_key(settings.key), std::nullopt};
  if (settings.claims_key) face.claimed_key = face.certificate.public_key();
  return face;
}

std::optional<Digest> digest_of(const std::string& hex) {
  if (hex.empty()) return std::nullopt;
  const auto octets = from_hex(hex);
  Digest digest{};
  if (!octets || octets->size() != digest.size()) give_up("--announce wants 64 digits");
  std::ranges::copy(*octets, digest.begin());
  return digest;
}

/// 0 leaves it to the token.
std::optional<Suite> suite_of(int number) {
  if (number == 0) return std::nullopt;
  return static_cast<Suite>(number);
}

std::unique_ptr<Peer> make_peer(const Settings& settings, Random& random) {
  const SocketAddress own{address_of(settings.address), settings.port};
  auto trust = read_trust(settings.anchor, settings.crl, now().wall);
  std::set<std::string> categories(settings.categories.begin(), settings.categories.end());
  if (settings.role == "member") {
    return std::make_unique<Member>(face_of(settings), std::move(trust), own, std::move(categories),
                                    random);
  }
  if (settings.group.empty() || settings.token.empty() || settings.peer_name.empty() ||
      settings.peer_address.empty()) {
    give_up("a controller wants --group, --token, --peer-name and --peer");
  }
  const protocol::Flow flow =
      settings.figure == 1 ? protocol::Flow::kGroup : protocol::Flow::kSession;
  const std::string token = read_file(settings.token);
  auto controller = std::make_unique<Controller>(
      face_of(settings), std::move(trust), own, std::move(categories), random,
      Controller::Order{
          flow,
          settings.group,
          to_bytes(as_bytes(token)),
          digest_of(settings.announced),
          suite_of(settings.suite),
          {settings.peer_name, {address_of(settings.peer_address), settings.peer_port}}});
  controller->start(now());
  return controller;
}

/// Until the exchange is over, or nothing new has come for as long as one has patience.
void converse(Peer& peer, const Socket& socket, const Settings& settings) {
  MonoTime give_up_at = now().mono + milliseconds(settings.first_patience_ms);
  std::size_t heard = 0;
  for (;;) {
    while (const auto transmit = peer.poll_transmit()) socket.send(*transmit);
    if (peer.keyed() || peer.refusal()) return;
    if (peer.heard().size() > heard) {
      heard = peer.heard().size();
      give_up_at = now().mono + milliseconds(settings.patience_ms);
    }
    const MonoTime at = now().mono;
    if (at >= give_up_at) return;
    MonoTime wake = give_up_at;
    if (const auto due = peer.next_timeout()) wake = std::min(wake, *due);
    if (wake > at) {
      if (const auto got = socket.receive(wake - at)) {
        peer.handle_datagram(now(), got->first, got->second);
      }
    } else {
      peer.handle_timeout(now());
    }
  }
}

int run(const Settings& settings) {
  crypto::SystemRandom random;
  const auto peer = make_peer(settings, random);
  const Socket socket(peer->address());
  converse(*peer, socket, settings);
  const char* outcome = peer->keyed() ? "keyed" : peer->refusal() ? "refused" : "silence";
  const auto or_null = [](const std::optional<std::string>& text) {
    return text ? Json(*text) : Json(nullptr);
  };
  std::cout << Json{{"outcome", outcome},
                    {"error", or_null(peer->refusal())},
                    {"heard", peer->heard()},
                    {"own_error", or_null(peer->own_error())}}
            << '\n';
  return 0;
}

}  // namespace
}  // namespace gkmpd::rogue

int main(int argc, char** argv) {
  gkmpd::rogue::Settings settings;
  CLI::App app("A peer that keeps the cryptography and lies about everything else.");
  app.add_option("--as", settings.role, "role")
      ->required()
      ->check(CLI::IsMember({"controller", "member"}));
  app.add_option("--cert", settings.certificate, "certificate to show")->required();
  app.add_option("--key", settings.key, "key to sign with")->required();
  app.add_flag("--claim-key", settings.claims_key,
               "show the certificate's key in the Create message, whatever --key is");
  app.add_option("--anchor", settings.anchor, "anchor of the honest hosts")->required();
  app.add_option("--crl", settings.crl, "its revocation list")->required();
  app.add_option("--category", settings.categories, "category of the group; may be repeated");
  app.add_option("--address", settings.address, "own address")->required();
  app.add_option("--port", settings.port, "own port")->required();
  app.add_option("--patience-ms", settings.patience_ms,
                 "wait for what is new, after something came");
  app.add_option("--first-patience-ms", settings.first_patience_ms, "wait for the first to come");
  app.add_option("--figure", settings.figure, "of RFC 2093: 1 makes group keys, 2 brings them")
      ->check(CLI::IsMember({1, 2}));
  app.add_option("--group", settings.group, "group's name");
  app.add_option("--token", settings.token, "file of what goes out as token");
  app.add_option("--announce", settings.announced, "token hash to announce instead of the token's");
  app.add_option("--suite", settings.suite, "of the exchange, instead of the token's: 1 to 4")
      ->check(CLI::Range(1, 4));
  app.add_option("--peer-name", settings.peer_name, "member's name");
  app.add_option("--peer", settings.peer_address, "member's address");
  app.add_option("--peer-port", settings.peer_port, "member's port");
  CLI11_PARSE(app, argc, argv);
  return gkmpd::rogue::run(settings);
}
