// One suite on the real disk and on the simulated one.
#include "data/hot/hot_store.h"

#include <algorithm>
#include <set>

#include "data/hot/test_worlds.h"
#include "io/block_on.h"
#include "io/sync.h"

namespace firn::data {
namespace {

class HotStoreTest : public testing::TestWithParam<WorldKind> {
 protected:
  HotStoreTest() : world_(make_world(GetParam())), disk_(world_->disk()) {}

  std::unique_ptr<Store> make_store(size_t min_ready = 16, size_t max_ready = 64, size_t recent = 8) {
    return make_hot_store({disk_, world_->root(), min_ready, max_ready, recent});
  }
  // Runs `body`, a coroutine without captures, with a store that was started with `referenced` in use, and `arguments`.
  template <class Body, class... Arguments>
  void with_store(std::set<BackingId> referenced, Body body, Arguments&... arguments) {
    auto store = make_store();
    io::run_to_end(world_->reactor(), start_run_stop(*store, std::move(referenced), body, arguments...));
  }

  std::unique_ptr<World> world_;
  WatchedDisk disk_;

 private:
  template <class Body, class... Arguments>
  static io::Task<void> start_run_stop(Store& store, std::set<BackingId> referenced, Body body,
                                       Arguments&... arguments) {
    auto started = co_await store.start([&](BackingId id) { return referenced.contains(id); });
    EXPECT_TRUE(started.has_value()) << (started ? Status() : started.error()).to_string();
    co_await body(store, arguments...);
    co_await store.stop();
  }
};

io::Task<ObjectRef> lend(Store& store) {
  auto object = co_await store.lend(true);
  EXPECT_TRUE(object.has_value() && *object);
  co_return object.value_or(nullptr);
}

// Until the pool holds `count`, for twenty seconds at most.
io::Task<void> wait_ready(Store& store, size_t count) {
  for (int i = 0; i < 10'000 && store.statistics().scratch_ready < count; ++i) co_await io::sleep_for(2'000'000);
  EXPECT_GE(store.statistics().scratch_ready, count);
}

// Lends, writes, syncs and settles.
io::Task<BackingId> make_file(Store& store, std::string text) {
  auto object = co_await lend(store);
  EXPECT_TRUE((co_await write_text(object->file(), text)).has_value());
  EXPECT_TRUE((co_await object->file().sync(true)).has_value());
  EXPECT_TRUE((co_await store.settle(object)).has_value());
  co_return object->id();
}

constexpr auto kMakeOne = [](Store& store, BackingId& id) -> io::Task<void> { id = co_await make_file(store, "x"); };

TEST_P(HotStoreTest, LentFilesAreDistinctEmptyAndWritable) {
  with_store({}, [](Store& store) -> io::Task<void> {
    std::set<BackingId> seen;
    std::vector<ObjectRef> objects;
    for (int i = 0; i < 200; ++i) {
      objects.push_back(co_await lend(store));
      EXPECT_TRUE(seen.insert(objects.back()->id()).second);
      auto stat = co_await objects.back()->file().stat();
      EXPECT_TRUE(stat && stat->bytes == 0);
    }
    EXPECT_TRUE((co_await write_text(objects[7]->file(), "seven")).has_value());
    EXPECT_EQ(co_await read_text(objects[7]->file()), "seven");
    EXPECT_EQ(co_await read_text(objects[8]->file()), "");
  });
}

TEST_P(HotStoreTest, PoolRefillsByItselfAndGrowsUnderDemand) {
  with_store({}, [](Store& store) -> io::Task<void> {
    auto first = co_await lend(store);
    co_await wait_ready(store, 15);
    std::vector<ObjectRef> objects;
    for (int round = 0; round < 8; ++round) {
      while (auto object = store.try_lend()) objects.push_back(object);
      co_await io::sleep_for(20'000'000);
    }
    co_await wait_ready(store, 17);
    EXPECT_LE(store.statistics().scratch_ready, 64u);
  });
}

TEST_P(HotStoreTest, SettledFileOpensAgainSharedAndAcrossRestart) {
  BackingId id;
  with_store(
      {},
      [](Store& store, BackingId& made) -> io::Task<void> {
        made = co_await make_file(store, "content");
        auto one = co_await store.open(made);
        auto two = co_await store.open(made);
        CO_ASSERT(one && two);
        EXPECT_EQ(*one, *two);
        EXPECT_EQ(co_await read_text((*one)->file()), "content");
      },
      id);
  with_store(
      {id},
      [](Store& store, BackingId& made) -> io::Task<void> {
        auto again = co_await store.open(made);
        CO_ASSERT(again.has_value());
        EXPECT_EQ(co_await read_text((*again)->file()), "content");
        auto missing = co_await store.open(BackingId(0xabcdef0123));
        EXPECT_TRUE(!missing && missing.error() == Code::kNotFound);
      },
      id);
}

io::Task<void> open_into(Store& store, BackingId id, ObjectRef& object, io::Gate::Entry) {
  auto opened = co_await store.open(id);
  EXPECT_TRUE(opened.has_value());
  object = opened.value_or(nullptr);
}

TEST_P(HotStoreTest, ConcurrentOpensShareOneOpen) {
  BackingId id;
  with_store({}, kMakeOne, id);
  with_store(
      {id},
      [](Store& store, BackingId& made, WatchedDisk& disk) -> io::Task<void> {
        co_await wait_ready(store, 16);
        int before = disk.opens;
        std::vector<ObjectRef> objects(10);
        io::Gate gate;
        for (auto& object : objects) io::detach(open_into(store, made, object, gate.enter()));
        co_await gate.close();
        for (auto& object : objects) EXPECT_EQ(object, objects[0]);
        EXPECT_EQ(disk.opens, before + 1);
      },
      id, disk_);
}

TEST_P(HotStoreTest, ReturnedFileIsEmptyAndNotLentBeforeItIsReady) {
  with_store({}, [](Store& store) -> io::Task<void> {
    auto object = co_await lend(store);
    BackingId id = object->id();
    EXPECT_TRUE((co_await write_text(object->file(), "secret")).has_value());
    store.give_back(std::move(object));
    EXPECT_EQ(store.statistics().scratch_waiting, 1u);
    std::vector<ObjectRef> lent;
    for (int i = 0; i < 100; ++i) {
      lent.push_back(co_await lend(store));
      EXPECT_NE(lent.back()->id(), id);
    }
    auto waiting = store.take_waiting();
    CO_ASSERT(waiting.size() == 1u && waiting[0]->id() == id);
    EXPECT_EQ(co_await read_text(waiting[0]->file()), "secret") << "a crash may still need it";
    co_await store.make_ready(std::move(waiting));
    auto again = co_await lend(store);
    EXPECT_EQ(again->id(), id);
    EXPECT_EQ(co_await read_text(again->file()), "");
  });
}

TEST_P(HotStoreTest, PoolDoesNotExceedItsMaximum) {
  with_store({}, [](Store& store) -> io::Task<void> {
    std::vector<ObjectRef> lent;
    for (int i = 0; i < 150; ++i) lent.push_back(co_await lend(store));
    co_await store.make_ready(std::move(lent));
    co_await io::sleep_for(50'000'000);
    EXPECT_LE(store.statistics().scratch_ready, 64u);
    auto left = co_await store.list();
    CO_ASSERT(left.has_value());
    EXPECT_EQ(left->size(), store.statistics().scratch_ready);
  });
}

TEST_P(HotStoreTest, RemovedFileIsGoneButItsUsersKeepIt) {
  with_store({}, [](Store& store) -> io::Task<void> {
    BackingId id = co_await make_file(store, "kept");
    auto user = co_await store.open(id);
    CO_ASSERT(user.has_value());
    EXPECT_TRUE((co_await store.remove(id)).has_value());
    EXPECT_TRUE((co_await store.remove(id)).has_value()) << "removing twice is no failure";
    EXPECT_EQ(co_await read_text((*user)->file()), "kept");
    *user = nullptr;
    auto gone = co_await store.open(id);
    EXPECT_TRUE(!gone && gone.error() == Code::kNotFound);
  });
}

TEST_P(HotStoreTest, RecentObjectsStayOpenWithinTheLimit) {
  with_store(
      {},
      [](Store& store, WatchedDisk& disk) -> io::Task<void> {
        std::vector<BackingId> ids;
        for (int i = 0; i < 20; ++i) ids.push_back(co_await make_file(store, std::to_string(i)));
        // A refill may hold files that are not ready yet.
        for (int i = 0; i < 1000 && store.statistics().open_objects > store.statistics().scratch_ready + 8; ++i)
          co_await io::sleep_for(2'000'000);
        EXPECT_EQ(store.statistics().open_objects, store.statistics().scratch_ready + 8);
        int before = disk.opens;
        EXPECT_TRUE((co_await store.open(ids[19])).has_value());
        EXPECT_EQ(disk.opens, before) << "a recent file is still open";
        EXPECT_TRUE((co_await store.open(ids[0])).has_value());
        EXPECT_EQ(disk.opens, before + 1);
      },
      disk_);
}

TEST_P(HotStoreTest, PassthroughIsClosedOncePerObject) {
  std::multiset<int32_t> closed;
  with_store(
      {},
      [](Store& store, std::multiset<int32_t>& ids) -> io::Task<void> {
        store.set_passthrough_closer([&](int32_t id) { ids.insert(id); });
        auto registered = co_await lend(store);
        auto unregistered = co_await lend(store);
        registered->set_passthrough_id(7);
        store.give_back(std::move(registered));
        EXPECT_TRUE(ids.empty()) << "a scratch file keeps its registration";
        auto settled = co_await lend(store);
        settled->set_passthrough_id(8);
        EXPECT_TRUE((co_await store.settle(settled)).has_value());
        BackingId id = settled->id();
        settled = nullptr;
        EXPECT_TRUE(ids.empty()) << "a recent file keeps its registration";
        EXPECT_TRUE((co_await store.remove(id)).has_value());
        EXPECT_EQ(ids, (std::multiset<int32_t>{8}));
      },
      closed);
  EXPECT_EQ(closed, (std::multiset<int32_t>{7, 8}));
}

TEST_P(HotStoreTest, SettlingReadyFilesNeedsNoSync) {
  with_store(
      {},
      [](Store& store, WatchedDisk& disk) -> io::Task<void> {
        co_await wait_ready(store, 16);
        int before = disk.directory_syncs;
        for (int i = 0; i < 5; ++i) EXPECT_TRUE((co_await store.settle(co_await lend(store))).has_value());
        EXPECT_EQ(disk.directory_syncs, before);
      },
      disk_);
}

TEST_P(HotStoreTest, FullDiskIsReportedAndSurvived) {
  with_store(
      {},
      [](Store& store, WatchedDisk& disk) -> io::Task<void> {
        co_await wait_ready(store, 16);
        BackingId id = co_await make_file(store, "before");
        disk.full = true;
        std::vector<ObjectRef> lent;
        Status failure;
        for (int i = 0; i < 200 && failure.ok(); ++i) {
          auto object = co_await store.lend(true);
          if (object) {
            lent.push_back(*object);
          } else {
            failure = object.error();
          }
        }
        EXPECT_TRUE(failure == Code::kNoSpace) << failure.to_string();
        EXPECT_EQ(store.try_lend(), nullptr);
        auto readable = co_await store.open(id);
        CO_ASSERT(readable.has_value());
        EXPECT_EQ(co_await read_text((*readable)->file()), "before");
        store.give_back(lent[0]);
        disk.full = false;
        EXPECT_TRUE((co_await store.lend(true)).has_value());
      },
      disk_);
}

TEST_P(HotStoreTest, DescriptorShortageIsSurvived) {
  with_store(
      {},
      [](Store& store, WatchedDisk& disk) -> io::Task<void> {
        BackingId id = co_await make_file(store, "x");
        for (int i = 0; i < 20; ++i) co_await make_file(store, "y");
        disk.descriptors_gone = true;
        EXPECT_TRUE((co_await store.open(id)).has_value());
      },
      disk_);
}

TEST_P(HotStoreTest, RestartKeepsWhatIsReferencedAndReusesTheRest) {
  BackingId kept;
  with_store(
      {},
      [](Store& store, BackingId& id) -> io::Task<void> {
        id = co_await make_file(store, "kept");
        for (int i = 0; i < 300; ++i) co_await make_file(store, "dropped");
      },
      kept);
  with_store(
      {kept},
      [](Store& store, BackingId& id) -> io::Task<void> {
        co_await io::sleep_for(20'000'000);
        auto ids = co_await store.list();
        CO_ASSERT(ids.has_value());
        EXPECT_EQ(ids->size(), store.statistics().scratch_ready + 1);
        EXPECT_EQ(store.statistics().scratch_ready, 64u);
        while (auto object = store.try_lend()) EXPECT_EQ(co_await read_text(object->file()), "");
        auto object = co_await store.open(id);
        CO_ASSERT(object.has_value());
        EXPECT_EQ(co_await read_text((*object)->file()), "kept");
      },
      kept);
}

TEST_P(HotStoreTest, ForeignFilesAreLeftAlone) {
  std::vector<std::string> paths = {world_->root() + "/00/notes.txt", world_->root() + "/00/0000000000000001"};
  with_store(
      {},
      [](Store& store, WatchedDisk& disk, std::vector<std::string>& foreign) -> io::Task<void> {
        for (auto& path : foreign) EXPECT_TRUE((co_await disk.open(path, {.write = true, .create = true})).has_value());
        auto ids = co_await store.list();
        CO_ASSERT(ids.has_value());
        for (BackingId id : *ids) EXPECT_NE(id, BackingId(1));
      },
      disk_, paths);
  with_store(
      {},
      [](Store&, WatchedDisk& disk, std::vector<std::string>& foreign) -> io::Task<void> {
        for (auto& path : foreign) EXPECT_TRUE((co_await disk.stat(path)).has_value());
      },
      disk_, paths);
}

TEST_P(HotStoreTest, LostIdFileDoesNotBringIdsBack) {
  BackingId id;
  std::string mark = world_->root() + "/ids";
  with_store({}, kMakeOne, id);
  EXPECT_TRUE(io::run_to_end(world_->reactor(), disk_.unlink(mark)).has_value());
  with_store(
      {id},
      [](Store& store, BackingId& taken) -> io::Task<void> {
        std::vector<ObjectRef> lent;
        for (int i = 0; i < 200; ++i) {
          lent.push_back(co_await lend(store));
          EXPECT_NE(lent.back()->id(), taken);
        }
        auto ids = co_await store.list();
        CO_ASSERT(ids.has_value());
        EXPECT_GE(*std::ranges::max_element(*ids), BackingId(taken.value + (uint64_t{1} << 32)));
      },
      id);
}

INSTANTIATE_TEST_SUITE_P(Disks, HotStoreTest, testing::Values(WorldKind::kReal, WorldKind::kSimulated),
                         [](const auto& param) { return param.param == WorldKind::kReal ? "Real" : "Simulated"; });

}  // namespace
}  // namespace firn::data
