// object_bench: puts and gets against an S3 bucket or a folder, several at once. bench/run calls it.
//
//   object_bench put|get|parts|range|small URL --count N --bytes N --parallel N --part N --objects N --if-absent 0|1
//
// put: N objects (--if-absent 1: only where there are none); get: the same, whole; parts: N parts of --part bytes one
// after the other, through as many objects of --bytes as that takes; range: N random parts of --part bytes of --objects
// of them (1); small: N objects of 4 KiB. URL is s3://bucket/prefix (credentials and endpoint from the environment) or
// a folder made by this program. Prints one line of JSON: operations, bytes, seconds of wall time, seconds of processor
// time.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "io/block_on.h"
#include "io/sync.h"
#include "io/uring/uring_reactor.h"
#include "object/dir/dir_store.h"
#include "object/s3/s3_store.h"
#include "object/testing/noise.h"

namespace firn::object {
namespace {

constexpr int64_t kDeadlineNs = 600'000'000'000;
constexpr uint64_t kSmallBytes = 4 << 10;

struct Work {
  std::string kind;
  uint64_t count = 16;
  uint64_t bytes = 64 << 20;
  uint64_t part = 1 << 20;
  uint64_t parallel = 8;
  uint64_t objects = 1;  // that are read at random
  bool if_absent = false;
  uint64_t next = 0;  // the number of the next operation
  uint64_t done_bytes = 0;
  Content content;
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "object_bench: %s\n", why.c_str());
  std::exit(1);
}

io::Task<Result<uint64_t>> one(ObjectStore& store, const Work& work, uint64_t number) {
  const io::Until until = io::within(kDeadlineNs);
  const std::string key = "bench/" + std::to_string(number);
  if (work.kind == "put" || work.kind == "small") {
    CO_TRY(co_await store.put(key, work.content, {.if_absent = work.if_absent}, until));
    co_return work.content.bytes();
  }
  if (work.kind == "get") co_return CO_TRY(co_await store.get(key, 0, work.bytes, until)).bytes.size();
  if (work.kind == "parts") {
    const uint64_t per_object = work.bytes / work.part;
    const std::string object = "bench/" + std::to_string(number / per_object);
    co_return CO_TRY(co_await store.get(object, number % per_object * work.part, work.part, until)).bytes.size();
  }
  const uint64_t offset = number * 7919 * 4096 % (work.bytes - work.part);
  const std::string object = "bench/" + std::to_string(number % work.objects);
  co_return CO_TRY(co_await store.get(object, offset, work.part, until)).bytes.size();
}

io::Task<void> worker(ObjectStore* store, Work* work, io::Gate::Entry) {
  while (work->next < work->count) {
    const Result<uint64_t> bytes = co_await one(*store, *work, work->next++);
    if (!bytes) die(bytes.error().to_string());
    work->done_bytes += *bytes;
  }
}

io::Task<void> run_all(ObjectStore* store, Work* work) {
  io::Gate gate;
  for (uint64_t i = 0; i < work->parallel; ++i) io::detach(worker(store, work, gate.enter()));
  co_await gate.close();
}

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::unique_ptr<ObjectStore> open(const std::string& url, io::BlockingPool& pool) {
  if (!url.starts_with("s3://")) {
    if (Status made = create_dir_store(url, "bench"); !made.ok()) die(made.to_string());
    return open_dir_store({.path = url});
  }
  const s3::Environment environment = s3::Environment::of_process();
  Result<S3Options> options = s3_options(url, environment);
  if (!options) die(options.error().to_string());
  return open_s3_store(*std::move(options), environment, pool);
}

int run(int argc, char** argv) {
  if (argc < 3 || argc % 2 == 0)
    die("usage: object_bench put|get|parts|range|small URL [--count N] [--bytes N] [--parallel N] [--part N] "
        "[--if-absent 0|1]");
  Work work{.kind = argv[1]};
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--count") work.count = value;
    if (name == "--bytes") work.bytes = value;
    if (name == "--parallel") work.parallel = value;
    if (name == "--part") work.part = value;
    if (name == "--objects") work.objects = value;
    if (name == "--if-absent") work.if_absent = value != 0;
  }
  work.content = Content(testing::noise(work.kind == "small" ? kSmallBytes : work.bytes, 1));
  const auto pool = io::make_thread_pool(4);
  const auto reactor = io::UringReactor::create({.entries = 256}).value();
  const auto store = open(argv[2], *pool);
  const auto begin = std::chrono::steady_clock::now();
  const double processor = processor_seconds();
  io::run_to_end(*reactor, run_all(store.get(), &work));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("{\"operations\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"processor_seconds\": %.6f}\n",
              static_cast<unsigned long long>(work.count), static_cast<unsigned long long>(work.done_bytes),
              seconds.count(), processor_seconds() - processor);
  return 0;
}

}  // namespace
}  // namespace firn::object

int main(int argc, char** argv) { return firn::object::run(argc, argv); }
