// The one reader and the one writer under every decoder and encoder of this layer.
#pragma once

#include <algorithm>
#include <concepts>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>

#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/wire/errors.h"

namespace gkmpd::wire {

/// Puts octets one after another; numbers big-endian.
class Writer {
 public:
  template <std::unsigned_integral T>
  void number(T value) {
    for (std::size_t octet = sizeof(T); octet > 0; --octet) {
      out_.push_back(static_cast<std::uint8_t>((value >> ((octet - 1) * 8)) & 0xff));
    }
  }
  void octets(ByteView more) { append(out_, more); }
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  /// What has been written; the writer is empty afterwards.
  [[nodiscard]] Bytes take() { return std::exchange(out_, {}); }

 private:
  Bytes out_;
};

/// Takes octets apart without copying them. The first error sticks: from then on every read gives
/// zeros or nothing and nothing is left, so a decoder reads to its end and asks once.
class Reader {
 public:
  explicit Reader(ByteView octets) : left_(octets) {}

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  /// True when all octets are read, and after an error.
  [[nodiscard]] bool at_end() const { return left_.empty(); }
  [[nodiscard]] std::size_t left() const { return left_.size(); }

  /// The next `count` octets, or none and `wire.truncated`.
  ByteView octets(std::size_t count) {
    if (count > left_.size()) {
      fail(kTruncated, "wanted " + std::to_string(count) + " more octets, " +
                           std::to_string(left_.size()) + " are left");
      return {};
    }
    const ByteView taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  /// All that is left.
  ByteView rest() { return octets(left_.size()); }

  template <std::unsigned_integral T>
  T number() {
    T value = 0;
    for (const std::uint8_t octet : octets(sizeof(T))) {
      value = static_cast<T>((static_cast<std::uint64_t>(value) << 8) | octet);
    }
    return value;
  }

  /// Records an error unless there is one already.
  void fail(ErrorKind kind, std::string detail) {
    if (ok()) error_ = Error{kind, std::move(detail)};
    left_ = {};
  }

  /// The sticky error, or `wire.trailing-octets` if something is left.
  [[nodiscard]] Result<void> finish() {
    if (!at_end()) {
      fail(kTrailing, std::to_string(left_.size()) + " octets behind the last field");
    }
    if (error_) return tl::unexpected<Error>(*error_);
    return {};
  }
  /// Only after an error.
  [[nodiscard]] const Error& error() const { return *error_; }

 private:
  ByteView left_;
  std::optional<Error> error_;
};

// A type's two directions stand side by side as put(writer, value) and get(reader, value). These
// are the plain types; those of messages are in values.h.

template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>)
void put(Writer& out, T value) {
  out.number(value);
}
template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>)
void get(Reader& in, T& value) {
  value = in.number<T>();
}

template <std::size_t N>
void put(Writer& out, const ByteArray<N>& value) {
  out.octets(value);
}
template <std::size_t N>
void get(Reader& in, ByteArray<N>& value) {
  std::ranges::copy(in.octets(N), value.begin());
}

/// An enum of one octet; only the values in `known` are taken.
template <typename Enum>
void get_enum(Reader& in, Enum& value, std::span<const Enum> known, std::string_view what,
              ErrorKind otherwise) {
  const auto number = in.number<std::uint8_t>();
  for (const Enum candidate : known) {
    if (static_cast<std::uint8_t>(candidate) == number) {
      value = candidate;
      return;
    }
  }
  in.fail(otherwise, std::string(what) + " " + std::to_string(number));
}

template <typename Enum>
void get_enum(Reader& in, Enum& value, std::initializer_list<Enum> known, std::string_view what,
              ErrorKind otherwise) {
  get_enum(in, value, std::span<const Enum>(known.begin(), known.size()), what, otherwise);
}

}  // namespace gkmpd::wire
