#include "agent/crypto/openssl.h"

#include <climits>
#include <cstdlib>

namespace gkmpd::crypto::ossl {

void require(bool done) {
  if (!done) std::abort();
}

std::string take_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason == nullptr ? "" : reason;
  ERR_clear_error();
  return text;
}

tl::unexpected<Error> fail_with_reason(ErrorKind kind, std::string_view what) {
  const std::string reason = take_reason();
  std::string detail(what);
  if (!reason.empty()) detail += " (" + reason + ")";
  return fail(kind, std::move(detail));
}

Bio reader_of(ByteView octets) {
  require(octets.size() <= INT_MAX);
  // A null pointer is refused by OpenSSL even for no octets.
  const void* start = octets.empty() ? "" : static_cast<const void*>(octets.data());
  Bio bio(BIO_new_mem_buf(start, static_cast<int>(octets.size())));
  require(bio != nullptr);
  return bio;
}

ByteView written(const Bio& sink) {
  char* start = nullptr;
  const long size = BIO_get_mem_data(sink.get(), &start);
  if (size <= 0) return {};
  return {reinterpret_cast<const std::uint8_t*>(start), static_cast<std::size_t>(size)};
}

}  // namespace gkmpd::crypto::ossl
