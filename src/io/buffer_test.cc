#include "io/buffer.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <thread>
#include <vector>

#include "base/metrics.h"

namespace firn::io {
namespace {

constexpr size_t kMiB = 1 << 20;

int64_t kept_bytes() { return metrics::process_registry().gauge("firn_buffers_kept_bytes", "").value(); }

TEST(Buffer, HoldsWhatWasAskedFor) {
  std::vector<Buffer> all;
  const std::vector<size_t> sizes{0, 1, 4096, 40'000, 64 << 10, (64 << 10) + 1, 300'000, kMiB, kMiB + 4096, 9 * kMiB};
  for (const size_t bytes : sizes)
    std::memset(all.emplace_back(make_buffer(bytes)).get(), static_cast<int>(bytes), bytes);
  for (size_t i = 0; i < sizes.size(); ++i)
    for (size_t at = 0; at < sizes[i]; at += 1000) ASSERT_EQ(all[i][at], static_cast<std::byte>(sizes[i]));
}

TEST(Buffer, LargeOnesBeginAtAPage) {
  std::vector<Buffer> all;
  for (const size_t bytes : {kSmallBufferBytes, size_t{100'000}, 4 * kMiB, 9 * kMiB})
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(std::bit_cast<uintptr_t>(all.emplace_back(make_buffer(bytes)).get()) % kPageBytes, 0u) << bytes;
}

TEST(Buffer, TheNextTransferTakesTheSameMemory) {
  const std::byte* first = nullptr;
  {
    first = make_buffer(kMiB).get();
  }
  EXPECT_TRUE(make_buffer(kMiB - 1000).get() == first || !kKeepsBuffers);
  EXPECT_GE(kept_bytes(), kKeepsBuffers ? static_cast<int64_t>(kMiB) : 0);
}

TEST(Buffer, NoMoreIsKeptThanTheLimit) {
  const auto use_much = [] {
    for (const size_t bytes : {kMiB, size_t{100'000}, size_t{500'000}}) {
      std::vector<Buffer> all;
      for (int i = 0; i < 100; ++i) all.push_back(make_buffer(bytes));
    }
  };
  std::thread beside(use_much);
  use_much();
  beside.join();
  EXPECT_LE(kept_bytes(), static_cast<int64_t>(kMaxKeptBufferBytes));
  EXPECT_GE(kept_bytes(), kKeepsBuffers ? static_cast<int64_t>(kMaxKeptBufferBytes / 2) : 0);
}

}  // namespace
}  // namespace firn::io
