#include "tier/key_wrap.h"

#include <gtest/gtest.h>

namespace firn::tier {
namespace {

constexpr ScryptCost kCheap{.log_n = 10, .r = 8, .p = 1};

TEST(KeyWrap, OpensWithItsSecretOnly) {
  SeededRandom random(1);
  const Key key = make_key(random);
  const auto wrapped = wrap_key(key, "correct horse", random, kCheap);
  ASSERT_TRUE(wrapped);
  EXPECT_EQ(unwrap_key(*wrapped, "correct horse"), key);
  for (const char* wrong : {"correct hors", "correct horse ", "", "Correct horse"})
    EXPECT_EQ(unwrap_key(*wrapped, wrong).error(), Code::kAccessDenied) << wrong;
  EXPECT_EQ(wrapped->sealed.find(std::string(reinterpret_cast<const char*>(key.data()), 8)), std::string::npos);
}

TEST(KeyWrap, ANewSecretWrapsTheSameKey) {
  SeededRandom random(1);
  const Key key = make_key(random);
  const auto first = wrap_key(key, "old", random, kCheap);
  const auto second = wrap_key(unwrap_key(*first, "old").value(), "new", random, kCheap);
  EXPECT_EQ(unwrap_key(*second, "new"), key);
  EXPECT_FALSE(unwrap_key(*second, "old"));
  EXPECT_NE(first->salt, second->salt);
}

TEST(KeyWrap, NoticesDamage) {
  SeededRandom random(1);
  const auto wrapped = wrap_key(make_key(random), "secret", random, kCheap).value();
  WrappedKey damaged = wrapped;
  damaged.sealed[3] = static_cast<char>(damaged.sealed[3] ^ 1);
  EXPECT_EQ(unwrap_key(damaged, "secret").error(), Code::kAccessDenied);
  damaged = wrapped;
  damaged.salt.pop_back();
  EXPECT_EQ(unwrap_key(damaged, "secret").error(), Code::kCorrupt);
  damaged = wrapped;
  damaged.cost.log_n = 63;
  EXPECT_EQ(unwrap_key(damaged, "secret").error(), Code::kCorrupt);
  damaged = wrapped;
  damaged.sealed.clear();
  EXPECT_EQ(unwrap_key(damaged, "secret").error(), Code::kCorrupt);
}

TEST(KeyWrap, KeepsWhatItWraps) {
  SeededRandom random(1);
  const Key key = make_key(random);
  const auto wrapped = wrap_key(key, "secret", random, kCheap).value();
  const auto read = decode_wrapped_key(encode(wrapped));
  ASSERT_TRUE(read);
  EXPECT_EQ(unwrap_key(*read, "secret"), key);
  EXPECT_EQ(decode_wrapped_key("\xff\xff").error(), Code::kCorrupt);
  EXPECT_EQ(unwrap_key(decode_wrapped_key("").value(), "secret").error(), Code::kCorrupt);
}

TEST(KeyWrap, RefusesAnEmptySecret) {
  SeededRandom random(1);
  EXPECT_EQ(wrap_key(make_key(random), "", random, kCheap).error(), Code::kInvalid);
}

TEST(KeyWrap, TheUsualCostIsPossible) {
  SeededRandom random(1);
  const Key key = make_key(random);
  EXPECT_EQ(unwrap_key(wrap_key(key, "secret", random).value(), "secret"), key);
}

}  // namespace
}  // namespace firn::tier
