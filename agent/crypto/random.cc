// RAND_set_rand_method is deprecated without a replacement that can be undone while the program
// runs; only the simulator calls it.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "agent/crypto/random.h"

#include <openssl/rand.h>

#include <algorithm>
#include <climits>

#include "agent/crypto/hash.h"
#include "agent/crypto/openssl.h"

namespace gkmpd::crypto {
namespace {

// OpenSSL's hooks take no argument of ours.
SeededRandom* active_stream = nullptr;

int stream_bytes(unsigned char* out, int size) {
  if (size < 0) return 0;
  active_stream->fill({out, static_cast<std::size_t>(size)});
  return 1;
}

int stream_seed(const void*, int) { return 1; }
int stream_add(const void*, int, double) { return 1; }
int stream_status() { return 1; }

const RAND_METHOD kStreamMethod = {stream_seed, stream_bytes, nullptr,
                                   stream_add,  stream_bytes, stream_status};

}  // namespace

void SystemRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const std::size_t take = std::min<std::size_t>(out.size(), INT_MAX);
    ossl::require(RAND_bytes(out.data(), static_cast<int>(take)) == 1);
    out = out.subspan(take);
  }
}

SeededRandom::SeededRandom(std::uint64_t seed) {
  Bytes octets;
  append_u64(octets, seed);
  seed_ = sha256({as_bytes("GKMP/1 seeded random"), octets});
}

void SeededRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    Bytes number;
    append_u64(number, counter_++);
    const Digest block = sha256({seed_, number});
    const std::size_t take = std::min(out.size(), block.size());
    std::ranges::copy_n(block.begin(), static_cast<std::ptrdiff_t>(take), out.begin());
    out = out.subspan(take);
  }
}

SeededRandom::OpenSslOverride::OpenSslOverride(std::uint64_t seed)
    : stream_(std::make_unique<SeededRandom>(seed)),
      outer_stream_(active_stream),
      outer_method_(RAND_get_rand_method()) {
  active_stream = stream_.get();
  ossl::require(RAND_set_rand_method(&kStreamMethod) == 1);
}

SeededRandom::OpenSslOverride::~OpenSslOverride() {
  ossl::require(RAND_set_rand_method(outer_method_) == 1);
  active_stream = outer_stream_;
}

}  // namespace gkmpd::crypto
