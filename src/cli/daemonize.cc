#include "cli/daemonize.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace firn::cli {
namespace {

// The first byte on the pipe; behind it a message, all at once.
constexpr char kReady = '+';
constexpr char kFailed = '-';

void send(int fd, const std::string& text) {
  // Nobody is left to tell when the parent is gone.
  (void)!write(fd, text.data(), text.size());
}

// What libraries print, and the last words of a failed CHECK, belong into the log.
void redirect_standard_streams(const VolumePaths& paths) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  const int log = open(paths.log().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (null >= 0) {
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
  }
  if (log >= 0 || null >= 0) dup2(log >= 0 ? log : null, STDERR_FILENO);
  if (null > STDERR_FILENO) close(null);
  if (log > STDERR_FILENO) close(log);
}

[[noreturn]] void be_the_daemon(const DaemonOptions& options, io::UniqueFd report) {
  setsid();
  // Not to hold the file system that the command was started in.
  if (chdir("/") != 0) {
  }
  redirect_standard_streams(options.paths);
  const Result<void> result = run_daemon(options, [&report](const std::string& note) {
    send(report.get(), kReady + note);
    report.reset();
  });
  if (!result && report) send(report.get(), kFailed + result.error().to_string());
  report.reset();
  // Not exit(): the parent's buffers and handlers are not ours.
  _exit(result ? 0 : 1);
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t bytes = read(fd, buffer, sizeof buffer);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return text;
    text.append(buffer, static_cast<size_t>(bytes));
    if (text.starts_with(kReady)) return text;
  }
}

}  // namespace

Result<std::string> start_in_background(const DaemonOptions& options) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(Status::from_errno(errno, "making a pipe"));
  io::UniqueFd reading(ends[0]), writing(ends[1]);
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return fail(Status::from_errno(errno, "starting the daemon"));
  if (pid == 0) {
    reading.reset();
    be_the_daemon(options, std::move(writing));
  }
  writing.reset();
  const std::string text = read_all(reading.get());
  if (text.starts_with(kReady)) return text.substr(1);
  waitpid(pid, nullptr, 0);
  if (text.starts_with(kFailed)) return fail(Code::kIo, text.substr(1));
  return fail(Code::kInternal,
              fmt::format("{}: the daemon died while it started; see {}", options.paths.root, options.paths.log()));
}

}  // namespace firn::cli
