#include "vfs/policy.h"

#include <gtest/gtest.h>

namespace firn::vfs {
namespace {

const std::vector<std::string> kTiers = {"nas", "tape", "s3"};

TEST(PolicyText, SaysWhatIsSet) {
  EXPECT_EQ(policy_text({}, kTiers), "");
  EXPECT_EQ(policy_text({.pinned = true}, kTiers), "pin=hot");
  EXPECT_EQ(policy_text({.skip = 4}, kTiers), "skip=s3");
  EXPECT_EQ(policy_text({.skip = 5, .pinned = true}, kTiers), "pin=hot skip=nas,s3");
  EXPECT_EQ(policy_text({.skip = meta::kEveryTier}, kTiers), "skip=nas,tape,s3");
}

TEST(PolicyText, IsUnderstood) {
  for (const char* text : {"", " \n", "\t\t"}) {
    const auto nothing = parse_policy(text, kTiers);
    ASSERT_TRUE(nothing);
    EXPECT_FALSE(nothing->pinned || nothing->skip);
    EXPECT_EQ(whole_policy(*nothing).skip, 0u);
    EXPECT_EQ(whole_policy(*nothing).pinned, false);
  }
  for (const char* text : {"pin=hot skip=s3,nas", "  skip=nas,s3\tpin=hot\n"}) {
    const auto both = parse_policy(text, kTiers);
    ASSERT_TRUE(both) << text;
    EXPECT_EQ(both->pinned, true);
    EXPECT_EQ(both->skip, 5u);
  }
  EXPECT_FALSE(parse_policy("skip=s3", kTiers)->pinned);
  EXPECT_EQ(parse_policy("skip=tape,tape", kTiers)->skip, 2u);
  EXPECT_EQ(parse_policy("skip=tape,s3,nas", kTiers)->skip, meta::kEveryTier);
}

TEST(PolicyText, OrRefused) {
  for (const char* text :
       {"pin", "pin=", "pin=nas", "pin=hot,nas", "PIN=hot", "pin=hot pin=hot", "skip", "skip=", "skip=nas,",
        "skip=,nas", "skip=moon", "skip=s3 skip=nas", "pin=hotskip=s3", "x", "pin=hot;skip=s3"}) {
    const auto parsed = parse_policy(text, kTiers);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error(), Code::kInvalid) << text;
  }
  EXPECT_FALSE(parse_policy(std::string_view("pin=hot\0", 8), kTiers));
  EXPECT_NE(parse_policy("skip=moon", kTiers).error().message().find("nas, tape, s3"), std::string::npos);
}

}  // namespace
}  // namespace firn::vfs
