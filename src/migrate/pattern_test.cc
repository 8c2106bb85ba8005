#include "migrate/pattern.h"

#include <gtest/gtest.h>

namespace firn::migrate {
namespace {

bool matches(std::string_view pattern, std::string_view path, bool is_folder = false) {
  return Pattern(pattern).matches(path, is_folder);
}

TEST(Pattern, WithoutASlashMatchesAtAnyDepth) {
  EXPECT_TRUE(matches("*.o", "a.o"));
  EXPECT_TRUE(matches("*.o", "x/y/a.o"));
  EXPECT_FALSE(matches("*.o", "a.o/b"));
  EXPECT_FALSE(matches("*.o", "a.oo"));
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_TRUE(matches("a*b*c", "axxbyybc"));
}

TEST(Pattern, WithASlashIsTiedToTheRoot) {
  EXPECT_TRUE(matches("/build", "build"));
  EXPECT_FALSE(matches("/build", "x/build"));
  EXPECT_TRUE(matches("a/b", "a/b"));
  EXPECT_FALSE(matches("a/b", "x/a/b"));
  EXPECT_FALSE(matches("a/*", "a/b/c"));
}

TEST(Pattern, ASlashAtTheEndIsForFolders) {
  EXPECT_TRUE(matches("cache/", "x/cache", true));
  EXPECT_FALSE(matches("cache/", "x/cache", false));
}

TEST(Pattern, TwoStarsAreAnyNumberOfNames) {
  EXPECT_TRUE(matches("**/c", "c"));
  EXPECT_TRUE(matches("**/c", "a/b/c"));
  EXPECT_TRUE(matches("a/**/c", "a/c"));
  EXPECT_TRUE(matches("a/**/c", "a/x/y/c"));
  EXPECT_FALSE(matches("a/**/c", "a/x/y/d"));
  EXPECT_TRUE(matches("a/**", "a/b/c"));
  EXPECT_TRUE(matches("a/**", "a/b"));
  EXPECT_FALSE(matches("a/**", "a"));
}

TEST(Pattern, SetsAndEscapes) {
  EXPECT_TRUE(matches("[a-c]x", "bx"));
  EXPECT_FALSE(matches("[!a-c]x", "bx"));
  EXPECT_TRUE(matches("[]]", "]"));
  EXPECT_TRUE(matches("\\*", "*"));
  EXPECT_FALSE(matches("\\*", "x"));
  EXPECT_TRUE(matches("[ab", "[ab"));  // no end: as it stands
  EXPECT_TRUE(matches("\xff?", "\xff\x01"));
}

TEST(Pattern, ManyStarsDoNotTakeForEver) {
  std::string pattern, name(2000, 'a');
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(matches(pattern + "b", name));
}

TEST(Selection, IncludesAreExceptionsOrTheOnlyOnesTaken) {
  Selection both{.include = {Pattern("keep.o")}, .exclude = {Pattern("*.o")}};
  EXPECT_EQ(both.verdict("x/a.o", {}), Verdict::kLeave);
  EXPECT_EQ(both.verdict("x/keep.o", {}), Verdict::kTake);
  EXPECT_EQ(both.verdict("x/a.c", {}), Verdict::kTake);
  Selection only{.include = {Pattern("*.jpg"), Pattern("/all/")}};
  EXPECT_EQ(only.verdict("x/a.jpg", {}), Verdict::kTake);
  EXPECT_EQ(only.verdict("x/a.txt", {}), Verdict::kLeave);
  EXPECT_EQ(only.verdict("x", {.is_folder = true}), Verdict::kTake);
  EXPECT_EQ(only.verdict("all/a.txt", {.in_included_folder = true}), Verdict::kTake);
}

}  // namespace
}  // namespace firn::migrate
