#include "base/failpoint.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace firn {
namespace {

constexpr int kMisuse = 2;

// What becomes of a process that comes to a point three times: its wait status.
int visit_thrice(const char* setting) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (setting == nullptr)
      unsetenv("FIRN_FAILPOINT");
    else
      setenv("FIRN_FAILPOINT", setting, 1);
    if (!failpoints::arm_from_environment().ok()) _exit(kMisuse);
    for (int visit = 0; visit < 3; ++visit) failpoint("log.after_put");
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

bool was_killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }
bool left_with(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }

TEST(Failpoint, DoesNothingUnlessNamed) {
  EXPECT_TRUE(left_with(visit_thrice(nullptr), 0));
  EXPECT_TRUE(left_with(visit_thrice(""), 0));
  EXPECT_TRUE(left_with(visit_thrice("upload.after_put"), 0));
}

TEST(Failpoint, KillsAtTheVisitThatIsNamed) {
  EXPECT_TRUE(was_killed(visit_thrice("log.after_put")));
  EXPECT_TRUE(was_killed(visit_thrice("log.after_put:3")));
  EXPECT_TRUE(left_with(visit_thrice("log.after_put:4"), 0));
}

TEST(Failpoint, AWrongNameIsAnError) {
  for (const char* setting : {"upload", "log.after_put ", "log.after_put:", "log.after_put:0", "log.after_put:x", ":1"})
    EXPECT_TRUE(left_with(visit_thrice(setting), kMisuse)) << setting;
}

}  // namespace
}  // namespace firn
