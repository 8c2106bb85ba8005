#include "tier/volume_record.h"

#include <gtest/gtest.h>

#include "base/hex.h"

namespace firn::tier {
namespace {

meta::VolumeSettings some() {
  return {.format_version = meta::kFormatVersion,
          .id = "0123456789abcdef",
          .chunk_bytes = 4 << 20,
          .inline_max_bytes = 16 << 10,
          .created = {1'700'000'000, 250},
          .name = "photos",
          .tiers = {{"nas", "/mnt/nas/firn"}, {"s3", "s3://bucket/prefix"}},
          .compression = "zstd",
          .durability = "local",
          .wrapped_key = "key"};
}

// The bytes that other versions have written and must be able to read.
constexpr const char* kGolden =
    "6669726e766f6c6d0100000072000000"
    "08021210303132333435363738396162636465661880808002208080012880c49fd50c35fa000000"
    "3a0670686f746f7342140a036e6173120d2f6d6e742f6e61732f6669726e42180a027333121273333a2f2f6275636b65742f707265666978"
    "4a047a73746452056c6f63616c5a036b6579"
    "4fd45e15e1f55e27";

TEST(VolumeRecord, HasGoldenBytes) { EXPECT_EQ(to_hex(encode_volume_object(some()).value()), kGolden); }

TEST(VolumeRecord, ReadsBack) {
  EXPECT_EQ(decode_volume_object(encode_volume_object(some()).value()), some());
  meta::VolumeSettings plain = some();
  plain.wrapped_key.clear();
  plain.name = "caf\xe9";  // names of folders are bytes
  EXPECT_EQ(decode_volume_object(encode_volume_object(plain).value()), plain);
}

TEST(VolumeRecord, NoticesEveryChangedByte) {
  const std::string bytes = encode_volume_object(some()).value();
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    EXPECT_FALSE(decode_volume_object(damaged)) << i;
    EXPECT_FALSE(decode_volume_object(bytes.substr(0, i))) << i;
  }
  EXPECT_FALSE(decode_volume_object(bytes + "x"));
}

TEST(VolumeRecord, SaysWhatItIsNot) {
  EXPECT_NE(decode_volume_object(std::string(100, 'x')).error().message().find("not firn's"), std::string::npos);
  std::string newer = encode_volume_object(some()).value();
  newer[8] = 2;
  EXPECT_EQ(decode_volume_object(newer).error(), Code::kNotSupported);
}

TEST(VolumeRecord, IsBounded) {
  meta::VolumeSettings huge = some();
  huge.name = std::string(kMaxVolumeObjectBytes, 'x');
  EXPECT_EQ(encode_volume_object(huge).error(), Code::kInvalid);
}

}  // namespace
}  // namespace firn::tier
