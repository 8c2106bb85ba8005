#include "object/s3/bounded_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "base/time.h"
#include "io/unique_fd.h"

namespace firn::object::s3 {

namespace {

using io::UniqueFd;

constexpr size_t kMaxErrorBytes = 4 << 10;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int kDyingMs = 1000;
constexpr size_t kMaxGivenUp = 4;

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& string : strings) out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

struct Pipe {
  UniqueFd read, write;
};
Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail(Status::from_errno(errno, "pipe"));
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// What the program begins with, whatever this process has blocked, ignored or open.
class SpawnSettings {
 public:
  SpawnSettings(int out, int errors) {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

// Children of this process that could not be killed. They are waited for as they end, and bound how many there can be.
class GivenUp {
 public:
  void add(pid_t pid) {
    const std::lock_guard lock(pids_mutex_);
    pids_.push_back(pid);
  }
  // How many are there still.
  size_t wait() {
    const std::lock_guard lock(pids_mutex_);
    std::erase_if(pids_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
    return pids_.size();
  }

 private:
  std::mutex pids_mutex_;  // guards pids_
  std::vector<pid_t> pids_;
};
GivenUp& given_up() {
  static auto* const all = new GivenUp;  // for ever: threads that were abandoned end when they like
  return *all;
}

// A process that leads its group. Killed, unless it was waited for, until when its number stays its own. One that
// cannot be killed (it runs as another user, or hangs in the kernel) is given up after kDyingMs, and stays until it
// ends.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid), ended_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  ~Child() {
    if (pid_ < 0) return;
    (void)::kill(-pid_, SIGKILL);  // and whoever it has started
    pollfd dead{ended_.get(), POLLIN, 0};
    (void)::poll(&dead, 1, kDyingMs);
    if (::waitpid(pid_, nullptr, WNOHANG) == 0) given_up().add(pid_);
  }
  Child(const Child&) = delete;

  // Readable once it has ended.
  int fd() const { return ended_.get(); }
  // Once, after it has ended: the exit code, or -1.
  Result<int> wait() {
    int status = 0;
    pid_t waited = -1;
    do {
      waited = ::waitpid(pid_, &status, 0);
    } while (waited < 0 && errno == EINTR);
    pid_ = -1;
    if (waited < 0) return fail(Status::from_errno(errno, "waitpid"));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
  const UniqueFd ended_;
};

// False at its end.
bool take(int fd, std::string& text) {
  std::array<char, 4096> buffer{};
  const ssize_t bytes = ::read(fd, buffer.data(), buffer.size());
  if (bytes > 0) text.append(buffer.data(), static_cast<size_t>(bytes));
  return bytes > 0 || (bytes < 0 && errno == EINTR);
}

// Until it has ended, and nobody can write any more.
Status read_to_the_end(const Child& child, const Pipe& out, const Pipe& errors, const ProgramLimits& limits,
                       ProgramResult& result) {
  const int64_t deadline_ns = system_clock().monotonic_ns() + limits.within_ns;
  std::array<pollfd, 3> waits = {
      {{child.fd(), POLLIN, 0}, {out.read.get(), POLLIN, 0}, {errors.read.get(), POLLIN, 0}}};
  while (waits[0].fd >= 0 || waits[1].fd >= 0 || waits[2].fd >= 0) {
    const int64_t left_ns = deadline_ns - system_clock().monotonic_ns();
    if (left_ns <= 0) return Status(Code::kTimedOut, "it did not end in time");
    (void)::poll(waits.data(), waits.size(), static_cast<int>(left_ns / kNsPerMs + 1));
    if (waits[0].revents != 0) waits[0].fd = -1;
    if (waits[1].revents != 0 && !take(waits[1].fd, result.out)) waits[1].fd = -1;
    if (waits[2].revents != 0 && !take(waits[2].fd, result.errors)) waits[2].fd = -1;
    if (result.out.size() > limits.out_bytes) return Status(Code::kInvalid, "it writes too much");
    result.errors.resize(std::min(result.errors.size(), kMaxErrorBytes));
  }
  return {};
}

}  // namespace

Result<ProgramResult> run_program(std::vector<std::string> command, std::vector<std::string> environment,
                                  ProgramLimits limits) {
  if (command.empty()) return fail(Code::kInvalid, "no program is named");
  if (limits.within_ns <= 0) return fail(Code::kTimedOut, "no time is left to run it");
  if (given_up().wait() >= kMaxGivenUp) return fail(Code::kTimedOut, "earlier ones that cannot be killed run still");
  Pipe out = TRY(make_pipe()), errors = TRY(make_pipe());
  const SpawnSettings settings(out.write.get(), errors.write.get());
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, command[0].c_str(), &settings.actions, &settings.attributes,
                                   pointers(command).data(), pointers(environment).data());
  if (error != 0) return fail(Status::from_errno(error, "it cannot be started"));
  Child child(pid);
  out.write.reset();
  errors.write.reset();
  if (child.fd() < 0) return fail(Status::from_errno(errno, "pidfd_open"));
  ProgramResult result;
  if (Status read = read_to_the_end(child, out, errors, limits, result); !read.ok()) return fail(std::move(read));
  result.exit_code = TRY(child.wait());
  return result;
}

}  // namespace firn::object::s3
