#include "cli/mounts.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <fstream>
#include <iterator>
#include <ranges>
#include <set>

#include "cli/volume_folder.h"

namespace firn::cli {
namespace {

// mountinfo writes blank, tab, newline and backslash as \040 and so on.
std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

Result<std::vector<Mount>> mounts_in(const std::string& mountinfo) {
  std::ifstream in(mountinfo);
  if (!in) return fail(Code::kIo, mountinfo + ": cannot be read; is /proc mounted?");
  return parse_mountinfo(std::string(std::istreambuf_iterator<char>(in), {}));
}

Result<std::vector<Mount>> all_mounts() { return mounts_in("/proc/self/mountinfo"); }

bool is_inside(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || folder == "/" || path[folder.size()] == '/');
}

std::string link_target(const std::string& link) {
  char buffer[PATH_MAX];
  const ssize_t bytes = readlink(link.c_str(), buffer, sizeof buffer);
  return bytes > 0 ? std::string(buffer, static_cast<size_t>(bytes)) : std::string();
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  if (DIR* dir = opendir(folder.c_str())) {
    while (const dirent* entry = readdir(dir)) names.emplace_back(entry->d_name);
    closedir(dir);
  }
  return names;
}

std::vector<std::string> processes() {
  std::vector<std::string> pids = names_in("/proc");
  std::erase_if(pids,
                [](const std::string& name) { return name.find_first_not_of("0123456789") != std::string::npos; });
  return pids;
}

// "1234 (vim)"
std::string with_command(const std::string& pid) {
  std::string command;
  std::ifstream in("/proc/" + pid + "/comm");
  std::getline(in, command);
  return fmt::format("{} ({})", pid, command);
}

bool process_uses(const std::string& proc, const std::string& point) {
  for (const char* link : {"/cwd", "/root", "/exe"})
    if (is_inside(link_target(proc + link), point)) return true;
  for (const char* folder : {"/fd/", "/map_files/"})
    for (const std::string& name : names_in(proc + folder))
      if (is_inside(link_target(proc + folder + name), point)) return true;
  return false;
}

bool has_mount_of(const std::vector<Mount>& mounts, const std::string& root) {
  return std::ranges::any_of(mounts, [&](const Mount& mount) { return is_of_volume(mount, root); });
}

}  // namespace

bool is_of_volume(const Mount& mount, const std::string& root) {
  return mount.type == kMountType && mount.source == root;
}

bool is_left_over(const Mount& mount) {
  const auto holder = find_holder({mount.source});
  if (!holder || !holder->serves) return false;
  if (holder->mount_point.empty()) return true;
  const auto its = find_mount(holder->mount_point);
  return its && is_of_volume(*its, mount.source) && its->device != mount.device;
}

bool is_mounted_for(pid_t pid, const std::string& root) {
  const auto mounts = mounts_in(fmt::format("/proc/{}/mountinfo", pid));
  return mounts && has_mount_of(*mounts, root);
}

std::optional<Mount> mount_of_volume(const std::string& root) {
  const auto mounts = all_mounts();
  if (!mounts) return std::nullopt;
  const auto found = std::ranges::find_if(*mounts, [&](const Mount& mount) { return is_of_volume(mount, root); });
  return found == mounts->end() ? std::nullopt : std::optional(*found);
}

std::vector<Mount> parse_mountinfo(std::string_view text) {
  std::vector<Mount> mounts;
  for (const auto line : std::views::split(text, '\n')) {
    // id parent dev root POINT options [tags...] - TYPE SOURCE superoptions (proc_pid_mountinfo(5))
    const auto words = words_of(std::string_view(line.begin(), line.end()));
    const auto dash = std::ranges::find(words, "-");
    if (words.size() < 6 || std::distance(dash, words.end()) < 3) continue;
    mounts.push_back({unescape(words[4]), unescape(dash[2]), unescape(dash[1]), std::string(words[2])});
  }
  return mounts;
}

Result<std::vector<Mount>> list_mounts() {
  std::vector<Mount> mounts = TRY(all_mounts());
  std::erase_if(mounts, [](const Mount& mount) { return mount.type != kMountType; });
  return mounts;
}

Result<Mount> find_mount(const std::string& point) {
  std::vector<Mount> mounts = TRY(all_mounts());
  for (Mount& mount : std::views::reverse(mounts))
    if (mount.point == point) return std::move(mount);
  return fail(Code::kNotFound, fmt::format("{}: nothing is mounted there", point));
}

Result<Mount> mount_of(const std::string& path) {
  std::vector<Mount> mounts = TRY(all_mounts());
  const Mount* best = nullptr;
  for (const Mount& mount : mounts)
    if (is_inside(path, mount.point) && (!best || mount.point.size() >= best->point.size())) best = &mount;
  if (best && best->type == kMountType) return *best;
  return fail(Code::kNotFound, fmt::format("{}: not inside a mounted firn volume", path));
}

std::vector<std::string> users_of(const std::string& point) {
  std::vector<std::string> users;
  for (const std::string& pid : processes())
    if (process_uses("/proc/" + pid, point)) users.push_back(with_command(pid));
  return users;
}

std::vector<std::string> users_elsewhere(const std::string& root) {
  const std::string ours = link_target("/proc/self/ns/mnt");
  std::set<std::string> having_it;  // mount namespaces; a process with another root sees only some of its own
  std::vector<std::string> users;
  for (const std::string& pid : processes()) {
    const std::string its = link_target("/proc/" + pid + "/ns/mnt");
    const bool is_program = !link_target("/proc/" + pid + "/exe").empty();
    if (its.empty() || its == ours || !is_program) continue;
    if (!having_it.contains(its)) {
      const auto mounts = mounts_in("/proc/" + pid + "/mountinfo");
      if (!mounts || !has_mount_of(*mounts, root)) continue;
      having_it.insert(its);
    }
    users.push_back(with_command(pid));
  }
  return users;
}

std::string volume_to_be_at(const std::string& point) {
  constexpr std::string_view kLock = "/firn.lock";
  for (const std::string& pid : processes())
    for (const std::string& name : names_in("/proc/" + pid + "/fd")) {
      std::string path = link_target("/proc/" + pid + "/fd/" + name);
      if (!path.ends_with(kLock)) continue;
      path.resize(path.size() - kLock.size());
      const auto holder = find_holder({path});
      if (holder && std::to_string(holder->pid) == pid && holder->mount_point == point) return path;
    }
  return "";
}

}  // namespace firn::cli
