#include "migrate/known_contents.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace firn::migrate {
namespace {

struct Piece {
  uint64_t begin;
  std::string_view text;
};

ContentHash hash(std::initializer_list<Piece> pieces, uint64_t size) {
  ContentHasher hasher;
  for (const Piece& piece : pieces) {
    hasher.begin({piece.begin, piece.begin + piece.text.size()});
    // In two parts: how it was read makes no difference.
    const auto bytes = std::as_bytes(std::span(piece.text));
    hasher.add(bytes.first(bytes.size() / 3));
    hasher.add(bytes.subspan(bytes.size() / 3));
  }
  return hasher.finish(size);
}

TEST(ContentHasher, TellsApartWhatIsNotTheSame) {
  const ContentHash whole = hash({{0, "abcdef"}}, 6);
  EXPECT_EQ(whole, hash({{0, "abcdef"}}, 6));
  EXPECT_NE(whole, hash({{0, "abcdeg"}}, 6));
  EXPECT_NE(whole, hash({{0, "abcdef"}}, 7));  // a hole at the end
  EXPECT_NE(hash({{4096, "abc"}}, 9000), hash({{8192, "abc"}}, 9000));
  EXPECT_NE(hash({{0, "ab"}, {4096, "cdef"}}, 9000), hash({{0, "abcd"}, {4096, "ef"}}, 9000));
}

TEST(KnownContents, TheFirstFileIsWhatLaterOnesFind) {
  KnownContents known;
  const ContentHash a = hash({{0, "a"}}, 1), b = hash({{0, "b"}}, 1);
  EXPECT_EQ(known.find_or_add(a, InodeId(10)), InodeId(10));
  EXPECT_EQ(known.find_or_add(a, InodeId(11)), InodeId(10));
  EXPECT_EQ(known.find_or_add(b, InodeId(12)), InodeId(12));
  EXPECT_EQ(known.replace(a, InodeId(10), InodeId(13)), InodeId(13));
  EXPECT_EQ(known.replace(a, InodeId(10), InodeId(14)), InodeId(13));
  EXPECT_EQ(known.find_or_add(a, InodeId(15)), InodeId(13));
}

TEST(KnownContents, ForgetsTheOldestBeyondItsLimit) {
  KnownContents known(3);
  for (uint64_t i = 1; i <= 4; ++i) known.find_or_add(hash({{0, std::to_string(i)}}, 1), InodeId(i));
  EXPECT_EQ(known.find_or_add(hash({{0, "2"}}, 1), InodeId(9)), InodeId(2));
  EXPECT_EQ(known.find_or_add(hash({{0, "1"}}, 1), InodeId(9)), InodeId(9));  // and 2 is the oldest now
  EXPECT_EQ(known.find_or_add(hash({{0, "2"}}, 1), InodeId(9)), InodeId(9));
}

}  // namespace
}  // namespace firn::migrate
