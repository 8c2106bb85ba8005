#include "fuse/mount_point.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/log.h"
#include "fuse/mount.h"

namespace firn::fuse {
namespace {

constexpr std::string_view kType = "fuse.firn";

// mountinfo writes space, tab, newline and backslash as three octal digits.
std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      const int code = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      out.push_back(static_cast<char>(code));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// realpath of the parent plus the last component: works when the path itself is a dead mount.
Result<std::string> resolve(const std::string& path) {
  char resolved[PATH_MAX];
  if (realpath(path.c_str(), resolved)) return std::string(resolved);
  if (errno != ENOTCONN && errno != ECONNABORTED) return fail(Status::from_errno(errno));
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const size_t slash = trimmed.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : trimmed.substr(0, slash);
  if (!realpath(parent.c_str(), resolved)) return fail(Status::from_errno(errno));
  const std::string folder = resolved;
  return folder + (folder == "/" ? "" : "/") + trimmed.substr(slash == std::string::npos ? 0 : slash + 1);
}

bool is_dead(int error) { return error == ENOTCONN || error == ECONNABORTED; }

// Whether a mount whose daemon is gone lies on `path`. stat would not do: the kernel answers it from its cache.
bool is_dead_mount(const std::string& path) {
  struct statfs info{};
  return statfs(path.c_str(), &info) != 0 && is_dead(errno);
}

bool is_missing(const std::string& source) {
  struct stat info{};
  return source.starts_with('/') && stat(source.c_str(), &info) != 0 && errno == ENOENT;
}

Status detach_dead(const std::string& path, const MountOptions& options) {
  const auto entry = find_mount(path);
  const bool ours = entry && entry->type == kType && (entry->source == options.source || is_missing(entry->source));
  if (!ours) {
    return {Code::kBusy,
            fmt::format("mount point {}: a dead FUSE mount ({}) is in the way; detach it with: umount -l {}", path,
                        entry ? entry->source : "unknown", path)};
  }
  log::warning("fuse: {}: detaching the mount that an earlier, dead firn left, of {}", path, entry->source);
  Status status = unmount_path(path, {.lazy = true});
  return status.ok() ? status : std::move(status).with_context("detaching a dead mount");
}

Status check_empty(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (!directory) return Status::from_errno(errno, fmt::format("mount point {}", path));
  bool empty = true;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") empty = false;
  }
  closedir(directory);
  if (empty) return {};
  return {Code::kNotEmpty,
          fmt::format("mount point {} is not empty: its files would be hidden; use another, or -o nonempty", path)};
}

Status check_directory(const std::string& path, const MountOptions& options) {
  const auto entry = find_mount(path);
  if (entry && entry->type == kType) {
    return {Code::kBusy, fmt::format("mount point {}: {} is mounted there already; unmount it with: firn umount {}",
                                     path, entry->source, path)};
  }
  return options.non_empty ? Status() : check_empty(path);
}

}  // namespace

Result<MountEntry> find_mount_in(std::string_view mountinfo, std::string_view path) {
  Result<MountEntry> found = fail(Code::kNotFound);
  std::istringstream lines{std::string(mountinfo)};
  std::string line;
  while (std::getline(lines, line)) {
    // id parent major:minor root mount-point options [optional...] - type source super-options
    std::istringstream words(line);
    std::string skip, point, word;
    unsigned device_major = 0, device_minor = 0;
    char colon = 0;
    words >> skip >> skip >> device_major >> colon >> device_minor >> skip >> point;
    while (words >> word && word != "-") {
    }
    MountEntry entry{.type = {}, .source = {}, .device = makedev(device_major, device_minor)};
    words >> entry.type >> entry.source;
    entry.source = unescape(entry.source);
    if (words && unescape(point) == path) found = std::move(entry);  // a later mount covers an earlier one
  }
  return found;
}

Result<MountEntry> find_mount(const std::string& path) {
  std::ifstream file("/proc/self/mountinfo");
  std::stringstream text;
  text << file.rdbuf();
  return find_mount_in(text.str(), path);
}

Result<std::string> prepare_mount_point(const MountOptions& options) {
  auto path = resolve(options.mount_point);
  if (!path) {
    const bool missing = path.error() == Code::kNotFound;
    return fail(path.error().code(), fmt::format("mount point {}: {}{}", options.mount_point, path.error().to_string(),
                                                 missing ? "; create it with mkdir" : ""));
  }
  if (is_dead_mount(*path)) TRY(detach_dead(*path, options));
  struct stat info{};
  if (stat(path->c_str(), &info) != 0) return fail(Status::from_errno(errno, fmt::format("mount point {}", *path)));
  if (!S_ISDIR(info.st_mode)) return fail(Code::kNotDirectory, fmt::format("mount point {} is not a directory", *path));
  TRY(check_directory(*path, options));
  return *path;
}

}  // namespace firn::fuse
