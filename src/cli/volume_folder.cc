#include "cli/volume_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/random.h"
#include "cli/cache_folder.h"
#include "cli/files.h"
#include "cli/folder_marker.h"
#include "cli/mounts.h"

namespace firn::cli {
namespace {

bool exists(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0;
}

Result<bool> is_empty_folder(const std::string& path) {
  DIR* folder = opendir(path.c_str());
  if (!folder) return fail(Status::from_errno(errno, path));
  bool empty = true;
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    // A file system's own folder does not make a fresh disk foreign.
    if (name != "." && name != ".." && name != "lost+found") empty = false;
  }
  closedir(folder);
  return empty;
}

std::string read_all(int fd) {
  char buffer[8192];
  const ssize_t bytes = pread(fd, buffer, sizeof buffer, 0);
  return bytes > 0 ? std::string(buffer, static_cast<size_t>(bytes)) : std::string();
}

// "12\nmount /mnt\nfailed why\n": the pid stands first, for scripts; unknown lines are skipped.
Holder parse_holder(std::string_view text) {
  Holder holder;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    auto rest = [&](std::string_view key) { return line.substr(key.size()); };
    if (holder.pid == 0) std::from_chars(line.data(), line.data() + line.size(), holder.pid);
    if (line.starts_with("mount ")) holder.mount_point = rest("mount ");
    if (line.starts_with("failed ")) holder.failure = rest("failed ");
    if (line == "serves") holder.serves = true;
  }
  return holder;
}

bool write_all(int fd, const std::string& text) {
  return ftruncate(fd, 0) == 0 && pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

// Who holds the volume in `root`, and how that ends.
std::string held_by(const Holder& holder, const std::string& root) {
  if (holder.pid == 0) return fmt::format("already in use by another process; firn umount {} ends that", root);
  if (holder.mount_point.empty())
    return fmt::format("already served by process {}; firn umount {} ends that", holder.pid, root);
  if (mount_of_volume(root))
    return fmt::format("already mounted at {0} by process {1}; firn umount {0} ends that", holder.mount_point,
                       holder.pid);
  if (!holder.serves) return fmt::format("process {} is about to mount it at {}", holder.pid, holder.mount_point);
  return fmt::format(
      "process {} has it for {}, where it is not mounted now: it saves before it ends, or the mount is still used "
      "elsewhere; firn umount {} waits for its end and says who uses it",
      holder.pid, holder.mount_point, root);
}

// To look at. Only a file is one: nothing else that has its name is waited for.
io::UniqueFd open_lock(const VolumePaths& paths) {
  io::UniqueFd fd(open(paths.lock().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  struct stat found{};
  if (fd && (fstat(fd.get(), &found) != 0 || !S_ISREG(found.st_mode))) fd.reset();
  return fd;
}

// Whoever looks whether the lock is held (find_holder) has it for a moment.
bool lock_alone(int fd) {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) usleep(1000);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) return false;
  }
  return false;
}

}  // namespace

std::string absolute_path(const std::string& path) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::weakly_canonical(path, error);
  if (error) absolute = std::filesystem::absolute(path, error).lexically_normal();
  std::string text = absolute.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::string absolute_but_last(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const std::filesystem::path parts(trimmed);
  const std::string name = parts.filename().string();
  if (name.empty() || name == "." || name == "..") return absolute_path(trimmed);
  const std::string parent = parts.parent_path().string();
  const std::string folder = absolute_path(parent.empty() ? "." : parent);
  return folder == "/" ? folder + name : folder + "/" + name;
}

Result<Probe> probe_folder(const std::string& path) {
  Probe probe;
  probe.paths.root = is_bucket_url(path) ? TRY(cache_folder_of(path)) : absolute_path(path);
  const std::string& root = probe.paths.root;
  struct stat info{};
  if (stat(root.c_str(), &info) != 0) {
    if (errno != ENOENT) return fail(Status::from_errno(errno, root));
    probe.state = FolderState::kMissing;
  } else if (!S_ISDIR(info.st_mode)) {
    probe.state = FolderState::kNotFolder;
  } else if (exists(probe.paths.marker())) {
    probe.state = FolderState::kHalfMade;
  } else if (exists(probe.paths.config())) {
    probe.state = FolderState::kVolume;
  } else {
    probe.state = TRY(is_empty_folder(root)) ? FolderState::kEmpty : FolderState::kForeign;
  }
  return probe;
}

Result<VolumePaths> require_volume(const std::string& path) {
  Probe probe = TRY(probe_folder(path));
  const std::string& root = probe.paths.root;
  switch (probe.state) {
    case FolderState::kVolume:
      if (is_bucket_url(path)) TRY(check_same_server(probe.paths, path));
      return probe.paths;
    case FolderState::kMissing:
      if (is_bucket_url(path))
        return fail(Code::kNotFound,
                    fmt::format("{}: has never been mounted on this machine; firn mount {} MOUNTPOINT", path, path));
      return fail(Code::kNotFound,
                  fmt::format("{}: no such folder; make a volume there with: firn init {}", path, path));
    case FolderState::kNotFolder:
      return fail(Code::kNotDirectory, fmt::format("{}: not a folder; a volume is a folder made by firn init", path));
    case FolderState::kHalfMade:
      return fail(Code::kInvalid, explain_marker(probe.paths, path));
    case FolderState::kEmpty:
    case FolderState::kForeign:
      break;
  }
  if (exists(root + "/meta") && exists(root + "/hot"))
    return fail(Code::kNotFound, fmt::format("{}: firn.toml is missing though meta/ and hot/ are there; restore it, or "
                                             "create an empty one, which means default settings",
                                             path));
  return fail(Code::kNotFound, fmt::format("{}: not a firn volume (no firn.toml); make one with: firn init", path));
}

