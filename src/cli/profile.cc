// firn profile
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.h"
#include "cli/access_profile.h"
#include "cli/client.h"
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
    "Reads the access log of a served volume for some seconds, and sums it up: per door and operation how often, how\n"
    "long in all, and its share; which paths, processes and clients took the most. What the kernel does by itself\n"
    "(its caches, and passthrough) costs firn nothing and is not there. For root, and the daemon's owner; with --url,\n"
    "for tokens made with --admin.";
constexpr size_t kMostOperations = 20;
constexpr size_t kMostOthers = 10;

struct Arguments {
  std::string volume;
  int64_t seconds = 10;
  int64_t interval_s = 0;
  std::string door = "all";
  bool json = false;
};

// Where the volume that is asked for is mounted; empty: nowhere, or on another machine.
Result<std::string> mount_point_of(const std::string& argument, const Served& served) {
  if (served.remote) return std::string();
  const std::string path = absolute_path(argument);
  if (const auto mount = find_mount(path); mount && mount->type == kMountType) return path;
  for (const Mount& mount : TRY(list_mounts()))
    if (mount.type == kMountType && mount.source == served.paths.root) return mount.point;
  return std::string();
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

// `paths`: null where nothing is mounted.
std::string path_of(const AccessTarget& target, const InodePaths* paths) {
  if (!target.path.empty()) return target.path;
  std::string path = paths ? paths->path_of(target.inode) : "";
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

// Of an interval.
struct Shown {
  const AccessProfile& profile;
  const InodePaths* paths;
  const Processes& processes;
  double seconds;
};

void show_json(const Shown& shown) {
  const AccessProfile& profile = shown.profile;
  const double all_us = profile.all().us;
  nlohmann::json body = {
      {"seconds", shown.seconds}, {"dropped_lines", profile.dropped()}, {"all", json_of(profile.all(), all_us)}};
  const auto add = [&](const char* list, nlohmann::json names, const AccessSum& sum) {
    nlohmann::json one = json_of(sum, all_us);
    one.update(names);
    body[list].push_back(std::move(one));
  };
  for (const auto& [door, sum] : profile.doors()) add("doors", {{"door", door}}, sum);
  for (const auto& [operation, sum] : profile.operations(kMostOperations))
    add("operations", {{"door", operation.door}, {"operation", operation.op}}, sum);
  for (const auto& [target, sum] : profile.targets(kMostOthers))
    add("paths", {{"path", path_of(target, shown.paths)}}, sum);
  for (const auto& [pid, sum] : profile.processes(kMostOthers))
    add("processes", {{"pid", pid}, {"name", shown.processes.name_of(pid)}}, sum);
  for (const auto& [client, sum] : profile.clients(kMostOthers)) add("clients", {{"client", client}}, sum);
  print_json(body);
}

void row(const std::string& name, const AccessSum& sum, double all_us) {
  fmt::print("{:>9} {:>7} {:>10.1f} {:>6.1f} % {:>9.1f} {:>10.1f} {:>10}  {}\n", sum.count, sum.errors, sum.us / 1e3,
             all_us > 0 ? 100 * sum.us / all_us : 0, sum.us / static_cast<double>(sum.count), sum.longest_us,
             human_size(sum.bytes), name);
}

void show(const Shown& shown) {
  const AccessProfile& profile = shown.profile;
  const AccessSum& all = profile.all();
  fmt::print(
      "{} requests in {:.1f} s{}\n", all.count, shown.seconds,
      profile.dropped() > 0 ? fmt::format(", and {} more that were too many to be told", profile.dropped()) : "");
  if (all.count == 0) return;
  fmt::print("{:>9} {:>7} {:>10} {:>8} {:>9} {:>10} {:>10}\n", "count", "errors", "total ms", "share", "mean us",
             "longest us", "bytes");
  for (const auto& [operation, sum] : profile.operations(kMostOperations))
    row(operation.door + " " + operation.op, sum, all.us);
  fmt::print("paths\n");
  for (const auto& [target, sum] : profile.targets(kMostOthers)) row(path_of(target, shown.paths), sum, all.us);
  if (const auto processes = profile.processes(kMostOthers); !processes.empty()) {
    fmt::print("processes\n");
    for (const auto& [pid, sum] : processes) row(fmt::format("{} {}", pid, shown.processes.name_of(pid)), sum, all.us);
  }
  if (const auto clients = profile.clients(kMostOthers); !clients.empty()) {
    fmt::print("clients\n");
    for (const auto& [client, sum] : clients) row(client, sum, all.us);
  }
}

// Sums up the log as it comes, and shows each interval's sum.
class Profiling {
 public:
  Profiling(const Arguments& arguments, const std::string& mount_point)
      : arguments_(arguments),
        step_s_(arguments.interval_s > 0 ? arguments.interval_s : arguments.seconds),
        left_s_(arguments.seconds) {
    if (!mount_point.empty()) paths_.emplace(mount_point);
    begin();
  }

  // The log tells at least once a second that there is nothing. False: the time is over, or nobody reads the output.
  bool take(std::string_view bytes) {
    pending_ += bytes;
    size_t from = 0;
    for (size_t end; (end = pending_.find('\n', from)) != std::string::npos; from = end + 1)
      profile_->add(std::string_view(pending_).substr(from, end - from));
    pending_.erase(0, from);
    if (Clock::now() < end_) return true;
    if (!finish_interval()) return false;
    begin();
    return true;
  }
  // After a break in the log.
  void forget_half_a_line() { pending_.clear(); }
  bool done() const { return done_; }
  int exit_code() const { return unread_ ? kExitFailure : kExitOk; }

 private:
  void begin() {
    begin_ = Clock::now();
    end_ = begin_ + std::chrono::seconds(std::min(step_s_, left_s_));
    profile_.emplace(
        AccessProfile::Options{.process_of = [this](uint32_t thread) { return processes_.process_of(thread); },
                               .door = arguments_.door == "all" ? "" : arguments_.door});
  }

  bool finish_interval() {
    const Shown shown{.profile = *profile_,
                      .paths = paths_ ? &*paths_ : nullptr,
                      .processes = processes_,
                      .seconds = std::chrono::duration<double>(Clock::now() - begin_).count()};
    if (arguments_.json) {
      show_json(shown);
    } else {
      show(shown);
    }
    left_s_ -= step_s_;
    unread_ = std::fflush(stdout) != 0;
    done_ = unread_ || left_s_ <= 0;
    return !done_;
  }

  const Arguments& arguments_;
  const int64_t step_s_;
  int64_t left_s_;
  std::optional<InodePaths> paths_;
  Processes processes_;
  std::optional<AccessProfile> profile_;
  Clock::time_point begin_, end_;
  std::string pending_;
  bool done_ = false;
  bool unread_ = false;
};

Status read_mounted(const std::string& mount_point, Profiling& profiling) {
  const std::string path = mount_point + "/.firn/accesslog";
  const io::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Status::from_errno(errno, path);
  std::vector<char> buffer(1 << 20);
  for (;;) {
    const ssize_t bytes = ::read(fd.get(), buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return Status::from_errno(errno, "the access log");
    if (bytes == 0) return Status(Code::kUnavailable, "the access log ended");
    if (!profiling.take({buffer.data(), static_cast<size_t>(bytes)})) return {};
  }
}

Status read_served(const Served& served, Profiling& profiling) {
  // The server ends the answer from time to time.
  while (!profiling.done()) {
    Client client = TRY(Client::connect(served));
    const Status status = client.fetch("/v1/admin/accesslog", [&](std::span<const std::byte> data) -> Status {
      if (profiling.take({reinterpret_cast<const char*>(data.data()), data.size()})) return {};
      return Status(Code::kInterrupted);
    });
    if (!status.ok() && !profiling.done()) return status;
    profiling.forget_half_a_line();
  }
  return {};
}

Result<int> run(const Arguments& arguments) {
  const Served served = TRY(served_volume(arguments.volume));
  const std::string mount_point = TRY(mount_point_of(arguments.volume, served));
  Profiling profiling(arguments, mount_point);
  if (mount_point.empty()) {
    TRY(read_served(served, profiling));
  } else {
    TRY(read_mounted(mount_point, profiling));
  }
  return profiling.exit_code();
}

}  // namespace

void add_profile(Command& firn) {
  Command command =
      firn.add("profile", "Sum up what is asked of a volume, by door, operation, path and client", kManual);
  auto arguments = std::make_shared<Arguments>();
  command.value("VOLUME", arguments->volume, "The volume's folder, or where it is mounted");
  command.value("--seconds", arguments->seconds, "How long to watch").between(1, 86'400);
  command.value("--interval", arguments->interval_s, "Sum up every so many seconds; 0: once, at the end")
      .between(0, 86'400);
  command.value("--door", arguments->door, "Only what comes through this one").one_of({"all", "fuse", "http", "nfs"});
  command.json(arguments->json, "Each sum as a line of JSON");
  command.may_be_remote();
  command.runs([arguments]() -> Result<int> {
    if (arguments->volume.empty() && !TRY(chosen_remote()))
      return misuse("profile: which volume? give its folder, where it is mounted, or --url");
    return run(*arguments);
  });
}

}  // namespace firn::cli
