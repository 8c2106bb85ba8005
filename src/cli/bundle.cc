#include "cli/bundle.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "io/unique_fd.h"

namespace firn::cli {
namespace {

Status write_all(int fd, std::string_view text, const std::string& file) {
  while (!text.empty()) {
    const ssize_t bytes = write(fd, text.data(), text.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return Status::from_errno(errno, file);
    text.remove_prefix(static_cast<size_t>(bytes));
  }
  return {};
}

// Runs `command` with its output to `output`, and waits.
Status run(std::vector<std::string> command, int output) {
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t child = 0;
  const int error = posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Status::from_errno(error, command[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Status(Code::kIo, command[0] + " failed");
}

}  // namespace

Result<Bundle> Bundle::create(const std::string& name) {
  std::error_code error;
  std::string folder = (std::filesystem::temp_directory_path(error) / "firn-debug-XXXXXX").string();
  if (error || !mkdtemp(folder.data())) return fail(Status::from_errno(error ? error.value() : errno, folder));
  Bundle bundle(folder, name);
  if (mkdir((folder + "/" + name).c_str(), 0700) != 0) return fail(Status::from_errno(errno, folder));
  return bundle;
}

Bundle::Bundle(Bundle&& other) noexcept : folder_(std::exchange(other.folder_, {})), name_(std::move(other.name_)) {}

Bundle::~Bundle() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Status Bundle::add(const std::string& file, const std::string& text) {
  const std::string path = fmt::format("{}/{}/{}", folder_, name_, file);
  const io::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return Status::from_errno(errno, path);
  return write_all(fd.get(), text, path);
}

Status Bundle::pack(const std::string& file) const {
  const io::UniqueFd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return Status::from_errno(errno, file);
  Status packed = run({"tar", "--create", "--gzip", "--owner=0", "--group=0", "--directory", folder_, name_}, fd.get());
  if (!packed.ok()) unlink(file.c_str());
  return packed;
}

}  // namespace firn::cli
