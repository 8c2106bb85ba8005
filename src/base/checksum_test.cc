#include "base/checksum.h"

#include <gtest/gtest.h>

#include <string>

#include "base/checksum_avx2.h"

namespace firn {
namespace {

// Those of the xxHash reference implementation (xxhsum -H3, 0.8).
TEST(Checksum, IsXxh3) {
  EXPECT_EQ(checksum64(std::string_view()), 0x2d06800538d394c2u);
  EXPECT_EQ(checksum64(std::string_view("abc")), 0x78af5f94892f3950u);
  EXPECT_NE(checksum64(std::string_view("abc"), 1), checksum64(std::string_view("abc")));
}

#if defined(__x86_64__)
TEST(Checksum, IsTheSameOnEveryProcessor) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "this processor has no AVX2";
  std::string bytes;
  for (size_t count = 0; count < 5000; count += 1 + count / 7) {
    while (bytes.size() < count) bytes += static_cast<char>(bytes.size() * 2'654'435'761u >> 13);
    for (const uint64_t seed : {uint64_t{0}, uint64_t{0x9e37'79b9'7f4a'7c15}})
      EXPECT_EQ(firn_checksum64_avx2(bytes.data(), count, seed), checksum64_portable({bytes.data(), count}, seed));
  }
}
#endif

}  // namespace
}  // namespace firn
