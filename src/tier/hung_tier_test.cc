// A near tier that takes what is put there and answers no reads: whoever reads from any tier that has something goes on
// with the next one, and soon. And one that takes nothing: the others get what is theirs meanwhile.
#include <gtest/gtest.h>

#include "object/testing/noise.h"
#include "tier/collector.h"
#include "tier/scrubber.h"
#include "tier/test_world.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::Place;
using testing::World;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kBlobs = 5;

class Hangs final : public object::testing::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  io::Task<Result<object::Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    if (hangs) co_return fail(co_await hang(until));
    co_return co_await ForwardingStore::get(std::move(key), offset, bytes, until);
  }
  io::Task<Result<object::ObjectInfo>> head(std::string key, io::Until until) override {
    if (hangs && !answers_heads) co_return fail(co_await hang(until));
    co_return co_await ForwardingStore::head(std::move(key), until);
  }

  io::Task<Result<void>> put(std::string key, object::Content content, object::PutOptions options,
                             io::Until until) override {
    if (hangs_writing) co_return fail(co_await hang(until));
    co_return co_await ForwardingStore::put(std::move(key), std::move(content), options, until);
  }

  bool hangs = false;
  bool answers_heads = false;  // all the same
  bool hangs_writing = false;

 private:
  static io::Task<Status> hang(io::Until until) {
    const bool slept = co_await io::sleep_for(io::left_ns(until), until.token);
    co_return Status(slept ? Code::kTimedOut : Code::kInterrupted);
  }
};

class HungTier : public ::testing::Test {
 protected:
  Uploader make_uploader() {
    return {{*world.meta, *world.meta, *world.data, *world.pool, *world.random, tiers()},
            {.chunk_bytes = world.options.chunk_bytes}};
  }
  Tiers tiers() { return {{"near", near}, {"far", *world.far->store}, {"third", *third.store}}; }
  // In every tier, each file in a blob of its own.
  void upload_some() {
    Uploader uploader = make_uploader();
    for (uint64_t i = 0; i < kBlobs; ++i) {
      world.write(name_of(i), noise(3 * world.options.chunk_bytes, i));
      (void)world.run(uploader.pass(nullptr)).value();
    }
  }
  // A third of each blob, in every tier, is needed.
  void leave_much_dead() {
    Uploader uploader = make_uploader();
    for (uint64_t i = 0; i < kBlobs; ++i) {
      for (const char* part : {"kept", "gone", "too"}) world.write(name_of(i) + part, noise(5000, i));
      (void)world.run(uploader.pass(nullptr)).value();
    }
    for (uint64_t i = 0; i < kBlobs; ++i)
      for (const char* part : {"gone", "too"}) world.remove(name_of(i) + part);
    world.pass_time(2 * 24 * 3600 * kSecondNs);
  }
  static std::string name_of(uint64_t i) { return "f" + std::to_string(i); }
  int64_t now_ns() { return world.reactor->clock().monotonic_ns(); }

  World world{{.seed = 1}};
  Hangs near{*world.near->store};
  Place third{*world.random, {}};
};

TEST_F(HungTier, WhatAnotherMissedIsCopiedFromTheNext) {
  third.faulty.set_down(true);
  upload_some();
  EXPECT_TRUE(third.mem->sizes().empty());
  third.faulty.set_down(false);
  near.hangs = true;
  const int64_t begun_ns = now_ns();
  Uploader uploader = make_uploader();
  EXPECT_EQ(world.run(uploader.pass(nullptr)).value().copied_blobs, kBlobs);
  EXPECT_LT(now_ns() - begun_ns, 10 * kSecondNs);
  EXPECT_EQ(third.mem->sizes(), world.far->mem->sizes());
  EXPECT_EQ(world.pending(), 0u);
}

TEST_F(HungTier, ARepairTakesTheCopyOfTheNext) {
  upload_some();
  for (const auto& [key, bytes] : third.mem->sizes()) third.mem->overwrite(key, "rubbish");
  near.hangs = true;
  Scrubber scrubber({*world.meta, *world.meta, *world.data, *world.pool, *world.random, tiers()},
                    {.chunk_bytes = world.options.chunk_bytes});
  const int64_t begun_ns = now_ns();
  for (const meta::Blob& blob : world.blobs())
    EXPECT_TRUE(world.run(scrubber.repair_blob(blob.name, "third", nullptr)));
  EXPECT_LT(now_ns() - begun_ns, 10 * kSecondNs);
  EXPECT_EQ(third.mem->sizes(), world.far->mem->sizes());
}

// What was dead goes to new blobs, of which the store that hangs here gets its copy.
TEST_F(HungTier, RepackingReadsFromTheNext) {
  leave_much_dead();
  near.hangs = true;
  near.answers_heads = true;  // whoever puts asks whether it is there
  Collector collector({*world.meta, *world.meta, *world.pool, *world.random, tiers()}, {.repack_min_bytes = 1});
  const int64_t begun_ns = now_ns();
  const CollectSummary done = world.run(collector.pass(nullptr)).value();
  EXPECT_EQ(done.repacked, kBlobs) << done.first_failure.to_string();
  EXPECT_LT(now_ns() - begun_ns, 10 * kSecondNs);
  EXPECT_EQ(world.near->mem->sizes(), third.mem->sizes());
}

io::Task<void> collect(Collector* collector, std::optional<CollectSummary>* done) {
  done->emplace((co_await collector->pass(nullptr)).value());
}

TEST_F(HungTier, WhatIsRepackedGoesToTheOthersMeanwhile) {
  leave_much_dead();
  const size_t before = third.mem->sizes().size();
  near.hangs_writing = true;
  Collector collector({*world.meta, *world.meta, *world.pool, *world.random, tiers()}, {.repack_min_bytes = 1});
  std::optional<CollectSummary> done;
  io::detach_on(*world.reactor, collect(&collector, &done));
  world.pass_time(60 * kSecondNs);
  EXPECT_FALSE(done) << "the near tier has not taken it, and its deadline is far";
  EXPECT_EQ(third.mem->sizes().size(), before + 1);
  EXPECT_EQ(third.mem->sizes(), world.far->mem->sizes());
  world.pass_time(CollectOptions().put_ns);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->moved_chunks, 0u) << "chunks go where every tier has them";
  EXPECT_EQ(done->failed, 1u);
  near.hangs_writing = false;
  done.emplace(world.run(collector.pass(nullptr)).value());
  EXPECT_EQ(done->failed, 0u) << done->first_failure.to_string();
  for (uint64_t i = 0; i < kBlobs; ++i) world.expect_to_come_back(name_of(i) + "kept", noise(5000, i));
}

}  // namespace
}  // namespace firn::tier
