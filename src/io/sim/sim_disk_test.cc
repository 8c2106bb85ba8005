// The fault model of the simulated disk: what a power cut may take, and what it may not.
#include "io/sim/sim_disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "io/buffer.h"
#include "io/sim/sim_file.h"
#include "io/sim/sim_reactor.h"
#include "io/sync.h"
#include "io/test_environment.h"

namespace firn::io {
namespace {

constexpr uint64_t kSeeds = 200;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

Task<Result<void>> put(SimDisk* disk, std::string path, std::string text, bool sync) {
  auto file = CO_TRY(co_await disk->open(std::move(path), {.write = true, .create = true}));
  CO_TRY(co_await file->truncate(0));
  CO_TRY(co_await file->write(0, bytes_of(text)));
  if (sync) CO_TRY(co_await file->sync(false));
  co_return {};
}

Task<Result<std::string>> get(SimDisk* disk, std::string path) {
  auto file = CO_TRY(co_await disk->open(std::move(path), {}));
  std::string text((CO_TRY(co_await file->stat())).bytes, '?');
  text.resize(CO_TRY(co_await file->read(0, std::as_writable_bytes(std::span(text)))));
  co_return text;
}

Task<Result<void>> write_and_sync(SimDisk* disk) {
  CO_TRY(co_await put(disk, "/f", "old", true));
  CO_TRY(co_await disk->sync_directory("/"));
  co_return {};
}

TEST(SimDisk, WhatWasSyncedSurvives) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimReactor reactor;
    SimDisk disk({.seed = seed});
    ASSERT_TRUE(run_to_end(reactor, write_and_sync(&disk)));
    ASSERT_TRUE(run_to_end(reactor, put(&disk, "/other", "unsynced", false)));
    const auto after = disk.crash();
    ASSERT_EQ(run_to_end(reactor, get(after.get(), "/f")), "old") << "seed " << seed;
    const auto again = after->crash();
    ASSERT_EQ(run_to_end(reactor, get(again.get(), "/f")), "old") << "seed " << seed;
  }
}

TEST(SimDisk, ANameNeedsItsDirectorySynced) {
  int survived = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimReactor reactor;
    SimDisk disk({.seed = seed});
    ASSERT_TRUE(run_to_end(reactor, put(&disk, "/f", "data", true)));
    const auto after = disk.crash();
    const auto found = run_to_end(reactor, get(after.get(), "/f"));
    if (!found) continue;
    ++survived;
    EXPECT_EQ(*found, "data") << "seed " << seed;
  }
  EXPECT_GT(survived, 0);
  EXPECT_LT(survived, static_cast<int>(kSeeds));
}

Task<Result<void>> overwrite(SimDisk* disk) {
  CO_TRY(co_await put(disk, "/f", std::string(2048, 'a'), true));
  CO_TRY(co_await disk->sync_directory("/"));
  auto file = CO_TRY(co_await disk->open("/f", {.write = true}));
  CO_TRY(co_await file->write(0, bytes_of(std::string(4096, 'b'))));
  co_return {};
}

TEST(SimDisk, UnsyncedSectorsSurviveInAnyCombination) {
  std::set<std::string> outcomes;
  std::set<size_t> sizes;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimReactor reactor;
    SimDisk disk({.seed = seed});
    ASSERT_TRUE(run_to_end(reactor, overwrite(&disk)));
    const auto after = disk.crash();
    const auto text = run_to_end(reactor, get(after.get(), "/f")).value();
    sizes.insert(text.size());
    EXPECT_GE(text.size(), 2048u);
    EXPECT_LE(text.size(), 4096u);
    std::string shape;
    for (size_t at = 0; at < text.size(); at += 512) {
      const auto sector = std::string_view(text).substr(at, 512);
      EXPECT_TRUE(std::ranges::all_of(sector, [&](char c) { return c == sector[0]; })) << "torn inside a sector";
      EXPECT_TRUE(sector[0] == 'b' || sector[0] == (at < 2048 ? 'a' : '\0'));
      if (at < 2048) shape += sector[0];
    }
    outcomes.insert(shape);
  }
  EXPECT_EQ(outcomes.size(), 16u) << "each of four sectors is old or new";
  EXPECT_GT(sizes.size(), 10u);
}

// ---- direct writes ----

