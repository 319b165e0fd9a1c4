// Steps of five octets (index, count, size, fill) drive a Reassembler beside a model of it.
#include <map>

#include "agent/wire/fragment.h"
#include "tests/fuzz/wire/fuzz_check.h"

namespace {

using namespace gkmpd;

/// What the reassembler should be.
struct Model {
  std::map<std::uint8_t, Bytes> chunks;
  std::size_t count = 0;  // 0: not known yet

  [[nodiscard]] bool takes(std::uint8_t index, std::uint8_t of, const Bytes& chunk) const {
    if (of == 0 || of > wire::kMaxFragments || index >= of) return false;
    if (count != 0 && count != of) return false;
    const bool last = index + 1 == of;
    if (chunk.size() > wire::kMaxChunk || (!last && chunk.size() < wire::kMaxChunk)) return false;
    if (chunk.empty() && of > 1) return false;
    const auto there = chunks.find(index);
    return there == chunks.end() || there->second == chunk;
  }
  [[nodiscard]] Bytes whole() const {
    Bytes octets;
    for (const auto& [index, chunk] : chunks) append(octets, chunk);
    return octets;
  }
  [[nodiscard]] bool complete() const { return count != 0 && chunks.size() == count; }
};

void check_taken(wire::Reassembler& reassembler, const Model& model) {
  const auto whole = reassembler.take();
  FUZZ_CHECK(whole.has_value() && equal(whole->expose(), model.whole()));
  FUZZ_CHECK(reassembler.octets_held() == 0 && !reassembler.complete());
  const auto again = wire::split(whole->expose());
  FUZZ_CHECK(again.size() == model.count);
  for (std::uint8_t i = 0; i < again.size(); ++i) FUZZ_CHECK(equal(again[i], model.chunks.at(i)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wire::Reassembler reassembler;
  Model model;
  for (; size >= 5; data += 5, size -= 5) {
    const std::size_t chunk_size =
        static_cast<std::size_t>(data[2] << 8 | data[3]) % (wire::kMaxChunk + 2);
    const Bytes chunk(chunk_size, data[4]);
    const bool wanted = model.takes(data[0], data[1], chunk);
    FUZZ_CHECK(reassembler.add(data[0], data[1], chunk).has_value() == wanted);
    if (wanted) {
      model.count = data[1];
      model.chunks[data[0]] = chunk;
    }
    FUZZ_CHECK(reassembler.octets_held() == model.whole().size());
    FUZZ_CHECK(reassembler.octets_held() <= wire::kMaxMessage);
    FUZZ_CHECK(reassembler.complete() == model.complete());
    if (model.complete()) {
      check_taken(reassembler, model);
      model = {};
    }
  }
  return 0;
}
