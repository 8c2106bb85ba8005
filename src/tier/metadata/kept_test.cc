// What a bucket only said to have stored, and the largest commit that it is given.
#include <gtest/gtest.h>

#include <algorithm>

#include "tier/metadata/testing/session.h"

namespace firn::tier {
namespace {

using io::Task;
using testing::BucketWorld;
using testing::kSecond;
using testing::restored_state;
using testing::Session;
using testing::State;

bool is_table(std::string_view key) { return key.starts_with("sst/"); }
bool is_root(std::string_view key) { return key.starts_with("root/"); }

TEST(BucketVolume, WhatTheStoreOnlySaidToHaveStoredIsPutAgain) {
  for (const auto forgets : {is_table, is_root}) {
    BucketWorld world(42);
    Session session(world);
    ASSERT_TRUE(session.open({.retention = {.keep_roots = 1, .grace_ns = 1}}).ok());
    ASSERT_TRUE(session.put("a", "1").ok());
    session.way.faulty->set_faults({.forgotten = 1, .may_forget = forgets});
    const Result<uint64_t> root = world.run(session.shipper->publish_root());
    ASSERT_FALSE(root);
    EXPECT_EQ(root.error(), Code::kIo);
    EXPECT_NE(root.error().message().find("does not have it"), std::string::npos) << root.error().message();
    EXPECT_EQ(restored_state(world), (State{{"a", "1"}}));
    // Now and then is not always: what is gone is noticed at once.
    session.way.faulty->set_faults({.forgotten = 0.3, .may_forget = forgets});
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(session.put("k" + std::to_string(i), "v").ok());
      world.wait(2 * kSecond);
      (void)world.run(session.shipper->publish_root());
      (void)world.run(session.shipper->collect());
      EXPECT_EQ(restored_state(world).size(), 2u + static_cast<size_t>(i));
    }
  }
}

TEST(BucketVolume, ATakeOverThatTheStoreForgetsIsNone) {
  BucketWorld world(43);
  Session session(world, {.forgotten = 1, .may_forget = is_root});
  EXPECT_EQ(session.open(), Code::kIo);
  Session other(world, {.forgotten = 1, .may_forget = [](std::string_view key) { return key.starts_with("log/"); }});
  EXPECT_EQ(other.open(), Code::kIo);
  Session last(world);
  EXPECT_TRUE(last.open().ok());
  EXPECT_TRUE(last.put("a", "1").ok());
  EXPECT_EQ(restored_state(world), (State{{"a", "1"}}));
}

// A daemon that ends, or a person who gives up, waits for nothing that a slow line holds up: the tables, the root, or
// another root that is on its way.
TEST(BucketVolume, ReplacingWhatIsDamagedIsInterrupted) {
  const auto publish = [](MetadataShipper& shipper, io::Gate::Entry) -> Task<void> {
    (void)co_await shipper.publish_root();
  };
  const auto begin = [&](MetadataShipper& shipper, io::Gate& gate) -> Task<void> {
    io::detach(publish(shipper, gate.enter()));
    co_return;
  };
  const auto cancel_later = [](io::CancelToken* token, int64_t nanoseconds) -> Task<void> {
    co_await io::sleep_for(nanoseconds);
    token->cancel();
  };
  const auto replace = [&](MetadataShipper& shipper, std::vector<TableRef> tables, io::CancelToken* token,
                           int64_t after_ns) -> Task<Result<uint64_t>> {
    io::detach(cancel_later(token, after_ns));
    co_return co_await shipper.replace(std::move(tables), false, token);
  };
  for (const bool beside_another : {false, true}) {
    for (int64_t after_ms = 10; after_ms < 9000; after_ms += 400) {
      SCOPED_TRACE(after_ms);
      BucketWorld world(44);
      Session session(world);
      ASSERT_TRUE(session.open().ok());
      ASSERT_TRUE(session.put("a", "1").ok());
      const uint64_t first = world.run(session.shipper->publish_root()).value();
      const std::vector<TableRef> tables = world.run(read_root(session.way.bucket, first, nullptr)).value().root.tables;
      ASSERT_FALSE(tables.empty());
      session.way.faulty->set_faults({.min_latency_ns = 3 * kSecond, .max_latency_ns = 3 * kSecond});
      io::Gate gate;
      if (beside_another) world.run(begin(*session.shipper, gate));
      io::CancelToken token;
      const int64_t begun = world.now();
      EXPECT_FALSE(world.run(replace(*session.shipper, tables, &token, after_ms * 1'000'000)));
      EXPECT_EQ((world.now() - begun) / 1'000'000, after_ms);
      session.way.faulty->set_faults({});
      world.run(gate.close());
      const Result<uint64_t> replaced = world.run(session.shipper->replace(tables, false, nullptr));
      ASSERT_TRUE(replaced) << replaced.error().to_string();
      for (const TableRef& table : world.run(read_root(session.way.bucket, *replaced, nullptr)).value().root.tables)
        EXPECT_EQ(std::ranges::find(tables, table), tables.end());
      EXPECT_EQ(restored_state(world), (State{{"a", "1"}}));
    }
  }
}

// Readers of the log take no more than kMaxLogBytes at once: what they could not read must not be acknowledged.
TEST(BucketVolume, TheLargestCommitIsReadAgain) {
  BucketWorld world(41);
  Session session(world);
  ASSERT_TRUE(session.open().ok());
  const auto commit = [](kv::Engine& at, size_t bytes) -> Task<Result<kv::Version>> {
    const auto transaction = at.begin();
    for (size_t index = 0; bytes > 0; ++index) {
      const std::string key = "key " + std::to_string(10'000 + index);
      const size_t value = std::min<size_t>(bytes - key.size(), 1 << 20);
      transaction->put(key, std::string(value, 'v'));
      bytes -= key.size() + value;
    }
    co_return co_await transaction->commit();
  };
  constexpr size_t kMost = kv::kMaxTransactionBytes - 100;
  EXPECT_FALSE(world.run(commit(*session.engine, kv::kMaxTransactionBytes + 100)));
  ASSERT_TRUE(world.run(commit(*session.engine, kMost)));
  ASSERT_TRUE(session.sync());
  size_t bytes = 0;
  for (const auto& [key, value] : restored_state(world)) bytes += key.size() + value.size();
  EXPECT_EQ(bytes, kMost);
}

}  // namespace
}  // namespace firn::tier
