#include "fuse/fusermount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

extern char** environ;

namespace firn::fuse {
namespace {

constexpr const char* kHelper = "fusermount3";

struct HelperResult {
  int exit_code = 0;
  std::string errors;  // the first line it wrote to stderr
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& string : strings) out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_with(const std::string& extra) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    if (!std::string_view(*entry).starts_with("_FUSE_COMMFD=")) out.emplace_back(*entry);
  }
  if (!extra.empty()) out.push_back(extra);
  return out;
}

std::string read_line(int fd) {
  std::string text;
  char buffer[512];
  ssize_t bytes;
  while ((bytes = read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(bytes));
  return text.substr(0, text.find('\n'));
}

// Runs the helper to its end. `pass_fd` (or -1) stays open in it under number `pass_fd`.
Result<HelperResult> run_helper(std::vector<std::string> arguments, int pass_fd) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return fail(Status::from_errno(errno, "pipe"));
  const Fd errors_in(pipe_fds[0]);
  Fd errors_out(pipe_fds[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, errors_out.get(), STDERR_FILENO);
  if (pass_fd >= 0) posix_spawn_file_actions_adddup2(&actions, pass_fd, pass_fd);  // clears close-on-exec
  auto environment = environment_with(pass_fd >= 0 ? fmt::format("_FUSE_COMMFD={}", pass_fd) : std::string());
  arguments.insert(arguments.begin(), kHelper);
  pid_t pid = -1;
  const int error =
      posix_spawnp(&pid, kHelper, &actions, nullptr, pointers(arguments).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return fail(Code::kNotFound, "fusermount3 is not installed (Debian: apt install fuse3)");
  if (error) return fail(Status::from_errno(error, "starting fusermount3"));
  errors_out.reset();
  HelperResult result{.errors = read_line(errors_in.get())};
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

Result<Fd> receive_fd(int socket) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t bytes;
  while ((bytes = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (bytes <= 0 || !header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
    return fail(Code::kIo, "fusermount3 passed no descriptor");
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return Fd(fd);
}

std::string explain(const HelperResult& result) {
  std::string_view text = result.errors;
  if (text.starts_with("fusermount3: ")) text.remove_prefix(13);
  return text.empty() ? fmt::format("fusermount3 exited with {}", result.exit_code) : std::string(text);
}

}  // namespace

Result<Fd> fusermount(const std::string& mount_point, const std::string& options) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return fail(Status::from_errno(errno, "socketpair"));
  }
  const Fd ours(sockets[0]);
  Fd theirs(sockets[1]);
  const auto result = TRY(run_helper({"-o", options, "--", mount_point}, theirs.get()));
  theirs.reset();
  if (result.exit_code != 0) return fail(Code::kNotPermitted, explain(result));
  return receive_fd(ours.get());
}

Status fusermount_unmount(const std::string& mount_point, bool lazy) {
  std::vector<std::string> arguments{"-u"};
  if (lazy) arguments.push_back("-z");
  arguments.insert(arguments.end(), {"--", mount_point});
  const auto result = TRY(run_helper(std::move(arguments), -1));
  if (result.exit_code == 0) return {};
  const bool busy = result.errors.find("busy") != std::string::npos;
  return {busy ? Code::kBusy : Code::kInvalid, explain(result)};
}

}  // namespace firn::fuse