Status check_vacant(const std::string& path, const Probe& probe, const std::string& otherwise) {
  switch (probe.state) {
    case FolderState::kVolume:
      return Status(Code::kExists, fmt::format("{}: is a volume already; {}", path, otherwise));
    case FolderState::kNotFolder:
      return Status(Code::kNotDirectory, fmt::format("{}: exists and is not a folder; choose another name", path));
    case FolderState::kForeign:
      return Status(Code::kNotEmpty, fmt::format("{}: the folder is not empty; choose a new or an empty one", path));
    case FolderState::kMissing:
    case FolderState::kEmpty:
    case FolderState::kHalfMade:
      break;
  }
  return {};
}

Result<uint64_t> read_hot_id(const VolumePaths& paths) {
  io::UniqueFd fd(open(paths.hot_id().c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return uint64_t{0};
  if (!fd) return fail(Status::from_errno(errno, paths.hot_id()));
  const std::string text = read_all(fd.get());
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  if (error != std::errc() || end == text.data() || id == 0)
    return fail(Code::kCorrupt, fmt::format("{}: is not a number; restore it from a backup, or restore the volume anew",
                                            paths.hot_id()));
  return id;
}

Result<uint64_t> start_anew(const VolumePaths& paths) {
  for (const std::string& path : {paths.meta(), paths.hot(), paths.hot_id(), paths.database()}) TRY(remove_all(path));
  TRY(make_folder(paths.hot()));
  uint64_t id = 0;
  while (id == 0) id = system_random().next();
  TRY(write_file(paths.hot_id(), fmt::format("{:016x}\n", id)));
  return id;
}

Result<std::string> database_id(const VolumePaths& paths) {
  io::UniqueFd fd(open(paths.database().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail(Status::from_errno(errno, paths.database()));
  std::string id = read_all(fd.get());
  constexpr size_t kBytes = 16;
  if (id.size() == kBytes) return id;
  id.resize(kBytes);
  system_random().fill(std::as_writable_bytes(std::span(id)));
  if (!write_all(fd.get(), id) || fsync(fd.get()) != 0) return fail(Status::from_errno(errno, paths.database()));
  return id;
}

Result<VolumeLock> VolumeLock::take(const VolumePaths& paths, const std::string& mount_point) {
  io::UniqueFd fd(open(paths.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail(Status::from_errno(errno, paths.lock()));
  if (!lock_alone(fd.get())) {
    if (errno != EWOULDBLOCK) return fail(Status::from_errno(errno, paths.lock()));
    return fail(Code::kBusy, fmt::format("{}: {}", paths.root, held_by(parse_holder(read_all(fd.get())), paths.root)));
  }
  const std::string mount = mount_point.empty() ? "" : fmt::format("mount {}\n", mount_point);
  if (!write_all(fd.get(), fmt::format("{}\n{}", getpid(), mount)))
    return fail(Status::from_errno(errno, paths.lock()));
  return VolumeLock(std::move(fd));
}

void VolumeLock::note_serving() {
  // Behind what is there, so that nobody finds less than that. Best effort, as below.
  constexpr std::string_view kLine = "serves\n";
  struct stat now{};
  if (fstat(fd_.get(), &now) == 0) (void)!pwrite(fd_.get(), kLine.data(), kLine.size(), now.st_size);
}

void VolumeLock::leave(const std::string& failure) {
  // Best effort: the flock, not the text, is the lock.
  (void)write_all(fd_.get(), failure.empty() ? "" : fmt::format("failed {}\n", failure));
  fd_.reset();
}

std::optional<Holder> find_holder(const VolumePaths& paths) {
  io::UniqueFd fd = open_lock(paths);
  if (!fd || flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  return parse_holder(read_all(fd.get()));
}

Result<Holder> wait_for_release(const VolumePaths& paths, int timeout_ms) {
  io::UniqueFd fd = open_lock(paths);
  if (!fd) return Holder{};
  constexpr int kStepMs = 5;
  for (int waited_ms = 0; flock(fd.get(), LOCK_SH | LOCK_NB) != 0; waited_ms += kStepMs) {
    if (waited_ms >= timeout_ms) {
      const Holder holder = parse_holder(read_all(fd.get()));
      return fail(Code::kTimedOut, fmt::format("process {} is still ending", holder.pid));
    }
    usleep(kStepMs * 1000);
  }
  return parse_holder(read_all(fd.get()));
}

}  // namespace firn::cli