constexpr size_t kDirectPages = kSmallBufferBytes / kPageBytes;  // buffers that begin at a page

Buffer pages_of(char fill, size_t pages = kDirectPages) {
  Buffer buffer = make_buffer(pages * kPageBytes);
  std::fill_n(buffer.get(), pages * kPageBytes, static_cast<std::byte>(fill));
  return buffer;
}

std::span<const std::byte> span_of(const Buffer& buffer, size_t pages = kDirectPages) {
  return {buffer.get(), pages * kPageBytes};
}

// 'a' and synced, then 'b' and not.
Task<Result<void>> overwrite_directly(SimDisk* disk) {
  CO_TRY(co_await put(disk, "/f", std::string(kDirectPages * kPageBytes, 'a'), true));
  CO_TRY(co_await disk->sync_directory("/"));
  auto file = CO_TRY(co_await disk->open("/f", {.write = true}));
  const Buffer buffer = pages_of('b');
  CO_TRY(co_await file->write_direct(0, span_of(buffer)));
  co_return {};
}

TEST(SimDisk, UnsyncedDirectWritesAreLostAndTorn) {
  size_t old_sectors = 0, new_sectors = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimReactor reactor;
    SimDisk disk({.seed = seed});
    ASSERT_TRUE(run_to_end(reactor, overwrite_directly(&disk)));
    EXPECT_EQ(run_to_end(reactor, get(&disk, "/f")), std::string(kDirectPages * kPageBytes, 'b'));
    const auto text = run_to_end(reactor, get(disk.crash().get(), "/f")).value();
    ASSERT_EQ(text.size(), kDirectPages * kPageBytes);
    for (size_t at = 0; at < text.size(); at += 512) ++(text[at] == 'a' ? old_sectors : new_sectors);
  }
  EXPECT_GT(old_sectors, kSeeds);
  EXPECT_GT(new_sectors, kSeeds);
}

Task<void> write_pages_directly(File* file, const Buffer* buffer, Gate::Entry) {
  EXPECT_TRUE(co_await file->write_direct(0, span_of(*buffer)));
}

// How many of the pages are new, again and again until all are.
Task<void> watch(File* file, std::set<size_t>* seen) {
  for (size_t count = 0; count < kDirectPages;) {
    std::string text(kDirectPages * kPageBytes, '?');
    EXPECT_TRUE(co_await file->read(0, std::as_writable_bytes(std::span(text))));
    count = 0;
    for (size_t at = 0; at < text.size(); at += kPageBytes) {
      EXPECT_EQ(text.substr(at, kPageBytes), std::string(kPageBytes, text[at])) << "torn inside a page";
      count += text[at] == 'b';
    }
    seen->insert(count);
  }
}

Task<void> write_and_watch(SimDisk* disk, std::set<size_t>* seen) {
  EXPECT_TRUE(co_await put(disk, "/f", std::string(kDirectPages * kPageBytes, 'a'), false));
  auto file = co_await disk->open("/f", {.write = true});
  const Buffer buffer = pages_of('b');
  Gate gate;
  detach(write_pages_directly(file->get(), &buffer, gate.enter()));
  co_await watch(file->get(), seen);
  co_await gate.close();
  EXPECT_TRUE(co_await (*file)->sync(true)) << "reading is no collision";
}

TEST(SimDisk, ADirectWriteIsReadPageByPage) {
  std::set<size_t> seen;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimReactor reactor({.seed = seed, .shuffle = true});
    SimDisk disk({.seed = seed});
    run_to_end(reactor, write_and_watch(&disk, &seen));
  }
  EXPECT_EQ(seen.size(), kDirectPages + 1);
}

Task<void> misalign(SimDisk* disk) {
  auto opened = co_await disk->open("/f", {.write = true, .create = true});
  auto& file = dynamic_cast<SimFile&>(**opened);
  const Buffer buffer = pages_of('b');
  const auto data = span_of(buffer);
  EXPECT_EQ((co_await file.write_pages(512, data)).error(), Code::kInvalid);
  EXPECT_EQ((co_await file.write_pages(0, data.first(data.size() - 512))).error(), Code::kInvalid);
  EXPECT_EQ((co_await file.write_pages(0, data.subspan(512, kPageBytes))).error(), Code::kInvalid);
  EXPECT_EQ((co_await file.stat())->bytes, 0u);
  EXPECT_EQ(co_await file.write_pages(kPageBytes, data), data.size());
  // Whoever is not at pages does it through the cache.
  EXPECT_TRUE(co_await file.write_direct(512, data.first(1000)));
}

