// What a request costs in the door alone: a volume in memory, each transport, one thread and many. Needs root.
// Prints microseconds per operation as seen by the caller, and of processor time in the server.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/time.h"
#include "fuse/session.h"
#include "fuse/testing/fake_volume.h"

namespace firn::fuse {
namespace {

constexpr int kFiles = 20'000;

// Ends the client when a call failed.
int must(int result) {
  if (result < 0) {
    perror("client");
    _exit(1);
  }
  return result;
}

struct Timing {
  double wall_us, server_us;
};

// The benchmark's own threads are children, so this process's time is the server's.
double server_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <class Work>
Timing measure(int processes, Work work) {
  const double server_start = server_seconds();
  const int64_t start = system_clock().monotonic_ns();
  std::vector<pid_t> children;
  for (int p = 0; p < processes; ++p) {
    const pid_t pid = fork();
    if (pid == 0) {
      close_range(3, ~0U, 0);  // the server's descriptors, one per file
      for (int i = 0; i < kFiles / processes; ++i) work(p, i);
      _exit(0);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    waitpid(pid, &status, 0);
    if (status != 0) {
      fprintf(stderr, "a client failed: status %d\n", status);
      exit(1);
    }
  }
  const double wall = static_cast<double>(system_clock().monotonic_ns() - start) / 1e3;
  return {wall / kFiles, (server_seconds() - server_start) * 1e6 / kFiles};
}

void print(const char* name, TransportKind transport, int processes, Timing timing) {
  printf("%-8s %-6s x%d  %7.2f us/op  %7.2f us/op server\n", name, transport_name(transport).data(), processes,
         timing.wall_us, timing.server_us);
}

void run(const std::string& root, io::ReactorPool& reactors, TransportKind transport, int processes) {
  testing::FakeVolume volume;
  vfs::AccessLog access_log;
  MountOptions options;
  options.mount_point = root;
  options.transport = transport;
  auto session = io::block_on(reactors, Session::mount(options, {volume, access_log, reactors}));
  if (!session) {
    fprintf(stderr, "%s\n", session.error().message().c_str());
    exit(1);
  }
  const auto path = [&](int p, int i) { return root + "/" + std::to_string(p) + "-" + std::to_string(i); };
  print("create", transport, processes, measure(processes, [&](int p, int i) {
          close(must(open(path(p, i).c_str(), O_CREAT | O_WRONLY | O_EXCL, 0600)));
        }));
  print("stat", transport, processes, measure(processes, [&](int p, int i) {
          struct statx info{};
          statx(AT_FDCWD, path(p, i).c_str(), AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &info);
        }));
  print("open", transport, processes,
        measure(processes, [&](int p, int i) { close(must(open(path(p, i).c_str(), O_RDONLY))); }));
  print("unlink", transport, processes, measure(processes, [&](int p, int i) { must(unlink(path(p, i).c_str())); }));
  if (getenv("FIRN_BENCH_COUNTS")) {
    for (const OpcodeInfo& opcode : (*session)->info().opcodes) {
      printf("  %-14s %lu, %lu failed\n", opcode.name.data(), opcode.requests, opcode.errors);
    }
  }
  io::block_on(reactors, (*session)->stop());
}

int main_() {
  std::ofstream("/sys/module/fuse/parameters/enable_uring") << 1;
  char root[] = "/tmp/firn-bench-XXXXXX";
  if (!mkdtemp(root)) return 1;
  auto reactors = io::ReactorPool::create({});
  if (!reactors) return 1;
  for (const int processes : {1, 8}) {
    for (const auto transport : {TransportKind::kDev, TransportKind::kUring}) {
      run(root, **reactors, transport, processes);
    }
  }
  rmdir(root);
  return 0;
}

}  // namespace
}  // namespace firn::fuse

int main() { return firn::fuse::main_(); }
