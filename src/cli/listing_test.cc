#include "cli/listing.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/part_file.h"

namespace firn::cli {
namespace {

TEST(ListingTest, AnEntryHasTheBytesOfItsNameAndItsAttributes) {
  const nlohmann::json object = {
      {"name", "a/caf\ufffd"},  {"name_hex", "612f636166e9"}, {"type", "file"}, {"mode", "0640"}, {"size", 7},
      {"mtime", "-1.000000005"}};
  const Result<Entry> entry = entry_of(object);
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->path, "a/caf\xe9");
  EXPECT_EQ(entry->kind, FileKind::kFile);
  EXPECT_EQ(entry->mode, 0640U);
  EXPECT_EQ(entry->size, 7U);
  EXPECT_EQ(entry->mtime, (Timestamp{-1, 5}));
}

TEST(ListingTest, NoServerNamesAPathOutsideOfTheFolder) {
  for (const char* name : {"", "/etc/passwd", "../up", "a/../../up", "a//b", "a/", ".", "a/./b"})
    EXPECT_FALSE(entry_of({{"name", name}, {"type", "file"}}).has_value()) << name;
  EXPECT_FALSE(entry_of({{"name", "x"}, {"name_hex", "2e2e"}}).has_value());
  EXPECT_TRUE(entry_of({{"name", "..a/.b"}, {"type", "file"}}).has_value());
}

TEST(ListingTest, NonsenseIsAFailure) {
  for (const char* text : {"[]", "3", "null", "{}", R"({"name":3})", R"({"name":"a","size":"large"})",
                           R"({"name":"a","type":[]})", R"({"name":"a","mtime":7})"})
    EXPECT_EQ(entry_of(nlohmann::json::parse(text)).error().code(), Code::kIo) << text;
}

TEST(ListingTest, NamesOfPaths) {
  EXPECT_EQ(last_name("/a/b//"), "b");
  EXPECT_EQ(last_name("b"), "b");
  for (const char* none : {"/", "", ".", "a/.."}) EXPECT_EQ(last_name(none), "") << none;
  EXPECT_EQ(joined("/", "a"), "/a");
  EXPECT_EQ(joined("/a", "b"), "/a/b");
  EXPECT_EQ(joined("/a", ""), "/a");
}

TEST(ListingTest, APartFileLiesBesideWhatItBecomes) {
  EXPECT_EQ(part_path("a"), ".a.firn-part");
  EXPECT_EQ(part_path("/x/a"), "/x/.a.firn-part");
  const std::string longest(255, 'n');
  EXPECT_LE(last_name(part_path("/x/" + longest)).size(), 255U);
}

}  // namespace
}  // namespace firn::cli
