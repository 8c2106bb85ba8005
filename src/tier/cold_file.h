// ColdFile: a file whose backing has been emptied, while somebody reads it: what is read comes back, chunk by chunk.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "data/store.h"
#include "io/cancel.h"
#include "io/sync.h"
#include "tier/hydrator.h"

namespace firn::tier {

// Invariants:
//  1. A chunk is kHere only when the backing's bytes are the chunk's: they were written by this object after they were
//     verified, or their checksum was found to be the record's.
//  2. There is at most one fetch of a chunk at a time; whoever wants the chunk waits for it.
//  3. The record says "evicted" until make_resident(): after a crash nothing that this object did counts.
// Thread-safe. The file must not be written, resized or evicted meanwhile. close() must have returned before it is
// destroyed, and nothing be running.
class ColdFile {
 public:
  struct Options {
    uint64_t chunk_bytes = 4 << 20;         // the volume's
    uint64_t readahead_bytes = 64 << 20;    // how far sequential reading looks ahead, at most
    size_t chunks_in_flight = 8;            // fetched ahead at once
    std::function<bool()> may_keep;         // whether the local disk has room for what comes back; empty: it has
    std::function<void(uint64_t)> arrived;  // so many bytes came back; may be empty
  };

  ColdFile(Hydrator& hydrator, InodeId inode, uint64_t bytes, data::ObjectRef backing, Options options);
  ~ColdFile();

  // As io::File::read. What has no room on the local disk is served all the same.
  io::Task<Result<size_t>> read(uint64_t offset, std::span<std::byte> buffer);
  // Everything onto the local disk, durably, and the record says so. On failure the file stays evicted, with what has
  // come back. `token` may be null.
  io::Task<Result<void>> make_resident(io::CancelToken* token);
  // Whether every chunk is on the local disk.
  bool complete() const;
  // Ends what is fetched ahead.
  io::Task<void> close();

 private:
  enum class State : uint8_t { kUnknown, kAway, kHere };
  using Bytes = std::shared_ptr<const std::string>;
  struct Fetch {
    io::Event done;
    Result<void> result;
    Bytes bytes;        // null: they were on the local disk already
    io::Event kept;     // later: there was an attempt to write them to the local disk
    bool here = false;  // it succeeded
  };

  size_t bytes_of(uint64_t index) const;
  // Null: read it from the backing.
  io::Task<Result<Bytes>> chunk(uint64_t index);
  // Starts the fetch where there is none; null when the chunk is here. Under mutex_.
  std::shared_ptr<Fetch> begin_fetch(uint64_t index);
  io::Task<void> run_fetch(uint64_t index, std::shared_ptr<Fetch> fetch, io::Gate::Entry entry);
  io::Task<Result<Bytes>> do_fetch(uint64_t index, bool look_first);
  io::Task<Result<bool>> is_on_disk(const meta::Chunk& record);
  // Writes what was fetched to the backing; false: there is no room for it.
  io::Task<bool> keep(uint64_t index, Bytes bytes);
  void finish_fetch(uint64_t index, bool here);
  void look_ahead(uint64_t offset, uint64_t end);

  Hydrator& hydrator_;
  const InodeId inode_;
  const uint64_t bytes_;
  const data::ObjectRef backing_;
  const Options options_;

  mutable std::mutex mutex_;  // guards the next seven
  std::vector<State> states_;
  size_t here_ = 0;
  std::unordered_map<uint64_t, std::shared_ptr<Fetch>> fetches_;  // under way, or not yet written to the backing
  std::deque<std::pair<uint64_t, Bytes>> homeless_;               // fetched lately, without a place on the local disk
  uint64_t next_offset_ = 0;                                      // where sequential reading goes on
  uint64_t window_ = 0;                                           // chunks to look ahead
  size_t ahead_ = 0;                                              // fetches under way

  io::CancelToken stopping_;
  io::Gate gate_;
};

}  // namespace firn::tier
