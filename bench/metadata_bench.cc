// metadata_bench: one kind of file operation, from one or more threads, timed one by one. bench/run calls it once
// per phase, so that it can drop caches and read the daemon's processor time between phases.
//
//   metadata_bench PHASE --dir D [--threads N] [--files N] [--layout shared|many] [--prefix P] [--bytes N]
//
// Prints one line of JSON: operations, seconds of wall time, latencies in nanoseconds.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kFilesPerDirectory = 100;  // layout "many"
constexpr size_t kStride = 7919;            // a prime: visits files in another order than they were made in

struct Arguments {
  std::string phase;
  std::string dir;
  std::string prefix = "f";
  size_t threads = 1;
  size_t files = 1000;  // of all threads together
  size_t bytes = 4096;  // of a file that is written or read
  bool many = false;
};

struct Slot {
  size_t thread;
  size_t index;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "metadata_bench: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

std::string folder_of(const Arguments& arguments, Slot slot) {
  if (!arguments.many) return arguments.dir + "/shared";
  return arguments.dir + "/many/" + std::to_string(slot.thread) + "-" + std::to_string(slot.index / kFilesPerDirectory);
}

std::string path_of(const Arguments& arguments, Slot slot, std::string_view prefix) {
  return folder_of(arguments, slot) + "/" + std::string(prefix) + std::to_string(slot.thread) + "-" +
         std::to_string(slot.index);
}

void make_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) die("mkdir " + path);
}

void create_file(const std::string& path, std::string_view content) {
  int fd = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644);
  if (fd < 0) die("create " + path);
  if (!content.empty() && write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    die("write " + path);
  if (close(fd) != 0) die("close " + path);
}

void read_file(const std::string& path, size_t bytes) {
  static thread_local std::string buffer;
  buffer.resize(bytes);
  int fd = open(path.c_str(), O_RDONLY);
  if (fd < 0) die("open " + path);
  if (read(fd, buffer.data(), bytes) != static_cast<ssize_t>(bytes)) die("read " + path);
  close(fd);
}

void stat_file(const std::string& path, unsigned flags) {
  struct statx stx;
  if (statx(AT_FDCWD, path.c_str(), static_cast<int>(flags), STATX_BASIC_STATS, &stx) != 0) die("statx " + path);
}

void run_one(const Arguments& arguments, Slot slot, const std::string& payload) {
  const std::string path = path_of(arguments, slot, arguments.prefix);
  const std::string& phase = arguments.phase;
  if (phase == "create") {
    create_file(path, {});
  } else if (phase == "create4k") {
    create_file(path, payload);
  } else if (phase == "read4k") {
    read_file(path, arguments.bytes);
  } else if (phase == "stat") {
    stat_file(path, 0);
  } else if (phase == "getattr") {
    stat_file(path, AT_STATX_FORCE_SYNC);  // the kernel asks the file system every time
  } else if (phase == "rename") {
    const std::string to = path_of(arguments, slot, arguments.prefix + "r");
    if (rename(path.c_str(), to.c_str()) != 0) die("rename " + path);
  } else if (phase == "unlink") {
    if (unlink(path.c_str()) != 0) die("unlink " + path);
  } else {
    std::fprintf(stderr, "metadata_bench: unknown phase %s\n", phase.c_str());
    std::exit(2);
  }
}

void prepare(const Arguments& arguments) {
  make_folder(arguments.dir);
  make_folder(arguments.dir + (arguments.many ? "/many" : "/shared"));
  if (!arguments.many) return;
  for (size_t thread = 0; thread < arguments.threads; ++thread)
    for (size_t index = 0; index < arguments.files / arguments.threads; index += kFilesPerDirectory)
      make_folder(folder_of(arguments, {thread, index}));
}

// Whole names and types, as `ls` reads them, without looking at the files.
size_t list_folder(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (!directory) die("opendir " + path);
  size_t count = 0;
  while (readdir(directory)) ++count;
  closedir(directory);
  return count;
}

