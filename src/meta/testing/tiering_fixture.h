// Files with chunks in blobs, for the tests of what tiers are told.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "meta/testing/fixture.h"
#include "meta/testing/invariants.h"
#include "meta/tiering.h"

namespace firn::meta::testing {

inline constexpr uint32_t kFrame = 1000;

inline std::string blob_name(char filler) { return std::string(kBlobNameBytes, filler); }

inline Chunk chunk(uint64_t index, uint64_t version, char blob) {
  return {.index = ChunkIndex(index),
          .version = version,
          .bytes = 4096,
          .checksum = index * 31 + version,
          .blob = blob_name(blob),
          .offset = 48 + index * kFrame,
          .frame_bytes = kFrame,
          .blocks = std::string(index % 3 * 5, static_cast<char>(index))};
}

class TieredServiceTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    Options options = small_options(clock_, GetParam());
    options.tiered = true;
    volume_ = std::make_unique<Volume>(*engine_, options);
  }
  Volume& volume() { return *volume_; }
  void expect_invariants() { EXPECT_EQ(contradictions(*engine_), std::vector<std::string>()); }

  // A file whose content is in a backing, as its last close leaves it.
  InodeId settled_file(std::string_view name, uint64_t bytes = 10 << 20) {
    const InodeId inode = volume().file(kRootInode, name).inode;
    volume().update(inode, {.size = bytes,
                            .content = Content{.backing = BackingId(inode.value), .settled = true},
                            .mtime = Timestamp{1'700'000'100, 0}});
    return inode;
  }
  void touch(InodeId inode) { volume().update(inode, {.mtime = Timestamp{1'700'000'200, 0}}); }
  std::vector<Pending> pending() { return run(service().list_pending(InodeId(), 100)).value(); }
  std::vector<Chunk> chunks(InodeId inode) { return run(service().list_chunks(inode, ChunkIndex(), 10'000)).value(); }
  uint64_t live_bytes(char blob) { return run(service().get_blob(blob_name(blob))).value().live_bytes; }
  void announce(char blob) { ASSERT_TRUE(run(service().announce_blob(blob_name(blob), 10'000, 0, 0))); }
  bool commit(const Upload& upload) { return run(service().commit_upload(upload)).value(); }
  Content content(InodeId inode) { return volume().stat(inode).content; }
};

}  // namespace firn::meta::testing
