#include "tests/support/meddler/step.h"

namespace gkmpd::meddler {

using wire::MessageType;

std::string Step::text() const { return std::to_string(figure) + ".M" + std::to_string(message); }

std::optional<Step> Step::parse(std::string_view text) {
  for (const Step step : all_steps()) {
    if (step.text() == text) return step;
  }
  return std::nullopt;
}

std::array<Step, 2 * kMessagesOfAFigure> all_steps() {
  std::array<Step, 2 * kMessagesOfAFigure> steps{};
  for (std::uint8_t i = 0; i < steps.size(); ++i) {
    steps[i] = {static_cast<std::uint8_t>(1 + i / kMessagesOfAFigure),
                static_cast<std::uint8_t>(1 + i % kMessagesOfAFigure)};
  }
  return steps;
}

std::optional<std::uint8_t> figure_of(MessageType type) {
  switch (type) {
    case MessageType::kCreateGrpKeys1:
    case MessageType::kCreateGrpKeys2:
    case MessageType::kNegotiateGrpKeys1:
    case MessageType::kNegotiateGrpKeys2:
      return 1;
    case MessageType::kCreateSessionKek1:
    case MessageType::kCreateSessionKek2:
    case MessageType::kNegotiateSessionKeys1:
    case MessageType::kNegotiateSessionKeys2:
      return 2;
    default:
      return std::nullopt;
  }
}

std::optional<std::uint8_t> place_of(MessageType type) {
  switch (type) {
    case MessageType::kCreateGrpKeys1:
    case MessageType::kCreateSessionKek1:
      return 1;
    case MessageType::kCreateGrpKeys2:
    case MessageType::kCreateSessionKek2:
      return 2;
    case MessageType::kNegotiateGrpKeys1:
    case MessageType::kNegotiateSessionKeys1:
      return 3;
    case MessageType::kNegotiateGrpKeys2:
    case MessageType::kNegotiateSessionKeys2:
      return 4;
    case MessageType::kDownloadGrpKeys:
      return 5;
    case MessageType::kKeyDownloadAck:
      return 6;
    default:
      return std::nullopt;
  }
}

}  // namespace gkmpd::meddler