uint64_t percentile(const std::vector<uint64_t>& sorted, double fraction) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<size_t>(fraction * static_cast<double>(sorted.size() - 1))];
}

void report(const std::string& phase, size_t operations, double seconds, std::vector<uint64_t> latencies) {
  std::ranges::sort(latencies);
  std::printf("{\"phase\": \"%s\", \"operations\": %zu, \"seconds\": %.6f, \"p50_ns\": %" PRIu64
              ", \"p99_ns\": %" PRIu64 "}\n",
              phase.c_str(), operations, seconds, percentile(latencies, 0.5), percentile(latencies, 0.99));
}

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

void run_phase(const Arguments& arguments) {
  const size_t each = arguments.files / arguments.threads;
  const bool in_order = arguments.phase.starts_with("create");
  const std::string payload(arguments.bytes, 'x');
  std::vector<std::vector<uint64_t>> latencies(arguments.threads);
  std::vector<SteadyClock::time_point> begins(arguments.threads), ends(arguments.threads);
  std::barrier ready(static_cast<std::ptrdiff_t>(arguments.threads));
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < arguments.threads; ++thread) {
    threads.emplace_back([&, thread] {
      latencies[thread].reserve(each);
      ready.arrive_and_wait();
      begins[thread] = ends[thread] = SteadyClock::now();
      for (size_t i = 0; i < each; ++i) {
        auto begin = ends[thread];
        run_one(arguments, {thread, in_order ? i : i * kStride % each}, payload);
        ends[thread] = SteadyClock::now();
        latencies[thread].push_back(
            static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(ends[thread] - begin).count()));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  // From the first start to the last end: on few processors the threads do not all run at once.
  std::chrono::duration<double> span = *std::ranges::max_element(ends) - *std::ranges::min_element(begins);
  std::vector<uint64_t> all;
  for (auto& part : latencies) all.insert(all.end(), part.begin(), part.end());
  report(arguments.phase, each * arguments.threads, span.count(), std::move(all));
}

// Appends files to one folder, and prints a line for each tenth thousand: how the rate changes as it grows.
void grow(const Arguments& arguments) {
  constexpr size_t kWindow = 10'000;
  make_folder(arguments.dir);
  for (size_t done = 0; done < arguments.files;) {
    auto begin = SteadyClock::now();
    size_t end = std::min(done + kWindow, arguments.files);
    size_t count = end - done;
    for (; done < end; ++done) create_file(arguments.dir + "/f" + std::to_string(done), {});
    report("grow", count, seconds_since(begin), {});
  }
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  if (argc < 2 || argc % 2 != 0) {
    std::fprintf(
        stderr,
        "usage: metadata_bench PHASE --dir D [--threads N] [--files N] [--layout L] [--prefix P] [--bytes N]\n");
    std::exit(2);
  }
  arguments.phase = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    std::string_view name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--dir") arguments.dir = value;
    if (name == "--prefix") arguments.prefix = value;
    if (name == "--threads") arguments.threads = std::max(1UL, std::strtoul(value, nullptr, 10));
    if (name == "--files") arguments.files = std::strtoul(value, nullptr, 10);
    if (name == "--bytes") arguments.bytes = std::strtoul(value, nullptr, 10);
    if (name == "--layout") arguments.many = std::string_view(value) == "many";
  }
  // kStride must not divide a thread's share, or some files would be visited twice.
  size_t each = std::max<size_t>(1, arguments.files / arguments.threads);
  if (each % kStride == 0) ++each;
  if (arguments.phase != "grow") arguments.files = each * arguments.threads;
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments = parse(argc, argv);
  if (arguments.phase == "prepare") {
    prepare(arguments);
  } else if (arguments.phase == "list") {
    auto begin = SteadyClock::now();
    size_t entries = list_folder(arguments.dir);
    report("list", entries, seconds_since(begin), {});
  } else if (arguments.phase == "grow") {
    grow(arguments);
  } else {
    run_phase(arguments);
  }
}