TEST(SimDisk, DirectWritesAreOfWholePages) {
  SimReactor reactor;
  SimDisk disk;
  run_to_end(reactor, misalign(&disk));
}

// Whether it did.
Task<bool> collide(SimDisk* disk, uint64_t offset) {
  auto file = co_await disk->open("/f", {.write = true, .create = true});
  const Buffer buffer = pages_of('b');
  Gate gate;
  detach(write_pages_directly(file->get(), &buffer, gate.enter()));
  EXPECT_TRUE(co_await (*file)->write(offset, bytes_of("c")));
  co_await gate.close();
  const auto synced = co_await (*file)->sync(true);
  EXPECT_TRUE(co_await (*file)->sync(true)) << "it is told once";
  co_return !synced;
}

TEST(SimDisk, WhatGoesThroughTheCacheMeanwhileCollides) {
  constexpr uint64_t kEnd = kDirectPages * kPageBytes;
  uint64_t collisions = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimReactor reactor;
    SimDisk disk({.seed = seed});
    collisions += run_to_end(reactor, collide(&disk, kEnd - 1));
    EXPECT_FALSE(run_to_end(reactor, collide(&disk, kEnd))) << "another page";
  }
  EXPECT_GT(collisions, kSeeds / 4);
}

Task<Result<void>> replace(SimDisk* disk) {
  CO_TRY(co_await disk->make_directory("/a"));
  CO_TRY(co_await disk->make_directory("/b"));
  CO_TRY(co_await put(disk, "/a/f", "new", true));
  CO_TRY(co_await put(disk, "/b/f", "old", true));
  CO_TRY(co_await disk->sync_filesystem("/"));
  CO_TRY(co_await disk->rename("/a/f", "/b/f"));
  co_return {};
}

TEST(SimDisk, ARenameHappensWhollyOrNotAtAll) {
  int renamed = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimReactor reactor;
    SimDisk disk({.seed = seed});
    ASSERT_TRUE(run_to_end(reactor, replace(&disk)));
    const auto after = disk.crash();
    const auto source = run_to_end(reactor, get(after.get(), "/a/f"));
    const auto target = run_to_end(reactor, get(after.get(), "/b/f"));
    ASSERT_TRUE(target) << "seed " << seed;
    EXPECT_EQ(*target, source ? "old" : "new") << "seed " << seed;
    renamed += !source;
  }
  EXPECT_GT(renamed, 0);
  EXPECT_LT(renamed, static_cast<int>(kSeeds));
}

Task<Result<void>> sync_one_side(SimDisk* disk) {
  CO_TRY(co_await replace(disk));
  CO_TRY(co_await put(disk, "/a/f", "third", false));
  co_return co_await disk->sync_directory("/b");
}

TEST(SimDisk, SyncingOneDirectoryOfARenameKeepsIt) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimReactor reactor;
    SimDisk disk({.seed = seed});
    ASSERT_TRUE(run_to_end(reactor, sync_one_side(&disk)));
    const auto after = disk.crash();
    EXPECT_EQ(run_to_end(reactor, get(after.get(), "/b/f")), "new") << "seed " << seed;
    const auto source = run_to_end(reactor, get(after.get(), "/a/f"));
    if (source) EXPECT_TRUE(*source != "new" && *source != "old") << "seed " << seed;
  }
}

TEST(SimDisk, AfterThePowerCutTheOldDiskIsDead) {
  SimReactor reactor;
  SimDisk disk;
  ASSERT_TRUE(run_to_end(reactor, write_and_sync(&disk)));
  const auto after = disk.crash();
  EXPECT_EQ(run_to_end(reactor, get(&disk, "/f")).error().code(), Code::kIo);
}

