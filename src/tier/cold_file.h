// ColdFile: a file whose backing has been emptied, while somebody reads it: what is read comes back, in whole chunks
// where reading is sequential, else block by block.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "data/store.h"
#include "io/cancel.h"
#include "io/lent_bytes.h"
#include "io/sync.h"
#include "tier/block_set.h"
#include "tier/hydrator.h"
#include "tier/journal.h"
#include "tier/read_streams.h"

namespace firn::tier {

// Blocks are numbered through the file; a chunk is a whole number of them, but for the file's last.
//
// Invariants:
//  1. A block is in here_ only when the backing's bytes are the block's: they were written after they were verified, by
//     this object or by one before it that left word (Hydrator::returned), or those of its whole chunk were found to
//     have the checksum that the record says.
//  2. Nothing of a chunk is written before it is known_: before it was looked whether it had been left on the local
//  disk
//     as a whole. Parts of it that an earlier process left do not count.
//  3. There is at most one fetch that was begun for a block at a time, and whoever wants the block waits for it; it may
//     come along with others all the same. Fetches of other blocks of the chunk do not wait for one another.
//  4. The record says "evicted" until make_resident(): after a crash nothing that this object did counts.
// Thread-safe. The file must not be written, resized or evicted meanwhile. close() must have returned before it is
// destroyed, and nothing be running.
class ColdFile {
 public:
  struct Options {
    uint64_t chunk_bytes = 4 << 20;  // the volume's
    // What is fetched at least, and its kin: of what compresses more comes at once, and so it does in a file so large
    // that it has too many of them. A chunk, where that is not a multiple of it.
    uint64_t block_bytes = kStoredBlockBytes;
    // What is fetched, aligned, where something of it is there; so much of that comes again rather than that another
    // request is made. 0: no more than asked.
    uint64_t nearby_bytes = 0;
    uint64_t direct_bytes = 64 << 20;     // a file so long is not likely to be read again from the page cache
    uint64_t readahead_bytes = 64 << 20;  // how far all who read in order look ahead together, at most
    size_t chunks_in_flight = 8;          // fetched ahead at once, by all of them
    Journal journal;                      // lies over what is fetched
    // Asked after every fetch, whether the file still is what it was: its failure is the fetch's. May be empty.
    std::function<io::Task<Result<void>>()> still_so;
    std::function<bool()> may_keep;  // whether the local disk has room for what comes back; empty: it has
    // Before so much more comes for make_resident(), and must be kept: returns when there is room; its failure is that
    // of the call. May be empty.
    std::function<io::Task<Result<void>>(uint64_t)> make_room;
    std::function<void(uint64_t)> arrived;  // so many bytes came back; may be empty
  };

  ColdFile(Hydrator& hydrator, InodeId inode, uint64_t bytes, data::ObjectRef backing, Options options);
  ~ColdFile();

  // As io::File::read. What has no room on the local disk is served all the same. `lent` may be null.
  io::Task<Result<size_t>> read(uint64_t offset, std::span<std::byte> buffer, io::LentBytes* lent = nullptr);
  // Everything onto the local disk, durably, and the record says so. On failure the file stays evicted, with what has
  // come back. `token` may be null.
  io::Task<Result<void>> make_resident(io::CancelToken* token);
  // Whether every block is on the local disk.
  bool complete() const;
  // Ends what is fetched ahead.
  io::Task<void> close();
  // The same, before the backing is emptied: nothing of it counts any more.
  io::Task<void> abandon();
  // What is read that has not come back fails from now on.
  bool closed() const { return stopping_.cancelled(); }
  // All of it has come back, and make_resident() has said so.
  bool resident() const;

 private:
  using Bytes = std::shared_ptr<const io::PageBytes>;
  // Blocks [first, end) of one chunk, on their way.
  struct Fetch {
    uint64_t first = 0, end = 0;
    bool by_chunk = false;  // one of those that ahead_ counts
    io::Event done;
    Result<void> result;
    Bytes bytes;        // null: they were on the local disk already
    io::Event kept;     // later: there was an attempt to write them to the local disk
    bool here = false;  // it succeeded
    io::Permits hold;   // on the bytes, which went past the page cache
  };
  using FetchRef = std::shared_ptr<Fetch>;
  // Blocks [first, end) that are read from memory: they have no place on the local disk, or went there past the page
  // cache (then there is a hold) and the reader has not come to them yet.
  struct InMemory {
    uint64_t end = 0;
    Bytes bytes;
    io::Permits hold;
  };
  // By their first. None lies within another, so that of those that have a block the last one is found.
  using InMemoryBlocks = std::map<uint64_t, InMemory>;
  struct Found {
    uint64_t first = 0, end = 0;
    Bytes bytes;
  };
  static constexpr uint64_t kMaxHomelessChunks = 4;  // in memory because the local disk has no room, in bytes
  enum class Need : uint8_t { kToRead, kOnDisk };

