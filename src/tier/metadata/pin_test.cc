// Readers elsewhere say what they still need; the writer hears of it, without listing, whoever comes, goes or dies.
#include "tier/metadata/pin.h"

#include <gtest/gtest.h>

#include "tier/metadata/testing/session.h"

namespace firn::tier {
namespace {

using testing::BucketWorld;
using testing::count;
using testing::kSecond;
using testing::Session;
using testing::Way;

const Timestamp kEver{std::numeric_limits<int64_t>::max(), 0};

class Pins : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(writer_.open().ok()); }

  Timestamp removable() {
    const Result<Timestamp> until = world_.run(writer_.shipper->removable_until());
    EXPECT_TRUE(until) << until.error().to_string();
    return until.value_or(Timestamp());
  }
  Timestamp now() { return world_.reactor.clock().now(); }
  uint64_t next_log() { return writer_.shipper->status().next_log; }
  void renew(ReaderPin& pin, uint64_t next_log) {
    const Result<void> done = world_.run(pin.renew(next_log, nullptr));
    EXPECT_TRUE(done) << done.error().to_string();
  }

  BucketWorld world_{7};
  Session writer_{world_};
  Way way_{world_};
};

TEST(Pin, BytesAreThere) {
  const Pin pin{.next_log = 0x0102, .seconds = -2, .ended = true};
  const std::string bytes = encode_pin(pin);
  EXPECT_EQ(bytes, std::string("\x02\x01\0\0\0\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff\x01", 17));
  EXPECT_EQ(decode_pin(bytes).value(), pin);
  EXPECT_EQ(decode_pin(bytes.substr(1)).error(), Code::kCorrupt);
  EXPECT_EQ(decode_pin(std::string(17, '\x02')).error(), Code::kCorrupt);
}

TEST_F(Pins, WhatAReaderHasNotHeardOfStays) {
  EXPECT_EQ(removable(), kEver);  // nobody reads
  ReaderPin reader(way_.bucket);
  ASSERT_TRUE(world_.run(reader.claim(nullptr)));
  EXPECT_EQ(removable(), Timestamp());  // it has yet to say where it is
  EXPECT_EQ(writer_.shipper->status().readers, 1u);
  ASSERT_TRUE(writer_.put("a", "1").ok());
  world_.wait(kSecond);
  const Timestamp needless = now();  // something becomes so just now
  world_.wait(kSecond);
  ASSERT_TRUE(writer_.put("b", "1").ok());
  EXPECT_LT(removable(), needless);
  renew(reader, next_log());
  EXPECT_GE(removable(), needless);
  world_.wait(kSecond);
  const Timestamp later = now();
  world_.wait(kSecond);
  ASSERT_TRUE(writer_.put("c", "1").ok());
  EXPECT_LT(removable(), later);
  // What is under way may have begun before: it says where it was a minute ago.
  world_.wait(kPinRenewNs);
  renew(reader, next_log());
  EXPECT_LT(removable(), later);
  world_.wait(kPinRenewNs);
  renew(reader, next_log());
  EXPECT_GE(removable(), later);
  world_.run(reader.end());
  EXPECT_EQ(removable(), kEver);
  EXPECT_EQ(writer_.shipper->status().readers, 0u);
}

TEST_F(Pins, AReaderThatLivesHoldsForeverAndADeadOneForAWhile) {
  ReaderPin living(way_.bucket), dying(way_.bucket);
  ASSERT_TRUE(world_.run(dying.claim(nullptr)));
  ASSERT_TRUE(world_.run(living.claim(nullptr)));
  for (int i = 0; i < 10; ++i) {
    renew(living, next_log());
    EXPECT_EQ(removable() == Timestamp(), i < 6) << i;
    world_.wait(kPinRenewNs);
  }
  EXPECT_EQ(writer_.shipper->status().readers, 1u);
  // It was only asleep: with another pin it counts again.
  renew(dying, next_log());
  (void)removable();
  EXPECT_EQ(writer_.shipper->status().readers, 2u);
}

TEST_F(Pins, OnesThatCountNoMoreGoAndTheOthersAreFoundAllTheSame) {
  ReaderPin first(way_.bucket), second(way_.bucket), third(way_.bucket);
  for (ReaderPin* one : {&first, &second, &third}) ASSERT_TRUE(world_.run(one->claim(nullptr)));
  world_.run(first.end());
  world_.run(second.end());
  for (int root = 0; root < 3; ++root) {
    ASSERT_TRUE(writer_.put("a", std::to_string(root)).ok());
    ASSERT_TRUE(world_.run(writer_.shipper->publish_root()));
    ASSERT_TRUE(world_.run(writer_.shipper->collect()));
  }
  EXPECT_EQ(count(world_, "pin/"), 1u);
  // Another writer finds them, and another reader a place.
  Session next(world_);
  ASSERT_TRUE(next.open().ok());
  EXPECT_EQ(world_.run(next.shipper->removable_until()).value(), Timestamp());
  ReaderPin fourth(way_.bucket);
  ASSERT_TRUE(world_.run(fourth.claim(nullptr)));
  (void)world_.run(next.shipper->removable_until());
  EXPECT_EQ(next.shipper->status().readers, 2u);
}

TEST_F(Pins, WhileAReaderOpensNeitherRootsNorLogGo) {
  const ShipOptions quick{.retention = {.keep_roots = 1, .grace_ns = 0}};
  Session next(world_);
  ASSERT_TRUE(next.open(quick).ok());
  ReaderPin reader(way_.bucket);
  ASSERT_TRUE(world_.run(reader.claim(nullptr)));
  const auto roots = [&] {
    for (int root = 0; root < 6; ++root) {
      EXPECT_TRUE(next.put("a", std::to_string(root)).ok());
      EXPECT_TRUE(world_.run(next.shipper->publish_root()));
      world_.wait(kSecond);
      EXPECT_TRUE(world_.run(next.shipper->collect()));
    }
  };
  const size_t before = count(world_, "log/");
  roots();
  EXPECT_EQ(count(world_, "log/"), before + 6);
  renew(reader, next.shipper->status().next_log);
  roots();
  EXPECT_LE(count(world_, "log/"), before + 6);  // six have come, and six have gone
}

TEST_F(Pins, ReadersThatComeTogetherAllHaveOne) {
  std::vector<std::unique_ptr<ReaderPin>> readers;
  const auto all = [&]() -> io::Task<void> {
    io::Gate gate;
    const auto claim = [](ReaderPin* pin, io::Gate::Entry) -> io::Task<void> {
      EXPECT_TRUE(co_await pin->claim(nullptr));
    };
    for (int i = 0; i < 8; ++i) {
      readers.push_back(std::make_unique<ReaderPin>(way_.bucket));
      io::detach(claim(readers.back().get(), gate.enter()));
    }
    co_await gate.close();
  };
  world_.run(all());
  (void)removable();
  EXPECT_EQ(writer_.shipper->status().readers, 8u);
}

}  // namespace
}  // namespace firn::tier
