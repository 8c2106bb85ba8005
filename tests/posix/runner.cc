#include "runner.h"

#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "fs.h"

namespace firn::posix {
namespace {

constexpr unsigned kCaseSeconds = 120;
constexpr unsigned kBigCaseSeconds = 900;

Options g_options;
std::string g_running = "suite";
std::string g_directory;

struct Job {
  Case what;
  bool root = false;
  std::string directory;
};

[[noreturn]] void run_case(const Job& job) {
  setpgid(0, 0);
  g_running = std::string(job.what.name) + (job.root ? " [root]" : " [user]");
  alarm((job.what.runs & kBig) != 0 ? kBigCaseSeconds : kCaseSeconds);
  if (chdir(job.directory.c_str()) != 0) _exit(3);
  if (!job.root && is_root()) {
    const Identity& user = g_options.user;
    if (setgroups(0, nullptr) != 0 || setresgid(user.gid, user.gid, user.gid) != 0 ||
        setresuid(user.uid, user.uid, user.uid) != 0) {
      _exit(3);
    }
  }
  umask(0);
  job.what.body();
  _exit(0);
}

std::string describe(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "timeout";
  if (WIFSIGNALED(status)) return strsignal(WTERMSIG(status));
  return "exit " + std::to_string(WEXITSTATUS(status));
}

void finish_case(const Job& job, int status) {
  g_running = std::string(job.what.name) + (job.root ? " [root]" : " [user]");
  if (status != 0) failed({"runner.cc", 0, "the case's process"}, "exit 0", describe(status));
  if (!remove_tree(job.directory)) failed({"runner.cc", 0, "removing its directory"}, "success", error_name(errno));
  if (g_options.verbose) printf("done %s\n", g_running.c_str());
}

class Pool {
 public:
  void add(const Job& job) {
    if (running_.size() >= static_cast<size_t>(g_options.jobs)) wait_one();
    fflush(stdout);
    const pid_t child = fork();
    if (child < 0) _exit(3);
    if (child == 0) run_case(job);
    running_[child] = job;
  }
  void drain() {
    while (!running_.empty()) wait_one();
  }

 private:
  void wait_one() {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0) _exit(3);
    // What the case left running goes while its id still stands for its group, and for nothing newer.
    kill(-info.si_pid, SIGKILL);
    int status = 0;
    waitpid(info.si_pid, &status, 0);
    const auto found = running_.find(info.si_pid);
    if (found == running_.end()) return;
    finish_case(found->second, status);
    running_.erase(found);
  }

  std::map<pid_t, Job> running_;
};

bool prepare(Job& job, size_t number) {
  job.directory = g_directory + "/" + std::to_string(number);
  if (mkdir(job.directory.c_str(), 0755) != 0) return false;
  if (job.root || !is_root()) return true;
  return chown(job.directory.c_str(), g_options.user.uid, g_options.user.gid) == 0;
}

bool selected(const Case& one, bool root) {
  if ((one.runs & (root ? kRoot : kUser)) == 0) return false;
  if ((one.runs & kBig) != 0 && !g_options.big) return false;
  return g_options.filter.empty() || std::string(one.name).find(g_options.filter) != std::string::npos;
}

bool run_selected() {
  Pool pool;
  size_t number = 0;
  for (const bool root : {true, false}) {
    if (root && !is_root()) continue;
    for (const Case& one : all_cases()) {
      if (!selected(one, root)) continue;
      Job job{one, root, ""};
      if (!prepare(job, number++)) return false;
      pool.add(job);
    }
  }
  pool.drain();
  return true;
}

}  // namespace

Counters& counters() {
  static Counters* const shared =
      new (mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Counters;
  return *shared;
}

const std::string& running_case() { return g_running; }
const Identity& ordinary_user() { return g_options.user; }
const std::string& suite_directory() { return g_directory; }

int run_all(const Options& options) {
  g_options = options;
  counters();
  umask(022);
  if (!is_root()) printf("not started as root: running the ordinary user's part only\n");
  char* const real = realpath(options.directory.c_str(), nullptr);
  g_directory = std::string(real != nullptr ? real : options.directory.c_str()) + "/posix." + std::to_string(getpid());
  free(real);
  if (mkdir(g_directory.c_str(), 0755) != 0 || !run_selected()) {
    fprintf(stderr, "posix_suite: cannot work in %s: %s\n", options.directory.c_str(), strerror(errno));
    return 1;
  }
  g_running = "suite";
  if (!remove_tree(g_directory))
    failed({"runner.cc", 0, "removing the suite's directory"}, "success", error_name(errno));
  printf("%ld passed, %ld failed", counters().passed.load(), counters().failed.load());
  if (counters().skipped != 0) printf(", %ld skipped", counters().skipped.load());
  printf("\n");
  return counters().failed == 0 ? 0 : 1;
}

}  // namespace firn::posix
