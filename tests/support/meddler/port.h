// One end of a wire: every frame that arrives at an interface, and every frame sent out of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "agent/base/bytes.h"

namespace gkmpd::meddler {

/// Largest frame taken; what is longer arrives cut, and is dropped. Interfaces here have the usual
/// 1,500 octets.
inline constexpr std::size_t kMaxFrame = 9216;

class Port {
 public:
  /// A raw socket on `interface`, which takes frames for any address. The error says why not.
  [[nodiscard]] static tl::expected<Port, std::string> open(const std::string& interface);
  Port(Port&& other) noexcept : fd_(std::exchange(other.fd_, -1)), name_(std::move(other.name_)) {}
  Port& operator=(Port&&) = delete;
  Port(const Port&) = delete;
  ~Port();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// The next frame that came in, none if there is none now. Not those that went out.
  [[nodiscard]] std::optional<Bytes> receive();
  /// False if it could not be sent.
  [[nodiscard]] bool send(ByteView frame);

 private:
  Port(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  int fd_;
  std::string name_;
};

}  // namespace gkmpd::meddler