  // ---- without a lock ----
  uint64_t offset_of(uint64_t block) const { return std::min(block * block_bytes_, bytes_); }
  uint64_t first_of(uint64_t chunk) const { return chunk * blocks_per_chunk_; }
  uint64_t end_of(uint64_t chunk) const;
  io::Task<void> run_fetch(FetchRef fetch, io::Gate::Entry entry);
  io::Task<Result<Bytes>> do_fetch(Fetch& fetch);
  // The part of it that chunks hold, and what came along; nullopt: all of it is on the local disk.
  io::Task<Result<std::optional<ChunkPart>>> fetch_base(const Fetch& fetch);
  // The fetch is of all that came, if those are whole blocks; else the rest is dropped.
  Bytes take_along(Fetch& fetch, ChunkPart part);
  // Whether an earlier life has left these blocks on the local disk: their chunk is looked at, once.
  io::Task<bool> are_left(const meta::Chunk& record, const Fetch& fetch);
  io::Task<void> look(const meta::Chunk& record);
  // Writes what was fetched to the backing; false: there is no room for it. Much goes past the page cache, to which the
  // kernel would copy it a second time, and is held until the reader has come to it.
  io::Task<bool> keep(Fetch& fetch);
  void finish_fetch(const FetchRef& fetch);
  // Some of the bytes at `offset`, at least one, to `target` or lent to stand at `place`; they lie in one chunk.
  struct Target {
    std::span<std::byte> room;
    size_t place = 0;
    io::LentBytes* lent = nullptr;
  };
  io::Task<Result<size_t>> read_some(uint64_t offset, Target target);
  io::Task<Result<size_t>> read_backing(uint64_t offset, std::span<std::byte> target);
  // Those from `next` on are begun meanwhile, and `next` is where to go on with that.
  io::Task<Result<void>> bring_to_disk(uint64_t chunk, uint64_t& next);

  // ---- under mutex_ ----
  bool has(uint64_t block, Need need) const;
  std::optional<Found> find_in_memory(uint64_t block) const;
  // Whether no other fetch concerns its chunk.
  bool is_alone(const Fetch& fetch) const;
  void remember(const FetchRef& fetch);
  // The oldest that nobody is about to read, else the oldest.
  InMemoryBlocks::iterator least_needed();
  void forget(InMemoryBlocks::iterator one);
  void forget_read();
  FetchRef find_fetch(uint64_t block) const;
  FetchRef begin(uint64_t first, uint64_t end, bool by_chunk);
  // Begins what is missing of a chunk, in one fetch; null: nothing, or all of it is on its way.
  FetchRef begin_chunk(uint64_t chunk, Need need);
  // Where blocks end that need not be fetched, beginning with `block`, at most at `end`.
  uint64_t end_of_present(uint64_t block, uint64_t end, Need need) const;
  // All that is to come along with these blocks.
  std::pair<uint64_t, uint64_t> with_nearby(uint64_t first, uint64_t end) const;
  // Begins what is missing of these blocks, in as many fetches as it takes.
  void begin_blocks(uint64_t first, uint64_t end);
  // Takes note of a read, and says what to do about it.
  ReadStreams::Advice note_read(uint64_t offset, uint64_t end);
  void begin_ahead(uint64_t end, uint64_t window);

  Hydrator& hydrator_;
  const InodeId inode_;
  const uint64_t bytes_;
  const data::ObjectRef backing_;
  const Options options_;
  const uint64_t block_bytes_;
  const uint64_t blocks_per_chunk_;
  const uint64_t chunk_count_;

  mutable std::mutex mutex_;  // guards what follows, up to the empty line
  BlockSet here_;
  std::vector<bool> known_;                                         // chunks, see invariant 2
  std::unordered_map<uint64_t, std::shared_ptr<io::Event>> looks_;  // by chunk: under way
  // By chunk: under way, or not yet written to the backing.
  std::unordered_map<uint64_t, std::vector<FetchRef>> fetches_;
  InMemoryBlocks in_memory_;              // fetched lately
  std::deque<uint64_t> in_memory_order_;  // their firsts, the oldest first; some may be gone
  uint64_t in_memory_bytes_ = 0;
  size_t held_ = 0;        // of them, that have a hold
  bool resident_ = false;  // or about to be
  bool no_room_ = false;   // for what came back last
  ReadStreams streams_;
  size_t ahead_ = 0;  // fetches by chunk under way

  std::atomic<size_t> writes_ = 0;  // to the backing, under way
  io::CancelToken stopping_;
  io::Gate gate_;
};

}  // namespace firn::tier
