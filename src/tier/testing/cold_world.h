// A file in two colder tiers and not on the local disk, which is read: simulated time and disk, stores that count.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "data/hot/hot_store.h"
#include "io/block_on.h"
#include "io/sim/sim_blocking_pool.h"
#include "io/sim/sim_disk.h"
#include "io/sim/sim_reactor.h"
#include "kv/mem/mem_engine.h"
#include "meta/local_service.h"
#include "meta/volume.h"
#include "object/testing/place.h"
#include "tier/cold_file.h"
#include "tier/hydrator.h"
#include "tier/uploader.h"

namespace firn::tier::testing {

inline constexpr uint64_t kBlock = 512;
inline constexpr uint64_t kChunk = 16 * kBlock;
inline constexpr uint64_t kPagesScale = 8;

struct ColdPlace : object::testing::Place {
  using Place::Place;
  uint64_t gets() const { return faulty.requests(object::Kind::kGet); }
  // A bit of the only object becomes another.
  void flip(uint64_t at) {
    const std::string key = mem->sizes().begin()->first;
    io::SimReactor reactor({.seed = 1});
    auto got = io::run_to_end(reactor, mem->get(key, 0, kMaxBlobBytes, {}));
    CHECK(got && at < got->bytes.size());
    got->bytes[at] ^= 1;
    CHECK(mem->overwrite(key, got->bytes));
  }
};

class ColdWorld {
 public:
  // `scale`: how many times larger than kBlock and kChunk its blocks and chunks are. From kPagesScale on they are
  // pages.
  explicit ColdWorld(std::string made, uint64_t seed = 1, std::optional<Key> volume_key = std::nullopt,
                     uint64_t scale = 1)
      : content(std::move(made)),
        block_bytes(scale * kBlock),
        chunk_bytes(scale * kChunk),
        random(seed),
        near(random, {}),
        far(random, {}),
        key_(volume_key),
        reactor_({.seed = seed, .shuffle = true}),
        disk_({.seed = seed}) {
    CHECK(run(meta::format(*engine_, {.id = "test"}, {})).has_value());
    disk_.set_faults([this](const io::SimCallInfo& info) {
      if (info.call == io::SimCall::kWritePages) ++direct_writes;
      return io::SimFault();
    });
    data_ = data::make_hot_store({.disk = disk_, .root = "/hot", .min_ready = 4, .max_ready = 16, .recent_objects = 4});
    meta_ = std::make_unique<meta::LocalService>(
        *engine_, meta::Options{.clock = &reactor_.clock(), .boot_session = 1, .tiered = true});
    CHECK(run(data_->start([](BackingId) { return true; })).has_value());
    CHECK(run(write()).has_value());
    Uploader uploader({*meta_, *meta_, *data_, pool_, random, tiers()},
                      {.chunk_bytes = chunk_bytes, .block_bytes = static_cast<uint32_t>(block_bytes), .key = key_});
    CHECK(run(uploader.pass(nullptr))->files == 1);
    restart();
    evict();
    open();
  }
  ~ColdWorld() {
    close();
    run(data_->stop());
  }

  template <class T>
  T run(io::Task<T> task) {
    return io::run_to_end(reactor_, std::move(task));
  }
  int64_t now() { return reactor_.clock().monotonic_ns(); }

  void open() { cold = std::make_unique<ColdFile>(*hydrator, inode, content.size(), object_, options); }
  void close() {
    if (cold) run(cold->close());
    cold.reset();
  }
  void reopen() {
    close();
    open();
  }
  // Another process: what the last one remembered is gone.
  void restart() {
    close();
    hydrator = std::make_unique<Hydrator>(
        Hydrator::Parts{*meta_, *meta_, pool_, tiers()},
        HydrateOptions{.chunk_bytes = chunk_bytes, .key = key_, .on_damage = [this](const Damage& damage) {
                         ++damaged[damage.tier];
                       }});
  }
  void evict() { CHECK(run(hydrator->evict(inode, *object_)).has_value()); }

