// The same doubles from CMocka: the failures of a batch that an installer must tell apart.
#include <cerrno>

#include "netlink/kernel_socket.h"
#include "tests/support/netlink_replies.h"

// CMocka wants these four before it, and its macro `fail` would break our headers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

extern "C" {
#include <cmocka.h>
}
#undef fail

namespace gkmpd::netlink {
namespace {

using test::operator+;

Result<std::vector<BatchFailure>> run_two(Socket& socket) {
  Batch batch;
  for (int i = 0; i < 2; ++i) {
    batch.begin(0x10, 0, {});
    if (auto ended = batch.end(); !ended) return pass_on(ended);
  }
  return socket.run(batch);
}

int reset(void** /*state*/) {
  mnl_doubles_reset();
  return 0;
}

int check_closed(void** /*state*/) {
  mnl_doubles_reset();
  return mnl_doubles_open_sockets();
}

/// Each errno of the first of two requests comes back with its index.
void errno_is_told(int error) {
  auto socket = Socket::open(6);
  assert_true(socket.has_value());
  test::queue(test::answer(1, error) + test::answer(2, 0));
  const auto failures = run_two(*socket);
  assert_true(failures.has_value());
  assert_int_equal(failures->size(), 1);
  assert_int_equal(failures->front().index, 0);
  assert_int_equal(failures->front().error, error);
}

void eperm_is_told(void** /*state*/) { errno_is_told(EPERM); }
void eexist_is_told(void** /*state*/) { errno_is_told(EEXIST); }
void esrch_is_told(void** /*state*/) { errno_is_told(ESRCH); }

void fails_with(ErrorKind kind) {
  auto socket = Socket::open(6);
  assert_true(socket.has_value());
  const auto failures = run_two(*socket);
  assert_false(failures.has_value());
  assert_true(failures.error().kind == kind);
  assert_int_equal(mnl_doubles_queued(), 0);
}

void overrun_is_told(void** /*state*/) {
  mnl_doubles_queue_error(ENOBUFS);
  fails_with(kOverrun);
}

void short_read_is_told(void** /*state*/) {
  const Bytes whole = test::answer(2, 0);
  mnl_doubles_queue_announced(whole.data(), whole.size() - 4, whole.size());
  fails_with(kBadReply);
}

void truncated_reply_is_told(void** /*state*/) {
  Bytes torn = test::answer(2, 0);
  torn.resize(torn.size() - 4);
  test::queue(torn);
  fails_with(kBadReply);
}

void foreign_reply_is_told(void** /*state*/) {
  test::queue(test::answer(2, 0), /* sender= */ 1);
  fails_with(kBadReply);
}

void missing_answer_is_told(void** /*state*/) {
  test::queue(test::answer(1, EEXIST));
  fails_with(kBadReply);
}

}  // namespace
}  // namespace gkmpd::netlink

int main() {
  using namespace gkmpd::netlink;
  const CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(eperm_is_told, reset, check_closed),
      cmocka_unit_test_setup_teardown(eexist_is_told, reset, check_closed),
      cmocka_unit_test_setup_teardown(esrch_is_told, reset, check_closed),
      cmocka_unit_test_setup_teardown(overrun_is_told, reset, check_closed),
      cmocka_unit_test_setup_teardown(short_read_is_told, reset, check_closed),
      cmocka_unit_test_setup_teardown(truncated_reply_is_told, reset, check_closed),
      cmocka_unit_test_setup_teardown(foreign_reply_is_told, reset, check_closed),
      cmocka_unit_test_setup_teardown(missing_answer_is_told, reset, check_closed),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
