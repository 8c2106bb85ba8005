// firn bench: a short measurement of any folder, mounted volume or not.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "io/unique_fd.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Measures small-file and sequential speed in a temporary folder below PATH (default: here), which is removed "
    "again.\n"
    "It takes some seconds and says how a place compares with another; make bench in the sources measures for the "
    "record.";

using Clock = std::chrono::steady_clock;

struct Bench {
  std::string folder;
  bool as_json = false;
  nlohmann::json results = nlohmann::json::array();  // for --json; otherwise a row is printed when it is known
  int files = 2000;
  size_t big_bytes = size_t{256} << 20;
  std::vector<char> block = std::vector<char>(1 << 20, 'f');

  std::string name(int i) const { return fmt::format("{}/{}", folder, i); }
};

// Runs `step` for each of `count`: a row of the table.
Status measure(Bench& bench, const char* what, int count, const std::function<Status(int)>& step) {
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i) TRY(step(i));
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (bench.as_json)
    bench.results.push_back({{"work", what}, {"per_s", count / seconds}});
  else
    fmt::print("{:<28} {:>12.0f} /s {:>10.1f} us each\n", what, count / seconds, seconds * 1e6 / count);
  return {};
}

Status write_small(const Bench& bench, int i) {
  io::UniqueFd fd(open(bench.name(i).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd || write(fd.get(), bench.block.data(), 4096) != 4096) return Status::from_errno(errno, bench.name(i));
  return {};
}

Status read_small(Bench& bench, int i) {
  io::UniqueFd fd(open(bench.name(i).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || read(fd.get(), bench.block.data(), 4096) != 4096) return Status::from_errno(errno, bench.name(i));
  return {};
}

Status run_small(Bench& bench) {
  TRY(measure(bench, "create, write 4 KiB, close", bench.files, [&](int i) { return write_small(bench, i); }));
  TRY(measure(bench, "stat", bench.files, [&](int i) -> Status {
    struct stat info{};
    return stat(bench.name(i).c_str(), &info) == 0 ? Status() : Status::from_errno(errno, bench.name(i));
  }));
  TRY(measure(bench, "open, read 4 KiB, close", bench.files, [&](int i) { return read_small(bench, i); }));
  TRY(measure(bench, "rename", bench.files, [&](int i) -> Status {
    const std::string name = bench.name(i);
    if (rename(name.c_str(), (name + ".r").c_str()) != 0) return Status::from_errno(errno, name);
    return {};
  }));
  return measure(bench, "unlink", bench.files, [&](int i) -> Status {
    const std::string name = bench.name(i) + ".r";
    return unlink(name.c_str()) == 0 ? Status() : Status::from_errno(errno, name);
  });
}

Status run_fsync(Bench& bench) {
  io::UniqueFd fd(open(bench.name(0).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return Status::from_errno(errno, bench.name(0));
  TRY(measure(bench, "write 4 KiB, fsync", 50, [&](int i) -> Status {
    if (pwrite(fd.get(), bench.block.data(), 4096, i * 4096) != 4096 || fsync(fd.get()) != 0)
      return Status::from_errno(errno, bench.name(0));
    return {};
  }));
  unlink(bench.name(0).c_str());
  return {};
}

Status run_big(Bench& bench) {
  const std::string name = bench.folder + "/big";
  io::UniqueFd fd(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return Status::from_errno(errno, name);
  auto sweep = [&](const char* what, const std::function<ssize_t(off_t)>& step) -> Status {
    const auto start = Clock::now();
    for (size_t done = 0; done < bench.big_bytes; done += bench.block.size())
      if (step(static_cast<off_t>(done)) != static_cast<ssize_t>(bench.block.size()))
        return Status::from_errno(errno, name);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (bench.as_json)
      bench.results.push_back({{"work", what}, {"bytes_per_s", static_cast<double>(bench.big_bytes) / seconds}});
    else
      fmt::print("{:<28} {:>12.0f} MiB/s\n", what, static_cast<double>(bench.big_bytes >> 20) / seconds);
    return {};
  };
  TRY(sweep("sequential write, 1 MiB",
            [&](off_t at) { return pwrite(fd.get(), bench.block.data(), bench.block.size(), at); }));
  fsync(fd.get());
  TRY(sweep("sequential read, 1 MiB",
            [&](off_t at) { return pread(fd.get(), bench.block.data(), bench.block.size(), at); }));
  unlink(name.c_str());
  return {};
}

Result<int> bench(const std::string& path, bool as_json) {
  std::string folder = path + "/firn-bench-XXXXXX";
  if (!mkdtemp(folder.data())) return fail(Status::from_errno(errno, path));
  Bench state{.folder = folder, .as_json = as_json};
  if (!as_json)
    fmt::print("{}: {} small files, one of {} MiB, cached reads\n", path, state.files, state.big_bytes >> 20);
  Status status = run_small(state);
  if (status.ok()) status = run_fsync(state);
  if (status.ok()) status = run_big(state);
  if (!status.ok()) {
    // Leaves nothing behind after a failure either.
    for (int i = 0; i < state.files; ++i) unlink(state.name(i).c_str()), unlink((state.name(i) + ".r").c_str());
    unlink((folder + "/big").c_str());
  }
  rmdir(folder.c_str());
  if (!status.ok()) return fail(status);
  if (as_json) print_json({{"folder", path}, {"results", state.results}});
  return kExitOk;
}

}  // namespace

void add_bench(Command& firn) {
  Command command = firn.add("bench", "Measure a folder's speed", kManual);
  struct Arguments {
    std::string path = ".";
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  command.value("PATH", arguments->path, "The folder to measure in");
  command.json(arguments->json, "All rates as one JSON value, each second's");
  command.runs([arguments] { return bench(arguments->path, arguments->json); });
}

}  // namespace firn::cli
