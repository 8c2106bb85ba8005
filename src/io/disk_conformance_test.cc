// What Disk and File promise, on the ring and in the simulator alike.
#include <algorithm>
#include <cstring>

#include "io/buffer.h"
#include "io/sync.h"
#include "io/test_environment.h"

namespace firn::io {
namespace {

class DiskConformance : public Conformance {};
FIRN_IO_BOTH_WORLDS(DiskConformance);

constexpr uint64_t kBlock = 64 << 10;  // larger than any file system's block, so that holes are holes

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::vector<std::byte> pattern(size_t count, unsigned seed) {
  std::vector<std::byte> data(count);
  for (size_t i = 0; i < count; ++i) data[i] = static_cast<std::byte>((i * 7 + seed * 13 + i / 251) & 0xff);
  return data;
}

Task<std::string> text_at(File& file, uint64_t offset, size_t count) {
  std::string text(count, '?');
  const auto got = co_await file.read(offset, std::as_writable_bytes(std::span(text)));
  text.resize(got.value_or(0));
  co_return text;
}

Task<void> round_trip(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  const auto data = pattern(3 << 20, 1);
  EXPECT_TRUE(co_await (*file)->write(5, data));
  std::vector<std::byte> back(data.size());
  EXPECT_EQ(co_await (*file)->read(5, back), data.size());
  EXPECT_EQ(back, data);
  EXPECT_EQ(co_await text_at(**file, 0, 5), std::string(5, '\0'));
  EXPECT_EQ((co_await (*file)->stat())->bytes, data.size() + 5);
}
TEST_P(DiskConformance, ReadsBackWhatWasWritten) { environment->run(round_trip(environment.get())); }

Task<void> write_around_the_cache(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  std::string expected(9 * kBlock, '\0');
  const auto write = [&](uint64_t offset, size_t count, size_t shift) -> Task<void> {
    const Buffer buffer = make_buffer(count + shift);
    const std::span<std::byte> data(buffer.get() + shift, count);
    std::ranges::copy(pattern(count, static_cast<unsigned>(offset)), data.begin());
    EXPECT_TRUE(co_await (*file)->write_direct(offset, data));
    std::memcpy(expected.data() + offset, data.data(), count);
  };
  EXPECT_TRUE(co_await (*file)->write(0, bytes_of(std::string_view(expected))));
  co_await write(kBlock, 2 * kBlock, 0);
  co_await write(4 * kBlock, 2 * kBlock + 100, 0);  // its end is no page's
  co_await write(7 * kBlock + 1, kBlock, 0);        // nor is its begin
  co_await write(0, kBlock, 1);                     // nor is it at a page in memory
  co_await write(8 * kBlock + 10, 5, 0);
  EXPECT_TRUE(co_await text_at(**file, 0, expected.size() + 1) == expected);
  EXPECT_NE((*file)->open_elsewhere(), true);
}
TEST_P(DiskConformance, WritesPastThePageCacheOrNot) { environment->run(write_around_the_cache(environment.get())); }

Task<void> read_at_end(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  EXPECT_TRUE(co_await (*file)->write(0, bytes_of("hello")));
  EXPECT_EQ(co_await text_at(**file, 3, 100), "lo");
  EXPECT_EQ(co_await text_at(**file, 5, 100), "");
  EXPECT_EQ(co_await text_at(**file, uint64_t{1} << 40, 100), "");
  EXPECT_EQ(co_await (*file)->read(0, {}), 0u);
  EXPECT_TRUE(co_await (*file)->write(0, {}));
}
TEST_P(DiskConformance, ReadsAreShortOnlyAtTheEnd) { environment->run(read_at_end(environment.get())); }

Task<void> start_writeback(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  const auto data = pattern(3 << 20, 2);
  EXPECT_TRUE(co_await (*file)->write(0, data));
  co_await (*file)->start_writeback(0, data.size());
  co_await (*file)->start_writeback(data.size(), 1 << 20);  // nothing is there
  EXPECT_EQ((co_await (*file)->stat())->bytes, data.size());
  EXPECT_TRUE(co_await (*file)->write(1 << 20, bytes_of("hello")));
  EXPECT_EQ(co_await text_at(**file, 1 << 20, 5), "hello");
  EXPECT_TRUE(co_await (*file)->sync(false));
}
TEST_P(DiskConformance, WritebackThatBeginsEarlyChangesNothing) {
  environment->run(start_writeback(environment.get()));
}

Task<void> truncate(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  EXPECT_TRUE(co_await (*file)->write(0, bytes_of("0123456789")));
  EXPECT_TRUE(co_await (*file)->truncate(4));
  EXPECT_TRUE(co_await (*file)->truncate(8));
  EXPECT_EQ(co_await text_at(**file, 0, 100), std::string("0123\0\0\0\0", 8));
  EXPECT_TRUE(co_await (*file)->truncate(uint64_t{1} << 40));
  EXPECT_EQ((co_await (*file)->stat())->bytes, uint64_t{1} << 40);
  EXPECT_LT((co_await (*file)->stat())->allocated_bytes, 1u << 20);
}
TEST_P(DiskConformance, TruncateCutsAndExtendsWithZeros) { environment->run(truncate(environment.get())); }

Task<void> holes(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  EXPECT_TRUE(co_await (*file)->write(kBlock, pattern(kBlock, 1)));
  EXPECT_TRUE(co_await (*file)->write(3 * kBlock, pattern(kBlock, 2)));
  EXPECT_EQ(co_await (*file)->seek(Seek::kData, 0), kBlock);
  EXPECT_EQ(co_await (*file)->seek(Seek::kHole, 0), 0u);
  EXPECT_EQ(co_await (*file)->seek(Seek::kHole, kBlock + 5), 2 * kBlock);
  EXPECT_EQ(co_await (*file)->seek(Seek::kData, 2 * kBlock), 3 * kBlock);
  EXPECT_EQ(co_await (*file)->seek(Seek::kHole, 3 * kBlock), 4 * kBlock);
  EXPECT_EQ((co_await (*file)->seek(Seek::kData, 4 * kBlock)).error().code(), Code::kNoDevice);
  EXPECT_EQ((co_await (*file)->seek(Seek::kHole, 4 * kBlock)).error().code(), Code::kNoDevice);
}
TEST_P(DiskConformance, SeeksDataAndHoles) { environment->run(holes(environment.get())); }

Task<void> punch(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  auto expected = pattern(4 * kBlock, 1);
  EXPECT_TRUE(co_await (*file)->write(0, expected));
  EXPECT_TRUE(co_await (*file)->sync(false));
  const uint64_t before = (co_await (*file)->stat())->allocated_bytes;
  EXPECT_TRUE(co_await (*file)->allocate(Allocate::kPunchHole, kBlock - 7, kBlock + 20));
  std::fill_n(expected.begin() + kBlock - 7, kBlock + 20, std::byte{0});
  std::vector<std::byte> back(expected.size());
  EXPECT_EQ(co_await (*file)->read(0, back), back.size());
  EXPECT_TRUE(back == expected);
  EXPECT_LE((co_await (*file)->stat())->allocated_bytes, before - kBlock);
  EXPECT_EQ((co_await (*file)->stat())->bytes, expected.size());
}
TEST_P(DiskConformance, PunchHoleZeroesAndFrees) { environment->run(punch(environment.get())); }

Task<void> allocate(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  EXPECT_TRUE(co_await (*file)->write(0, bytes_of("abcdef")));
  EXPECT_TRUE(co_await (*file)->allocate(Allocate::kKeepSize, 0, 2 * kBlock));
  EXPECT_EQ((co_await (*file)->stat())->bytes, 6u);
  EXPECT_GE((co_await (*file)->stat())->allocated_bytes, 2 * kBlock);
  EXPECT_TRUE(co_await (*file)->allocate(Allocate::kExtend, 0, 3 * kBlock));
  EXPECT_EQ((co_await (*file)->stat())->bytes, 3 * kBlock);
  EXPECT_EQ(co_await text_at(**file, 0, 8), std::string("abcdef\0\0", 8));
  EXPECT_TRUE(co_await (*file)->allocate(Allocate::kZeroRangeKeepSize, 2, 2));
  EXPECT_EQ(co_await text_at(**file, 0, 6), std::string("ab\0\0ef", 6));
  EXPECT_TRUE(co_await (*file)->allocate(Allocate::kZeroRange, 3 * kBlock, kBlock));
  EXPECT_EQ((co_await (*file)->stat())->bytes, 4 * kBlock);
}
TEST_P(DiskConformance, AllocateReservesExtendsAndZeroes) { environment->run(allocate(environment.get())); }

Task<void> times(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  const Timestamp atime{-5, 250}, mtime{5'000'000'000, 999'999'999};
  EXPECT_TRUE(co_await (*file)->set_times(atime, mtime));
  const auto stat = co_await (*file)->stat();
  const auto by_path = co_await env->disk().stat(env->path("f"));
  CO_REQUIRE(stat && by_path);
  EXPECT_EQ(stat->mtime, mtime);
  EXPECT_EQ(stat->atime, atime);
  EXPECT_EQ(by_path->mtime, mtime);
  EXPECT_GT(stat->ctime, (Timestamp{1'000'000'000, 0}));
}
TEST_P(DiskConformance, SetsTimesToTheNanosecond) { environment->run(times(environment.get())); }

Task<void> copy(TestEnvironment* env) {
  auto source = co_await env->disk().open(env->path("a"), {.write = true, .create = true});
  auto target = co_await env->disk().open(env->path("b"), {.write = true, .create = true});
  CO_REQUIRE(source && target);
  const auto data = pattern(300'000, 3);
  EXPECT_TRUE(co_await (*source)->write(0, data));
  uint64_t done = 0;
  while (true) {
    const auto copied = co_await (*target)->copy_from(**source, 100 + done, 7 + done, uint64_t{1} << 30);
    CO_REQUIRE(copied);
    if (*copied == 0) break;
    done += *copied;
  }
  EXPECT_EQ(done, data.size() - 100);
  std::vector<std::byte> back(data.size() - 100);
  EXPECT_EQ(co_await (*target)->read(7, back), back.size());
  EXPECT_TRUE(std::equal(back.begin(), back.end(), data.begin() + 100));
}
TEST_P(DiskConformance, CopiesBetweenFiles) { environment->run(copy(environment.get())); }

// The simulator and most disks say kNotSupported; a disk that can (TMPDIR on xfs or btrfs) must not mistake anything.
Task<void> share(TestEnvironment* env) {
  auto source = co_await env->disk().open(env->path("a"), {.write = true, .create = true});
  auto target = co_await env->disk().open(env->path("b"), {.write = true, .create = true});
  CO_REQUIRE(source);
  CO_REQUIRE(target);
  auto data = pattern(4 * kBlock + 5, 6);
  EXPECT_TRUE(co_await (*source)->write(0, data));
  data[3 * kBlock] ^= std::byte{1};
  EXPECT_TRUE(co_await (*target)->write(0, data));
  const auto equal = co_await (*target)->share_blocks_of(**source, 0, 0, 3 * kBlock);
  const auto other = co_await (*target)->share_blocks_of(**source, 3 * kBlock, 3 * kBlock, kBlock + 5);
  if (equal) {
    EXPECT_EQ(*equal, 3 * kBlock);
    EXPECT_EQ(other, uint64_t{0});
  } else {
    EXPECT_EQ(equal.error().code(), Code::kNotSupported);
    EXPECT_EQ(other.error().code(), Code::kNotSupported);
  }
  std::vector<std::byte> back(data.size());
  EXPECT_EQ(co_await (*target)->read(0, back), back.size());
  EXPECT_EQ(back, data);
  EXPECT_TRUE(co_await (*target)->write(kBlock, std::span(data).first(1)));
  data[kBlock] = data[0];
  EXPECT_EQ(co_await (*source)->read(0, back), back.size());
  EXPECT_TRUE(std::equal(back.begin(), back.begin() + 3 * kBlock, pattern(data.size(), 6).begin()));
}
TEST_P(DiskConformance, SharesBlocksOfEqualBytesOnly) { environment->run(share(environment.get())); }

Task<void> open_errors(TestEnvironment* env) {
  Disk& disk = env->disk();
  EXPECT_EQ((co_await disk.open(env->path("f"), {})).error().code(), Code::kNotFound);
  EXPECT_EQ((co_await disk.open(env->path("no/f"), {.write = true, .create = true})).error().code(), Code::kNotFound);
  EXPECT_TRUE(co_await disk.open(env->path("f"), {.write = true, .create = true, .exclusive = true}));
  EXPECT_EQ((co_await disk.open(env->path("f"), {.write = true, .create = true, .exclusive = true})).error().code(),
            Code::kExists);
  EXPECT_EQ((co_await disk.open(env->path("f/g"), {})).error().code(), Code::kNotDirectory);
  EXPECT_EQ((co_await disk.open(env->folder(), {.write = true})).error().code(), Code::kIsDirectory);
  auto read_only = co_await disk.open(env->path("f"), {});
  CO_REQUIRE(read_only);
  EXPECT_EQ((co_await (*read_only)->write(0, bytes_of("x"))).error().code(), Code::kBadHandle);
}
TEST_P(DiskConformance, OpenFailsAsOpenDoes) { environment->run(open_errors(environment.get())); }

Task<void> names(TestEnvironment* env) {
  Disk& disk = env->disk();
  EXPECT_TRUE(co_await disk.make_directory(env->path("d")));
  EXPECT_EQ((co_await disk.make_directory(env->path("d"))).error().code(), Code::kExists);
  EXPECT_TRUE((co_await disk.stat(env->path("d")))->is_directory);
  for (const char* name : {"d/x", "d/y"})
    EXPECT_TRUE(co_await disk.open(env->path(name), {.write = true, .create = true}));
  auto listed = co_await disk.list(env->path("d"));
  CO_REQUIRE(listed);
  std::ranges::sort(*listed);
  EXPECT_EQ(*listed, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(co_await disk.rename(env->path("d/x"), env->path("z")));
  EXPECT_EQ((co_await disk.stat(env->path("d/x"))).error().code(), Code::kNotFound);
  EXPECT_TRUE(co_await disk.stat(env->path("z")));
  EXPECT_EQ((co_await disk.rename(env->path("no"), env->path("z"))).error().code(), Code::kNotFound);
  EXPECT_EQ((co_await disk.rename(env->path("z"), env->path("d"))).error().code(), Code::kIsDirectory);
  EXPECT_TRUE(co_await disk.sync_directory(env->path("d")));
  EXPECT_TRUE(co_await disk.sync_filesystem(env->folder()));
  EXPECT_TRUE(co_await disk.unlink(env->path("z")));
  EXPECT_EQ((co_await disk.unlink(env->path("z"))).error().code(), Code::kNotFound);
  EXPECT_EQ((co_await disk.unlink(env->path("d"))).error().code(), Code::kIsDirectory);
  EXPECT_EQ((co_await disk.list(env->path("no"))).error().code(), Code::kNotFound);
}
TEST_P(DiskConformance, NamesAppearMoveAndGo) { environment->run(names(environment.get())); }

Task<void> unlinked(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  EXPECT_TRUE(co_await (*file)->write(0, bytes_of("kept")));
  auto other = co_await env->disk().open(env->path("g"), {.write = true, .create = true});
  CO_REQUIRE(other);
  EXPECT_TRUE(co_await env->disk().rename(env->path("g"), env->path("f")));
  EXPECT_EQ(co_await text_at(**file, 0, 10), "kept");
  EXPECT_TRUE(co_await env->disk().unlink(env->path("f")));
  EXPECT_TRUE(co_await (*file)->write(4, bytes_of("!")));
  EXPECT_EQ(co_await text_at(**file, 0, 10), "kept!");
}
TEST_P(DiskConformance, AFileLivesWhileItIsOpen) { environment->run(unlinked(environment.get())); }

Task<void> usage(TestEnvironment* env) {
  const auto usage = co_await env->disk().usage(env->folder());
  CO_REQUIRE(usage);
  EXPECT_GT(usage->total_bytes, 0u);
  EXPECT_LE(usage->available_bytes, usage->total_bytes);
  EXPECT_LE(usage->free_files, usage->total_files);
}
TEST_P(DiskConformance, ReportsUsage) { environment->run(usage(environment.get())); }

Task<void> write_block(File* file, unsigned index, Gate::Entry) {
  EXPECT_TRUE(co_await file->write(index * kBlock, pattern(kBlock, index)));
  EXPECT_TRUE(co_await file->sync(true));
}

Task<void> concurrent(TestEnvironment* env) {
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  Gate gate;
  for (unsigned i = 0; i < 100; ++i) detach(write_block(file->get(), i, gate.enter()));
  co_await gate.close();
  std::vector<std::byte> back(kBlock);
  for (unsigned i = 0; i < 100; ++i) {
    EXPECT_EQ(co_await (*file)->read(i * kBlock, back), kBlock);
    EXPECT_TRUE(back == pattern(kBlock, i)) << i;
  }
}
TEST_P(DiskConformance, CallsOnOneFileRunConcurrently) { environment->run(concurrent(environment.get())); }

}  // namespace
}  // namespace firn::io