TEST(SimDisk, SpaceRunsOutAndComesBack) {
  SimReactor reactor;
  SimDisk disk({.capacity_bytes = 8192});
  EXPECT_TRUE(run_to_end(reactor, put(&disk, "/a", std::string(6000, 'a'), false)));
  EXPECT_EQ(run_to_end(reactor, put(&disk, "/b", std::string(6000, 'b'), false)).error().code(), Code::kNoSpace);
  EXPECT_EQ(disk.used_bytes(), 6144u);
  EXPECT_EQ(run_to_end(reactor, get(&disk, "/a")), std::string(6000, 'a'));
  EXPECT_TRUE(run_to_end(reactor, disk.unlink("/a")));
  EXPECT_EQ(disk.used_bytes(), 0u);
  EXPECT_TRUE(run_to_end(reactor, put(&disk, "/b", std::string(6000, 'b'), false)));
  EXPECT_EQ(run_to_end(reactor, disk.usage("/"))->free_bytes, 8192u - 6144u);
}

TEST(SimDisk, AScriptedFaultHitsItsCall) {
  SimReactor reactor;
  SimDisk disk;
  disk.set_faults(fail_nth(SimCall::kWrite, 1, {.code = Code::kIo}));
  EXPECT_TRUE(run_to_end(reactor, put(&disk, "/a", "1", false)));
  EXPECT_EQ(run_to_end(reactor, put(&disk, "/a", "2", false)).error().code(), Code::kIo);
  EXPECT_TRUE(run_to_end(reactor, put(&disk, "/a", "3", false)));
  disk.set_faults(fail_nth(SimCall::kRename, 0, {.code = Code::kIo, .after_effect = true}));
  EXPECT_FALSE(run_to_end(reactor, disk.rename("/a", "/b")));
  EXPECT_EQ(run_to_end(reactor, get(&disk, "/b")), "3") << "it failed after its effect";
}

TEST(SimDisk, RandomFaultsLeaveAnOldOrANewPrefix) {
  int failures = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimReactor reactor;
    SimDisk disk({.seed = seed});
    disk.set_faults(random_faults(seed, 4));
    failures += !run_to_end(reactor, put(&disk, "/f", std::string(3000, 'x'), true));
    disk.set_faults(nullptr);
    const auto text = run_to_end(reactor, get(&disk, "/f"));
    if (text) EXPECT_EQ(*text, std::string(text->size(), 'x')) << "seed " << seed;
  }
  EXPECT_GT(failures, 0);
  EXPECT_LT(failures, static_cast<int>(kSeeds));
}

// The same seeds give the same run, to the nanosecond and the byte.
TEST(SimDisk, ARunRepeatsFromItsSeed) {
  std::vector<std::pair<int64_t, size_t>> runs;
  for (int i = 0; i < 2; ++i) {
    SimReactor reactor({.seed = 9, .shuffle = true});
    SimDisk disk({.seed = 9});
    ASSERT_TRUE(run_to_end(reactor, overwrite(&disk)));
    const auto after = disk.crash();
    const auto text = run_to_end(reactor, get(after.get(), "/f")).value();
    runs.emplace_back(reactor.clock().monotonic_ns(), std::hash<std::string>()(text));
  }
  EXPECT_EQ(runs[0], runs[1]);
}

Task<void> note(std::vector<int>* order, int value) {
  co_await yield();
  order->push_back(value);
}

TEST(SimReactor, ShufflesReadyCoroutinesBySeed) {
  std::set<std::vector<int>> orders;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimReactor reactor({.seed = seed, .shuffle = true});
    std::vector<int> order;
    for (int i = 0; i < 4; ++i) detach_on(reactor, note(&order, i));
    reactor.run();
    ASSERT_EQ(order.size(), 4u);
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 10u);
}

Task<void> sleep_a_year() { (void)co_await sleep_for(int64_t{365} * 86400 * 1'000'000'000); }

TEST(SimReactor, AYearPassesAtOnce) {
  SimReactor reactor;
  run_to_end(reactor, sleep_a_year());
  EXPECT_EQ(reactor.clock().now().seconds, 1'700'000'000 + 365 * 86400);
}

TEST(SimReactor, StopsInTheMiddleAndGoesOn) {
  SimReactor reactor;
  std::vector<int> order;
  for (int i = 0; i < 4; ++i) detach_on(reactor, note(&order, i));
  reactor.stop_after(6);
  reactor.run();
  EXPECT_EQ(order.size(), 2u);
  reactor.run();
  EXPECT_EQ(order.size(), 4u);
}

}  // namespace
}  // namespace firn::io
