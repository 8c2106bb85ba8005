// Nanoseconds per operation on kv/rocksdb, on one reactor, warm. What fuse and the disk add comes on top.
#include <benchmark/benchmark.h>

#include "io/block_on.h"
#include "kv/testing/engine_host.h"
#include "meta/event_log.h"
#include "meta/local_service.h"
#include "meta/volume.h"

namespace firn::meta {
namespace {

using kv::testing::run;

constexpr int kNames = 10'000;

// A volume with one directory of kNames files, and names to work with.
class Fixture {
 public:
  enum class Events { kNone, kLogged };

  explicit Fixture(Events events) {
    auto opened = kv::open_rocksdb({.path = folder_.path() + "/db", .create = true});
    CHECK(opened.has_value());
    engine_ = *std::move(opened);
    CHECK(run(format(*engine_, VolumeSettings{.id = "0123456789abcdef"}, RootOwner{})).has_value());
    if (events == Events::kLogged) {
      auto log = run(EventLog::open(*engine_, {}, system_random()));
      CHECK(log.has_value());
      events_ = *std::move(log);
    }
    service_ = std::make_unique<LocalService>(*engine_, Options{.events = events_.get()});
    directory_ = make_directory("d");
    run(fill());
  }
  ~Fixture() {
    service_.reset();
    CHECK(run(engine_->close()).has_value());
  }

  InodeId make_directory(std::string_view name) {
    const NodeSpec spec{.type = FileType::kDirectory, .mode = 0777};
    return run(service_->make_node(who_, kRootInode, name, spec))->inode;
  }
  static std::string name(int64_t i) { return "file" + std::to_string(i); }

  kv::testing::ScratchFolder folder_;
  std::unique_ptr<kv::Engine> engine_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<LocalService> service_;
  const Credentials who_{.kernel_checked = true};
  InodeId directory_;
  std::vector<InodeId> files_;
  int64_t next_ = 0;

 private:
  io::Task<void> fill() {
    for (int i = 0; i < kNames; ++i) {
      const std::string file = name(i);
      const NodeSpec spec{.mode = 0644};
      files_.push_back((co_await service_->create(who_, directory_, file, spec, true))->attr.inode);
    }
  }
};

template <Fixture::Events kEvents = Fixture::Events::kNone>
Fixture& fixture() {
  static Fixture* const shared = new Fixture(kEvents);
  return *shared;
}

// Runs `body(f, i)` state.max_iterations times within one reactor task, so that no thread hand-over is measured.
template <class Body>
io::Task<void> repeat(benchmark::State& state, Fixture& f, Body body) {
  for (auto _ : state) co_await body(f, f.next_++);
}

io::Task<void> create_one(Fixture& f, int64_t i) {
  const std::string name = "new" + std::to_string(i);
  const NodeSpec spec{.mode = 0644};
  const auto made = co_await f.service_->create(f.who_, kRootInode, name, spec, true);
  CHECK(made.has_value());
}

io::Task<void> create_after_lookup(Fixture& f, int64_t i) {
  const std::string name = "new" + std::to_string(i);
  const NodeSpec spec{.mode = 0644};
  benchmark::DoNotOptimize(co_await f.service_->lookup(f.who_, kRootInode, name));
  const auto made = co_await f.service_->create(f.who_, kRootInode, name, spec, true);
  CHECK(made.has_value());
}

io::Task<void> create_and_unlink(Fixture& f, int64_t i) {
  const std::string name = "gone" + std::to_string(i);
  const NodeSpec spec{.mode = 0644};
  const auto made = co_await f.service_->create(f.who_, kRootInode, name, spec, true);
  CHECK((co_await f.service_->unlink(f.who_, kRootInode, name)).has_value());
  CHECK((co_await f.service_->reclaim(made->attr.inode)).has_value());
}

io::Task<void> lookup_one(Fixture& f, int64_t i) {
  const std::string name = Fixture::name(i % kNames);
  const auto found = co_await f.service_->lookup(f.who_, f.directory_, name);
  CHECK(found.has_value());
}

io::Task<void> lookup_missing(Fixture& f, int64_t i) {
  const std::string name = "absent" + std::to_string(i);
  benchmark::DoNotOptimize(co_await f.service_->lookup(f.who_, f.directory_, name));
}

io::Task<void> getattr_one(Fixture& f, int64_t i) {
  const auto found = co_await f.service_->getattr(f.files_[size_t(i) % kNames]);
  CHECK(found.has_value());
}

io::Task<void> rename_one(Fixture& f, int64_t i) {
  const std::string name = Fixture::name(i % kNames), other = name + "r";
  CHECK((co_await f.service_->rename(f.who_, f.directory_, name, f.directory_, other, {})).has_value());
  CHECK((co_await f.service_->rename(f.who_, f.directory_, other, f.directory_, name, {})).has_value());
}

io::Task<void> update_one(Fixture& f, int64_t i) {
  static const std::string kData(4096, 'x');
  const ContentUpdate update{.size = 4096, .inline_data = kData};
  CHECK((co_await f.service_->update_content(f.files_[size_t(i) % kNames], update)).has_value());
}

io::Task<void> list_all(benchmark::State& state, Fixture& f) {
  int64_t entries = 0;
  for (auto _ : state) {
    std::string after;
    for (;;) {
      auto page = co_await f.service_->readdir(f.directory_, after, {.limit = 128, .attributes = true});
      CHECK(page.has_value());
      entries += int64_t(page->size());
      if (page->size() < 128) break;
      after = page->back().name;
    }
  }
  state.SetItemsProcessed(entries);
}

void readdir(benchmark::State& state) { run(list_all(state, fixture())); }

template <auto kBody, Fixture::Events kEvents = Fixture::Events::kNone>
void measure(benchmark::State& state) {
  run(repeat(state, fixture<kEvents>(), kBody));
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(measure<getattr_one>)->Name("getattr")->UseRealTime();
BENCHMARK(measure<lookup_one>)->Name("lookup")->UseRealTime();
BENCHMARK(measure<lookup_missing>)->Name("lookup_missing")->UseRealTime();
BENCHMARK(measure<create_one>)->Name("create")->UseRealTime();
BENCHMARK(measure<create_after_lookup>)->Name("lookup_missing_then_create")->UseRealTime();
BENCHMARK(measure<create_and_unlink>)->Name("create_unlink_reclaim")->UseRealTime();
BENCHMARK(measure<rename_one>)->Name("rename_twice")->UseRealTime();
BENCHMARK(measure<update_one>)->Name("update_inline_4k")->UseRealTime();
constexpr Fixture::Events kLogged = Fixture::Events::kLogged;
BENCHMARK(measure<create_one, kLogged>)->Name("create_with_events")->UseRealTime();
BENCHMARK(measure<create_and_unlink, kLogged>)->Name("create_unlink_reclaim_with_events")->UseRealTime();
BENCHMARK(measure<update_one, kLogged>)->Name("update_inline_4k_with_events")->UseRealTime();
BENCHMARK(readdir)->Name("readdir_10000_with_attributes")->UseRealTime();

}  // namespace
}  // namespace firn::meta

BENCHMARK_MAIN();
