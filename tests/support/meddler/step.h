// The messages of RFC 2093's figures 1 and 2 as steps that a meddler can be sent after.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/wire/header.h"

namespace gkmpd::meddler {

/// M1 to M6 of an exchange with the first member (figure 1) or with another (figure 2). Both end
/// in the same two types of message, so a type alone does not name a step.
struct Step {
  std::uint8_t figure = 1;   // 1 or 2
  std::uint8_t message = 1;  // 1 to 6

  /// "1.M3"
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static std::optional<Step> parse(std::string_view text);
  friend auto operator<=>(const Step&, const Step&) = default;
};
inline constexpr std::uint8_t kMessagesOfAFigure = 6;
/// In the order of the figures.
[[nodiscard]] std::array<Step, 2 * kMessagesOfAFigure> all_steps();

/// The figure that only messages of `type` belong to; none for what both have, and for what
/// belongs to neither.
[[nodiscard]] std::optional<std::uint8_t> figure_of(wire::MessageType type);
/// Which of its figure's six messages it is; none if of no figure.
[[nodiscard]] std::optional<std::uint8_t> place_of(wire::MessageType type);

}  // namespace gkmpd::meddler
