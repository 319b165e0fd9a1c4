#include "agent/daemon/process.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>

#include "agent/base/secret.h"
#include "agent/base/secret_memory.h"
#include "agent/crypto/memory.h"
#include "tests/support/refusing_madvise.h"

namespace gkmpd::daemon {
namespace {

/// Each case has a process of its own, from the start: nothing of this can be undone, and OpenSSL's
/// memory is chosen before it is first used.
class Process : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

/// Exit code 0 if all is as wanted.
void harden_and_end(bool core_dumps, bool (*as_wanted)(const std::string& reports)) {
  std::string reports;
  harden_process(core_dumps,
                 [&](const protocol::Report& report) { reports += report.what + "\n"; });
  std::exit(as_wanted(reports) ? 0 : 1);
}

bool undumpable() { return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0; }
bool says(const std::string& reports, const char* what) {
  return reports.find(what) != std::string::npos;
}

TEST_F(Process, NoCoreDumpsUnlessTheyAreAskedFor) {
  const auto as_wanted = [](const std::string& reports) {
    return undumpable() && !says(reports, "core-dumps");
  };
  EXPECT_EXIT(harden_and_end(false, as_wanted), testing::ExitedWithCode(0), "");
}

TEST_F(Process, WithCoreDumpsItIsDumpableOnlyIfSecretsStayOut) {
  const auto as_wanted = [](const std::string& reports) {
    // Under AddressSanitizer secrets lie on the heap.
    const bool stay_out = secrets_stay_out_of_dumps();
    return undumpable() != stay_out && says(reports, "core-dumps-refused") != stay_out;
  };
  EXPECT_EXIT(harden_and_end(true, as_wanted), testing::ExitedWithCode(0), "");
}

TEST_F(Process, DumpsThatWereAllowedAreNoMoreWhenKeysWouldBeInThem) {
  const auto as_wanted = [](const std::string&) {
    if (!secrets_stay_out_of_dumps()) return true;  // under AddressSanitizer: never allowed
    if (undumpable() || take_dumps_withdrawn()) return false;
    gkmpd::test::refuse_to_leave_out_of_dumps(true);
    const Secret large(100'000);
    return undumpable() && take_dumps_withdrawn() && !take_dumps_withdrawn();
  };
  EXPECT_EXIT(harden_and_end(true, as_wanted), testing::ExitedWithCode(0), "");
}

TEST_F(Process, OpensslGetsMemoryOfItsOwnAndFilesAnOwner) {
  const auto as_wanted = [](const std::string& reports) {
    return crypto::keep_openssl_apart() && !says(reports, "keys-not-apart") && ::umask(0) == 077;
  };
  EXPECT_EXIT(harden_and_end(false, as_wanted), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace gkmpd::daemon
