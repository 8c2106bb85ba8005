#include "volume.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace firn::crash {
namespace {

using std::chrono::steady_clock;

constexpr int kMountDeadlineS = 60;
constexpr int kUnmountDeadlineS = 60;
constexpr int kFsckDeadlineS = 120;

void pause_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// Output goes to a file: a daemon that inherits a pipe would keep it open.
pid_t spawn(const std::vector<std::string>& command, const std::string& output) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  if (posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ) != 0) pid = -1;
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

bool wait_until(pid_t pid, steady_clock::time_point deadline, int& status) {
  while (steady_clock::now() < deadline) {
    if (::waitpid(pid, &status, WNOHANG) == pid) return true;
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  return false;
}

std::string slurp(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

bool is_mounted(const std::string& path) {
  std::istringstream table(slurp("/proc/self/mountinfo"));
  for (std::string line; std::getline(table, line);)
    if (line.find(" " + path + " ") != std::string::npos) return true;
  return false;
}

// Kills this process's children, and what they leave behind. As the subreaper it inherits the daemon of a mount command
// that was killed, however far that command had come.
void kill_children() {
  for (pid_t child = 0; child >= 0;) {
    std::istringstream children(slurp("/proc/self/task/" + std::to_string(::getpid()) + "/children"));
    for (pid_t pid = 0; children >> pid;) ::kill(pid, SIGKILL);
    child = ::waitpid(-1, nullptr, 0);
  }
}

}  // namespace

Finished run_program(const std::vector<std::string>& command, int deadline_s) {
  std::string output = (std::filesystem::temp_directory_path() / "crash-output-XXXXXX").string();
  int fd = ::mkstemp(output.data());
  if (fd < 0) return {.output = "mkstemp failed"};
  ::close(fd);
  pid_t pid = spawn(command, output);
  Finished result{.output = "cannot run " + command[0]};
  if (pid > 0) {
    int status = 0;
    bool late = !wait_until(pid, steady_clock::now() + std::chrono::seconds(deadline_s), status);
    if (late) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
    }
    result.exit_code = late ? 124 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.output = slurp(output);
  }
  ::unlink(output.c_str());
  return result;
}

Volume::Volume(std::string firn, std::string folder, std::string transport)
    : firn_(std::filesystem::canonical(firn).string()),
      volume_(folder + "/volume"),
      mount_point_(folder + "/mnt"),
      transport_(std::move(transport)) {
  std::filesystem::create_directories(mount_point_);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

Finished Volume::init() { return run_program({firn_, "init", volume_}, kMountDeadlineS); }

std::vector<std::string> Volume::mount_command() const {
  std::vector<std::string> command{firn_, "mount", volume_, mount_point_};
  if (!transport_.empty()) command.insert(command.end(), {"-o", "transport=" + transport_});
  return command;
}

Finished Volume::mount() { return run_program(mount_command(), kMountDeadlineS); }

Finished Volume::unmount() { return run_program({firn_, "umount", mount_point_}, kUnmountDeadlineS); }

Finished Volume::fsck() { return run_program({firn_, "fsck", volume_}, kFsckDeadlineS); }

pid_t Volume::daemon_pid() const {
  std::istringstream lock(slurp(volume_ + "/firn.lock"));
  pid_t pid = 0;
  if (!(lock >> pid) || pid <= 1) return 0;
  std::error_code ignored;
  auto program = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe", ignored);
  return program.string() == firn_ ? pid : 0;
}

bool Volume::kill_daemon() {
  pid_t pid = daemon_pid();
  if (pid == 0) return false;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);  // adopted when its mount command had ended
  return true;
}

void Volume::detach() {
  for (int i = 0; i < 20 && is_mounted(mount_point_); ++i) {
    if (::umount2(mount_point_.c_str(), MNT_DETACH) != 0) run_program({"fusermount3", "-u", "-z", mount_point_}, 10);
    if (is_mounted(mount_point_)) pause_ms(10);
  }
}

bool Volume::kill_while_mounting(int delay_us) {
  std::string output = volume_ + ".mounting";
  pid_t command = spawn(mount_command(), output);
  std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
  bool locked = daemon_pid() != 0;
  ::kill(command, SIGKILL);
  kill_children();
  detach();
  ::unlink(output.c_str());
  return locked;
}

}  // namespace firn::crash
