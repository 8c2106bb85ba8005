// Several reactors on one store at once; of most use under the thread sanitizer.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <set>

#include "base/random.h"
#include "data/hot/hot_store.h"
#include "data/hot/test_helpers.h"
#include "io/blocking_pool.h"
#include "io/sync.h"
#include "io/uring/reactor_pool.h"
#include "io/uring/uring_disk.h"

namespace firn::data {
namespace {

constexpr unsigned kReactors = 4;
constexpr int kRounds = 150;

struct Shared {
  std::mutex mutex;
  std::set<BackingId> in_use;
  std::vector<BackingId> settled;
};

io::Task<void> use_one(Store& store, Shared& shared, Random& random) {
  auto lent = co_await store.lend(true);
  CO_ASSERT(lent.has_value());
  BackingId id = (*lent)->id();
  {
    std::lock_guard lock(shared.mutex);
    EXPECT_TRUE(shared.in_use.insert(id).second) << "lent to two at once";
  }
  EXPECT_TRUE((co_await write_text((*lent)->file(), text_of(id))).has_value());
  if (random.below(3) != 0) {
    EXPECT_TRUE((co_await store.settle(*lent)).has_value());
    std::lock_guard lock(shared.mutex);
    shared.settled.push_back(id);
  } else {
    {
      std::lock_guard lock(shared.mutex);
      shared.in_use.erase(id);
    }
    store.give_back(*std::move(lent));
    co_await store.make_ready(store.take_waiting());
  }
}

// Opens, checks and perhaps removes some file that anybody settled.
io::Task<void> visit_one(Store& store, Shared& shared, Random& random) {
  BackingId id;
  {
    std::lock_guard lock(shared.mutex);
    if (shared.settled.empty()) co_return;
    id = shared.settled[random.below(shared.settled.size())];
  }
  auto object = co_await store.open(id);
  if (!object) {
    EXPECT_TRUE(object.error() == Code::kNotFound) << object.error().to_string();
    co_return;
  }
  EXPECT_EQ(co_await read_text((*object)->file()), text_of(id));
  if (random.below(4) == 0) EXPECT_TRUE((co_await store.remove(id)).has_value());
}

io::Task<void> worker(Store& store, Shared& shared, uint64_t seed, io::Gate::Entry) {
  SeededRandom random(seed);
  for (int i = 0; i < kRounds; ++i) {
    co_await use_one(store, shared, random);
    co_await visit_one(store, shared, random);
  }
}

io::Task<Result<void>> start(Store& store) {
  co_return co_await store.start([](BackingId) { return false; });
}

TEST(HotThreadsTest, ReactorsShareAStore) {
  std::string folder = (std::filesystem::temp_directory_path() / "firn-data-XXXXXX").string();
  ASSERT_TRUE(mkdtemp(folder.data()));
  auto blocking = io::make_thread_pool(2);
  auto disk = io::make_uring_disk(*blocking);
  {
    auto reactors = io::ReactorPool::create({.reactors = kReactors});
    ASSERT_TRUE(reactors.has_value());
    auto store = make_hot_store({*disk, folder + "/hot", 16, 64, 8});
    ASSERT_TRUE(io::block_on(**reactors, start(*store)).has_value());
    Shared shared;
    io::Gate gate;
    for (unsigned i = 0; i < kReactors; ++i) (*reactors)->run_on(i, worker(*store, shared, i + 1, gate.enter()));
    io::block_on(**reactors, gate.close());
    io::block_on(**reactors, store->stop());
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace firn::data
