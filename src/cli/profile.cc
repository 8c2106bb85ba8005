// firn profile
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/access_profile.h"
#include "cli/command.h"
#include "cli/inode_paths.h"
#include "cli/json.h"
#include "cli/mounts.h"
#include "cli/target.h"
#include "io/unique_fd.h"

namespace firn::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kManual =
    "Reads the access log of a mounted volume for some seconds, and sums it up: per operation how often, how long in\n"
    "all, and its share; which paths and processes took the most. What the kernel does by itself (its caches, and\n"
    "passthrough) costs firn nothing and is not there. For root, and for whoever mounted the volume.";
constexpr size_t kMostOperations = 20;
constexpr size_t kMostOthers = 10;

struct Arguments {
  std::string mount;
  int64_t seconds = 10;
  int64_t interval_s = 0;
  bool json = false;
};

// Where VOLUME, or what is mounted there, is mounted.
Result<std::string> mount_point_of(const std::string& argument) {
  const std::string path = absolute_path(argument);
  if (const auto mount = find_mount(path); mount && mount->type == kMountType) return path;
  for (const Mount& mount : TRY(list_mounts()))
    if (mount.source == path) return mount.point;
  return fail(Code::kInvalid, argument + ": no firn volume is mounted there");
}

// Processes by their threads, as long as they live; their names are kept.
class Processes {
 public:
  uint32_t process_of(uint32_t thread) {
    std::ifstream status(fmt::format("/proc/{}/status", thread));
    uint32_t process = thread;
    for (std::string word; status >> word;)
      if (word == "Tgid:") {
        status >> process;
        break;
      }
    std::ifstream comm(fmt::format("/proc/{}/comm", process));
    if (std::string name; std::getline(comm, name)) names_[process] = name;
    return process;
  }

  std::string name_of(uint32_t process) const {
    if (process == 0) return "the kernel";
    const auto known = names_.find(process);
    return known == names_.end() ? "gone" : known->second;
  }

 private:
  std::map<uint32_t, std::string> names_;
};

std::string path_of(const AccessTarget& target, const InodePaths& paths) {
  std::string path = paths.path_of(target.inode);
  if (path.empty()) path = fmt::format("inode {}", target.inode);
  if (target.name.empty()) return path;
  return path == "/" ? "/" + target.name : path + "/" + target.name;
}

nlohmann::json json_of(const AccessSum& sum, double all_us) {
  return {{"count", sum.count},
          {"errors", sum.errors},
          {"bytes", sum.bytes},
          {"seconds", sum.us / 1e6},
          {"longest_s", sum.longest_us / 1e6},
          {"share", all_us > 0 ? sum.us / all_us : 0}};
}

void show_json(const AccessProfile& profile, const InodePaths& paths, const Processes& processes, double seconds) {
  const double all_us = profile.all().us;
  nlohmann::json body = {
      {"seconds", seconds}, {"dropped_lines", profile.dropped()}, {"all", json_of(profile.all(), all_us)}};
  const auto add = [&](const char* list, const char* key, nlohmann::json name, const AccessSum& sum) {
    nlohmann::json one = json_of(sum, all_us);
    one[key] = std::move(name);
    body[list].push_back(std::move(one));
  };
  for (const auto& [operation, sum] : profile.operations(kMostOperations))
    add("operations", "operation", operation, sum);
  for (const auto& [target, sum] : profile.targets(kMostOthers)) add("paths", "path", path_of(target, paths), sum);
  for (const auto& [pid, sum] : profile.processes(kMostOthers)) {
    add("processes", "pid", pid, sum);
    body["processes"].back()["name"] = processes.name_of(pid);
  }
  print_json(body);
}

void row(const std::string& name, const AccessSum& sum, double all_us) {
  fmt::print("{:>9} {:>7} {:>10.1f} {:>6.1f} % {:>9.1f} {:>10.1f} {:>10}  {}\n", sum.count, sum.errors, sum.us / 1e3,
             all_us > 0 ? 100 * sum.us / all_us : 0, sum.us / static_cast<double>(sum.count), sum.longest_us,
             human_size(sum.bytes), name);
}