  Result<std::string> try_read(uint64_t offset, uint64_t bytes) { return run(read(this, offset, bytes)); }
  void expect_read(uint64_t offset, uint64_t bytes) {
    const auto got = try_read(offset, bytes);
    ASSERT_TRUE(got) << got.error().to_string();
    EXPECT_TRUE(*got == content.substr(offset, bytes)) << offset << " " << bytes;
  }
  // All at once.
  void expect_reads(const std::vector<std::pair<uint64_t, uint64_t>>& ranges) { run(read_all(this, ranges)); }

  meta::Chunk record(uint64_t index) { return run(hydrator->record_of(inode, ChunkIndex(index))).value(); }
  // The record says something else from now on.
  void record(const meta::Chunk& chunk) {
    CHECK(run(meta_->move_chunks(inode, {{record(chunk.index.value), chunk, {}}})).value() == 1);
  }
  // Where a block is in the blob.
  Extent place_of(uint64_t block) {
    const meta::Chunk chunk = record(block * kBlock / kChunk);
    const BlockMap map = decode_block_map(chunk.blocks, chunk.bytes, key_.has_value()).value();
    const Extent place = map.place_of({.first = static_cast<uint32_t>(block % (kChunk / kBlock)), .count = 1});
    return {.offset = chunk.offset + place.offset, .bytes = place.bytes};
  }
  uint64_t allocated() { return run(object_->file().stat())->allocated_bytes; }

  static io::Task<Result<std::string>> read(ColdWorld* world, uint64_t offset, uint64_t bytes) {
    std::string buffer(bytes, '?');
    const size_t got = CO_TRY(co_await world->cold->read(offset, std::as_writable_bytes(std::span(buffer))));
    buffer.resize(got);
    co_return buffer;
  }

  const std::string content;
  const uint64_t block_bytes, chunk_bytes;
  SeededRandom random;
  std::map<std::string, int> damaged;
  uint64_t direct_writes = 0;  // past the page cache, in pages
  ColdPlace near, far;
  InodeId inode;
  ColdFile::Options options{.chunk_bytes = chunk_bytes, .block_bytes = block_bytes, .readahead_bytes = 4 * chunk_bytes};
  std::unique_ptr<Hydrator> hydrator;
  std::unique_ptr<ColdFile> cold;

 private:
  Tiers tiers() { return {{"near", *near.store}, {"far", *far.store}}; }
  io::Task<Result<void>> write() {
    const auto made =
        CO_TRY(co_await meta_->create({}, kRootInode, "f", {.type = meta::FileType::kRegular, .mode = 0644}, false));
    inode = made.attr.inode;
    object_ = CO_TRY(co_await data_->lend(true));
    CO_TRY(co_await object_->file().write(0, std::as_bytes(std::span(content))));
    CO_TRY(co_await data_->settle(object_));
    meta::ContentUpdate update;
    update.size = content.size();
    update.content = made.attr.content;
    update.content->backing = object_->id();
    update.content->settled = true;
    update.mtime = reactor_.clock().now();
    CO_TRY(co_await meta_->update_content(inode, update));
    co_return Result<void>();
  }
  static io::Task<void> check_read(ColdWorld* world, uint64_t offset, uint64_t bytes, io::Gate::Entry) {
    const auto got = co_await read(world, offset, bytes);
    EXPECT_TRUE(got && *got == world->content.substr(offset, bytes)) << offset << " " << bytes;
  }
  static io::Task<void> read_all(ColdWorld* world, std::vector<std::pair<uint64_t, uint64_t>> ranges) {
    io::Gate gate;
    for (const auto& [offset, bytes] : ranges) io::detach(check_read(world, offset, bytes, gate.enter()));
    co_await gate.close();
  }

  const std::optional<Key> key_;
  io::SimReactor reactor_;
  io::SimBlockingPool pool_{reactor_};
  io::SimDisk disk_;
  std::unique_ptr<kv::Engine> engine_ = kv::make_mem_engine({.yields = true});
  std::unique_ptr<data::Store> data_;
  std::unique_ptr<meta::LocalService> meta_;
  data::ObjectRef object_;
};

}  // namespace firn::tier::testing
