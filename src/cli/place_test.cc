#include "cli/place.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace firn::cli {
namespace {

TEST(Place, Folders) {
  const auto place = parse_place("nas=/mnt/nas//firn/./x/");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->name, "nas");
  EXPECT_EQ(place->kind, Place::Kind::kFolder);
  EXPECT_EQ(place->where, "/mnt/nas/firn/x");
  EXPECT_EQ(place->text(), "nas=/mnt/nas/firn/x");
  EXPECT_EQ(parse_place("nas=file:///mnt/nas")->where, "/mnt/nas");
  EXPECT_EQ(parse_place("n=/a=b")->where, "/a=b");
  EXPECT_EQ(parse_place_here("n=relative/../folder")->where, std::filesystem::current_path().string() + "/folder");
}

TEST(Place, Buckets) {
  const auto place = parse_place("s3=s3://bucket/some/prefix/?endpoint=https://nas:9000&region=eu-1&path_style=no");
  ASSERT_TRUE(place) << place.error().message();
  EXPECT_EQ(place->kind, Place::Kind::kBucket);
  EXPECT_EQ(place->where, "s3://bucket/some/prefix");
  for (const char* const lacks_a_slash : {"s3=s3:/bucket/prefix", "nas=nas:/export"}) {
    const auto wrong = parse_place_here(lacks_a_slash);
    ASSERT_FALSE(wrong) << wrong->where;
    EXPECT_NE(wrong.error().message().find("neither a bucket nor a folder; give s3://bucket/prefix"),
              std::string::npos);
  }
  EXPECT_EQ(place->options.at("endpoint"), "https://nas:9000");
  EXPECT_EQ(place->options.at("region"), "eu-1");
  EXPECT_EQ(place->options.at("path_style"), "no");
  EXPECT_EQ(parse_place(place->text())->text(), place->text());
  EXPECT_EQ(parse_place("s3=s3://bucket")->where, "s3://bucket");
}

struct Wrong {
  const char* text;
  const char* word;  // of the message
};

TEST(Place, SaysWhatIsWrong) {
  for (const Wrong& wrong : {Wrong{"", "NAME=URL"},
                             {"/mnt/nas", "NAME=URL"},
                             {"s3://bucket/prefix", "NAME=URL"},
                             {"s3://bucket/prefix?region=x", "NAME=URL"},
                             {"=/mnt", "name"},
                             {"NAS=/mnt", "a-z"},
                             {"n as=/mnt", "a-z"},
                             {"abcdefghijklmnopqrstuvwxyz1234567=/mnt", "1 to 32"},
                             {"hot=/mnt", "local disk"},
                             {"nas=", "missing"},
                             {"nas=relative", "absolute"},
                             {"nas=/", "root folder"},
                             {"nas=//.//", "root folder"},
                             {"nas=file://host/share", "machine"},
                             {"nas=ftp://host/x", "neither"},
                             {"nas=https://bucket.s3.amazonaws.com", "neither"},
                             {"nas=/mnt/a\nb", "control"},
                             {"s3=s3://", "bucket"},
                             {"s3=s3://bucket/a b", "prefix"},
                             {"s3=s3://bucket/../x", "prefix"},
                             {"s3=s3://bucket/x?", ""},
                             {"s3=s3://bucket/x?endpoint=host:9000", "https://host"},
                             {"s3=s3://bucket/x?colour=red", "option"},
                             {"s3=s3://bucket/x?region=", "option"},
                             {"s3=s3://bucket/x?path_style=maybe", "yes or no"}}) {
    const auto place = parse_place(wrong.text);
    if (*wrong.word == '\0') {
      EXPECT_TRUE(place) << wrong.text;
      continue;
    }
    ASSERT_FALSE(place) << wrong.text;
    EXPECT_EQ(place.error(), Code::kInvalid);
    EXPECT_NE(place.error().message().find(wrong.word), std::string::npos) << place.error().message();
  }
}

TEST(Place, ListsHaveNoDoublesAndAnEnd) {
  EXPECT_EQ(parse_places({})->size(), 0u);
  EXPECT_EQ(parse_places({"a=/a", "b=/b"})->at(1).name, "b");
  EXPECT_FALSE(parse_places({"a=/a", "a=/b"}));
  EXPECT_FALSE(parse_places({"a=/a", "b=/a/"}));
  std::vector<std::string> many;
  for (int i = 0; i < 9; ++i) many.push_back("t" + std::to_string(i) + "=/t" + std::to_string(i));
  EXPECT_FALSE(parse_places(many));
  many.pop_back();
  EXPECT_TRUE(parse_places(many));
}

}  // namespace
}  // namespace firn::cli