void show(const AccessProfile& profile, const InodePaths& paths, const Processes& processes, double seconds) {
  const AccessSum& all = profile.all();
  fmt::print(
      "{} requests in {:.1f} s{}\n", all.count, seconds,
      profile.dropped() > 0 ? fmt::format(", and {} more that were too many to be told", profile.dropped()) : "");
  if (all.count == 0) return;
  fmt::print("{:>9} {:>7} {:>10} {:>8} {:>9} {:>10} {:>10}\n", "count", "errors", "total ms", "share", "mean us",
             "longest us", "bytes");
  for (const auto& [operation, sum] : profile.operations(kMostOperations)) row(operation, sum, all.us);
  fmt::print("paths\n");
  for (const auto& [target, sum] : profile.targets(kMostOthers)) row(path_of(target, paths), sum, all.us);
  fmt::print("processes\n");
  for (const auto& [pid, sum] : profile.processes(kMostOthers))
    row(fmt::format("{} {}", pid, processes.name_of(pid)), sum, all.us);
}

// Lines of the access log, as they come.
class LogReader {
 public:
  static Result<LogReader> open_at(const std::string& mount_point) {
    const std::string path = mount_point + "/.firn/accesslog";
    io::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail(Status::from_errno(errno, path));
    return LogReader(std::move(fd));
  }

  // Until `end`. The log tells at least once a second that there is nothing.
  Status read_into(AccessProfile& profile, Clock::time_point end) {
    std::vector<char> buffer(1 << 20);
    while (Clock::now() < end) {
      const ssize_t bytes = ::read(fd_.get(), buffer.data(), buffer.size());
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes < 0) return Status::from_errno(errno, "the access log");
      if (bytes == 0) return Status(Code::kUnavailable, "the access log ended");
      pending_.append(buffer.data(), static_cast<size_t>(bytes));
      size_t begin = 0;
      for (size_t line_end; (line_end = pending_.find('\n', begin)) != std::string::npos; begin = line_end + 1)
        profile.add(std::string_view(pending_).substr(begin, line_end - begin));
      pending_.erase(0, begin);
    }
    return {};
  }

 private:
  explicit LogReader(io::UniqueFd fd) : fd_(std::move(fd)) {}

  io::UniqueFd fd_;
  std::string pending_;
};

Result<int> run(const Arguments& arguments) {
  const std::string mount_point = TRY(mount_point_of(arguments.mount));
  const InodePaths paths(mount_point);
  Processes processes;
  LogReader log = TRY(LogReader::open_at(mount_point));
  const int64_t step_s = arguments.interval_s > 0 ? arguments.interval_s : arguments.seconds;
  for (int64_t left_s = arguments.seconds; left_s > 0; left_s -= step_s) {
    const Clock::time_point begin = Clock::now();
    AccessProfile profile([&processes](uint32_t thread) { return processes.process_of(thread); });
    TRY(log.read_into(profile, begin + std::chrono::seconds(std::min(step_s, left_s))));
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (arguments.json) {
      show_json(profile, paths, processes, seconds);
    } else {
      show(profile, paths, processes, seconds);
    }
    if (std::fflush(stdout) != 0) return kExitFailure;
  }
  return kExitOk;
}

}  // namespace

void add_profile(Command& firn) {
  Command command = firn.add("profile", "Sum up what is asked of a mount, by operation, path and process", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("MOUNTPOINT", arguments->mount, "Where the volume is mounted, or its folder").required();
  command.value("--seconds", arguments->seconds, "How long to watch").between(1, 86'400);
  command.value("--interval", arguments->interval_s, "Sum up every so many seconds; 0: once, at the end")
      .between(0, 86'400);
  command.json(arguments->json, "Each sum as a line of JSON");
  command.runs([arguments] { return run(*arguments); });
}

}  // namespace firn::cli
