// Errors are values. Each has a name that never changes (it is what counters, logs, JSON and peers
// show) and a sentence for whoever has to act.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace gkmpd {

/// The name of a kind of failure, for example `wire.truncated`. Each layer lists its own in its
/// `errors.h`; only string literals become names, so the set of names is bounded.
class ErrorKind {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a literal is the name
  consteval ErrorKind(const char* name) : name_(name) {}

  [[nodiscard]] constexpr std::string_view name() const { return name_; }
  friend constexpr bool operator==(ErrorKind a, ErrorKind b) { return a.name() == b.name(); }
  friend constexpr auto operator<=>(ErrorKind a, ErrorKind b) { return a.name() <=> b.name(); }

 private:
  std::string_view name_;
};

struct Error {
  ErrorKind kind;
  /// What happened and, where one can, what to do. Never holds a secret.
  std::string detail;

  [[nodiscard]] std::string_view name() const { return kind.name(); }
  /// "name: detail", or the name alone.
  [[nodiscard]] std::string text() const {
    return detail.empty() ? std::string(name()) : std::string(name()) + ": " + detail;
  }
};

template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string detail = {}) {
  return tl::unexpected<Error>(Error{kind, std::move(detail)});
}

/// Hands the error of a failed result on as that of another type.
template <typename T>
[[nodiscard]] tl::unexpected<Error> pass_on(Result<T>& failed) {
  return tl::unexpected<Error>(std::move(failed).error());
}

}  // namespace gkmpd
