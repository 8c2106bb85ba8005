// What every object store promises: memory, a folder, a real S3 server, and all wrappers around one.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/random.h"
#include "io/sync.h"
#include "io/test_environment.h"
#include "object/dir/dir_store.h"
#include "object/mem/mem_store.h"
#include "object/probe.h"
#include "object/testing/noise.h"
#include "object/testing/s3_server.h"
#include "object/wrappers.h"

namespace firn::object {
namespace {

using io::Task;
using testing::noise;

constexpr int64_t kMinuteNs = 60'000'000'000;

io::Until minute() { return io::within(kMinuteNs); }

using Make = std::unique_ptr<ObjectStore> (*)(io::TestEnvironment& environment);

testing::S3Server& s3_server() {
  static testing::S3Server server;
  return server;
}

std::unique_ptr<ObjectStore> make_mem(io::TestEnvironment&) { return std::make_unique<MemStore>(); }

std::unique_ptr<ObjectStore> make_dir(io::TestEnvironment& environment) {
  const std::string path = environment.path("store");
  CHECK(create_dir_store(path, "test").ok());
  return open_dir_store({.path = path, .id = "test"});
}

std::unique_ptr<ObjectStore> make_s3(io::TestEnvironment& environment) {
  static int count = 0;
  return open_s3_store(s3_server().options("run" + std::to_string(count++) + "/deep"), s3_server().environment(),
                       environment.pool());
}

std::unique_ptr<ObjectStore> make_wrapped(io::TestEnvironment& environment) {
  const std::string path = environment.path("wrapped");
  CHECK(create_dir_store(path, "test").ok());
  static metrics::Registry registry;
  return retrying(limited(measured(open_dir_store({.path = path}), "test", registry), {.requests_in_flight = 3}), {},
                  system_random());
}

struct Kept {
  const char* name;
  Make make;
};

class StoreConformance : public ::testing::TestWithParam<Kept> {
 protected:
  std::unique_ptr<io::TestEnvironment> environment = io::make_uring_environment();
  std::unique_ptr<ObjectStore> store = GetParam().make(*environment);
};
INSTANTIATE_TEST_SUITE_P(Object, StoreConformance,
                         ::testing::Values(Kept{"mem", make_mem}, Kept{"dir", make_dir}, Kept{"s3", make_s3},
                                           Kept{"wrapped", make_wrapped}),
                         [](const auto& info) { return info.param.name; });

Task<void> round_trip(ObjectStore* store) {
  const std::string bytes = noise(100'000, 1);
  EXPECT_TRUE(co_await store->put("blob/ab/one", Content(bytes), {}, minute()));
  const auto all = co_await store->get("blob/ab/one", 0, 1 << 20, minute());
  CO_REQUIRE(all);
  EXPECT_EQ(all->bytes, bytes);
  EXPECT_EQ(all->object_bytes, bytes.size());
  EXPECT_EQ((co_await store->head("blob/ab/one", minute()))->bytes, bytes.size());
  EXPECT_EQ(co_await get_all(*store, "blob/ab/one", 1 << 20, minute()), bytes);
}
TEST_P(StoreConformance, GivesBackWhatWasPut) { environment->run(round_trip(store.get())); }

Task<void> ranges(ObjectStore* store) {
  const std::string bytes = noise(10'000, 2);
  EXPECT_TRUE(co_await store->put("k", Content(bytes), {}, minute()));
  for (const auto& [offset, count] : std::vector<std::pair<uint64_t, uint64_t>>{
           {0, 1}, {0, 10'000}, {9'999, 1}, {9'999, 50}, {1'234, 4'321}, {10'000, 5}, {20'000, 5}, {5, 0}}) {
    const auto part = co_await store->get("k", offset, count, minute());
    CO_REQUIRE(part);
    EXPECT_EQ(part->bytes, offset < bytes.size() ? bytes.substr(offset, count) : "") << offset << "+" << count;
    EXPECT_EQ(part->object_bytes, bytes.size());
  }
}
TEST_P(StoreConformance, ReadsRanges) { environment->run(ranges(store.get())); }

Task<void> empty(ObjectStore* store) {
  EXPECT_TRUE(co_await store->put("empty", Content(), {}, minute()));
  EXPECT_EQ((co_await store->head("empty", minute()))->bytes, 0u);
  const auto got = co_await store->get("empty", 0, 10, minute());
  CO_REQUIRE(got);
  EXPECT_EQ(got->bytes, "");
  EXPECT_EQ(got->object_bytes, 0u);
}
TEST_P(StoreConformance, KeepsEmptyObjects) { environment->run(empty(store.get())); }

Task<void> absent(ObjectStore* store) {
  EXPECT_EQ((co_await store->get("no/such", 0, 1, minute())).error(), Code::kNotFound);
  EXPECT_EQ((co_await store->head("no/such", minute())).error(), Code::kNotFound);
  EXPECT_TRUE(co_await store->remove("no/such", minute()));
}
TEST_P(StoreConformance, SaysWhatIsNotThere) { environment->run(absent(store.get())); }

Task<void> replace_and_remove(ObjectStore* store) {
  EXPECT_TRUE(co_await store->put("k", Content("one"), {}, minute()));
  EXPECT_TRUE(co_await store->put("k", Content("three"), {}, minute()));
  EXPECT_EQ(co_await get_all(*store, "k", 100, minute()), "three");
  EXPECT_TRUE(co_await store->remove("k", minute()));
  EXPECT_EQ((co_await store->head("k", minute())).error(), Code::kNotFound);
  EXPECT_TRUE(co_await store->put("k", Content("again"), {.if_absent = true}, minute()));
  EXPECT_EQ(co_await get_all(*store, "k", 100, minute()), "again");
}
TEST_P(StoreConformance, ReplacesAndRemoves) { environment->run(replace_and_remove(store.get())); }

Task<void> only_if_absent(ObjectStore* store) {
  EXPECT_TRUE(co_await store->put("log/1", Content("mine"), {.if_absent = true}, minute()));
  const auto second = co_await store->put("log/1", Content("yours"), {.if_absent = true}, minute());
  CO_REQUIRE(!second);
  EXPECT_EQ(second.error(), Code::kExists) << second.error().to_string();
  EXPECT_EQ(co_await get_all(*store, "log/1", 100, minute()), "mine");
}
TEST_P(StoreConformance, PutsOnlyIfAbsent) { environment->run(only_if_absent(store.get())); }

struct Race {
  std::string winner;
  int won = 0, lost = 0;
  io::Gate gate;
};

Task<void> racer(ObjectStore* store, Race* race, std::string name, std::string key, io::Gate::Entry) {
  const auto done = co_await store->put(key, Content(name), {.if_absent = true}, minute());
  if (done) {
    race->winner = name;
    ++race->won;
  } else {
    EXPECT_EQ(done.error(), Code::kExists) << done.error().to_string();
    ++race->lost;
  }
}

// The fence of a bucket volume rests on this.
Task<void> race(ObjectStore* store) {
  for (int round = 0; round < 20; ++round) {
    Race race;
    const std::string key = "race/" + std::to_string(round);
    for (int i = 0; i < 8; ++i) io::detach(racer(store, &race, "racer " + std::to_string(i), key, race.gate.enter()));
    co_await race.gate.close();
    EXPECT_EQ(race.won, 1);
    EXPECT_EQ(race.lost, 7);
    EXPECT_EQ(co_await get_all(*store, key, 100, minute()), race.winner);
  }
}
TEST_P(StoreConformance, OneOfManyRacersWins) { environment->run(race(store.get())); }

Task<void> pieces(ObjectStore* store) {
  Content content;
  std::string expected;
  for (uint64_t i = 0; i < 40; ++i) {
    const std::string piece = noise(i * i * 700, i + 10);
    expected += piece;
    content.append(piece);
  }
  EXPECT_EQ(content.bytes(), expected.size());
  EXPECT_TRUE(co_await store->put("pieces", content, {}, minute()));
  EXPECT_TRUE((co_await get_all(*store, "pieces", 64 << 20, minute())) == expected);
}
TEST_P(StoreConformance, SendsManyPieces) { environment->run(pieces(store.get())); }

Task<void> large(ObjectStore* store) {
  const std::string bytes = noise(64 << 20, 3);
  EXPECT_TRUE(co_await store->put("large", Content(bytes), {}, minute()));
  EXPECT_TRUE((co_await get_all(*store, "large", 64 << 20, minute())) == bytes);
  EXPECT_EQ((co_await get_all(*store, "large", (64 << 20) - 1, minute())).error(), Code::kCorrupt);
  const auto middle = co_await store->get("large", 33'333'333, 4 << 20, minute());
  CO_REQUIRE(middle);
  EXPECT_TRUE(middle->bytes == bytes.substr(33'333'333, 4 << 20));
}
TEST_P(StoreConformance, HoldsWholeBlobs) { environment->run(large(store.get())); }

Task<void> one_of_many(ObjectStore* store, int index, io::Gate::Entry) {
  const std::string key = "many/" + std::to_string(index % 10) + "/" + std::to_string(index);
  const std::string bytes = noise(static_cast<size_t>(index) * 37, static_cast<uint64_t>(index));
  EXPECT_TRUE(co_await store->put(key, Content(bytes), {}, minute()));
  EXPECT_TRUE((co_await get_all(*store, key, 1 << 20, minute())) == bytes);
  EXPECT_TRUE(co_await store->remove(key, minute()));
  EXPECT_EQ((co_await store->head(key, minute())).error(), Code::kNotFound);
}

Task<void> many(ObjectStore* store) {
  io::Gate gate;
  for (int i = 0; i < 200; ++i) io::detach(one_of_many(store, i, gate.enter()));
  co_await gate.close();
}
TEST_P(StoreConformance, ServesManyAtOnce) { environment->run(many(store.get())); }

Task<void> probed(ObjectStore* store) {
  const auto fit = co_await probe(*store, system_random(), minute());
  EXPECT_TRUE(fit) << fit.error().to_string();
}
TEST_P(StoreConformance, PassesTheProbe) { environment->run(probed(store.get())); }

Task<void> bad_keys(ObjectStore* store) {
  for (const std::string key :
       {"", "/a", "a/", "a//b", "../a", "a/../b", "a/.b", ".tmp/x", "a b", "a\nb", "\xc3\xa4", "a%2fb"}) {
    EXPECT_EQ((co_await store->put(key, Content("x"), {}, minute())).error(), Code::kInvalid) << key;
    EXPECT_EQ((co_await store->get(key, 0, 1, minute())).error(), Code::kInvalid) << key;
    EXPECT_EQ((co_await store->head(key, minute())).error(), Code::kInvalid) << key;
    EXPECT_EQ((co_await store->remove(key, minute())).error(), Code::kInvalid) << key;
  }
  EXPECT_EQ((co_await store->put(std::string(kMaxKeyBytes + 1, 'k'), Content("x"), {}, minute())).error(),
            Code::kInvalid);
  EXPECT_TRUE(co_await store->put("A-Z_a.z/0-9/x.y_z", Content("x"), {}, minute()));
}
TEST_P(StoreConformance, RefusesKeysThatAreNoPaths) { environment->run(bad_keys(store.get())); }

}  // namespace
}  // namespace firn::object
