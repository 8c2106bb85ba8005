#include "base/bytes.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

TEST(Bytes, StoresInTheByteOrderNamed) {
  unsigned char buffer[8];
  store_be<uint32_t>(buffer, 0x01020304);
  EXPECT_EQ(buffer[0], 1);
  EXPECT_EQ(load_be<uint32_t>(buffer), 0x01020304u);
  store_le<uint64_t>(buffer, 0x0102030405060708);
  EXPECT_EQ(buffer[0], 8);
  EXPECT_EQ(load_le<uint64_t>(buffer), 0x0102030405060708u);
  std::string key;
  append_be<uint16_t>(key, 0x6162);
  EXPECT_EQ(key, "ab");
}

TEST(Bytes, ReadsSizesAsPeopleWriteThem) {
  const std::pair<const char*, uint64_t> good[] = {{"0", 0},
                                                   {"4096", 4096},
                                                   {"4MiB", 4 << 20},
                                                   {"4 MiB", 4 << 20},
                                                   {"1.5KiB", 1536},
                                                   {"10MB", 10'000'000},
                                                   {"1TiB", 1ULL << 40},
                                                   {"16383PiB", 16383ULL << 50},
                                                   {"0.5GiB", 1ULL << 29},
                                                   {"18446744073709551615", UINT64_MAX}};
  for (const auto& [text, bytes] : good) EXPECT_EQ(parse_size(text), bytes) << text;
  for (const char* text : {"", "MiB", "-1", "1.5B", "1e3", "4mib", "4 MiB ", "1..5KiB", ".5KiB", "18446744073709551616",
                           "16384PiB", "0x10", "1.0000000001GiB"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Bytes, PrintsSizesThatReadBack) {
  for (uint64_t bytes : {0ULL, 1ULL, 1023ULL, 1024ULL, 4097ULL, 4ULL << 20, 3ULL << 40, ~0ULL})
    EXPECT_EQ(parse_size(format_size(bytes)), bytes) << format_size(bytes);
  EXPECT_EQ(format_size(4 << 20), "4MiB");
  EXPECT_EQ(format_size(4097), "4097B");
  EXPECT_EQ(human_size(1536), "1.50 KiB");
  EXPECT_EQ(human_size(12), "12 B");
  EXPECT_EQ(human_size(1000), "1000 B");
  EXPECT_EQ(human_size(1023), "1023 B");
  EXPECT_EQ(human_size(150ULL << 30), "150 GiB");
}

TEST(Bytes, ReadsAndPrintsDurations) {
  EXPECT_EQ(parse_duration("5ms"), 5'000'000);
  EXPECT_EQ(parse_duration("1.5s"), 1'500'000'000);
  EXPECT_EQ(parse_duration("0"), 0);
  EXPECT_EQ(parse_duration("2h"), 7'200'000'000'000);
  for (const char* text : {"", "5", "5 m", "-1s", "99999999999h", "1d"}) EXPECT_FALSE(parse_duration(text)) << text;
  for (int64_t ns : {0LL, 1LL, 1000LL, 90'000'000'000LL, 3'600'000'000'000LL, 1'500'000LL})
    EXPECT_EQ(parse_duration(format_duration(ns)), ns);
  EXPECT_EQ(format_duration(90'000'000'000), "90s");
}

}  // namespace
}  // namespace firn
