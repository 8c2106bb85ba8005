// What the namespace knows of colder tiers: which files they lack something of, where each chunk is, which blobs there
// are. The engine that moves data (tier/) works on it; nothing here moves a byte.
#pragma once

#include <string>
#include <vector>

#include "io/task.h"
#include "meta/types.h"

namespace firn::meta {

inline constexpr size_t kBlobNameBytes = 16;

// A file of which colder tiers lack something, since when.
struct Pending {
  InodeId inode;
  uint64_t generation = 0;
  Timestamp since;
};

// A chunk as colder tiers have it: a frame of a blob (docs/formats/blob.md).
struct Chunk {
  ChunkIndex index;
  uint64_t version = 0;   // the file's generation when it was read
  uint32_t bytes = 0;     // of the chunk
  uint64_t checksum = 0;  // XXH3 of the chunk
  std::string blob;       // kBlobNameBytes
  uint64_t offset = 0;    // of the frame
  uint32_t frame_bytes = 0;
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

struct Blob {
  std::string name;
  uint64_t bytes = 0;
  uint64_t live_bytes = 0;  // of frames that chunks refer to
  uint32_t tiers = 0;       // a bit for each colder tier that has it
  Timestamp since;
};

// Chunks of one file that are in colder tiers now.
struct Upload {
  InodeId inode;
  uint64_t generation = 0;  // the file's, when the chunks were read
  std::vector<Chunk> chunks;
  // With these, colder tiers have all `chunk_count` chunks of a version of the file that has so many bytes.
  bool complete = false;
  uint64_t chunk_count = 0;
  uint64_t bytes = 0;
};

// Thread-safe. The order that keeps every acknowledged byte and forgets no object: announce_blob, sync the log, put the
// blob to the tiers, confirm_blob, commit_upload for its files. And for eviction: mark_evicted, sync the log, then
// empty the backing.
class Tiering {
 public:
  virtual ~Tiering() = default;

  // Up to `limit`, in order of inode numbers, above `after`.
  virtual io::Task<Result<std::vector<Pending>>> list_pending(InodeId after, size_t limit) = 0;
  // In order, from `first`.
  virtual io::Task<Result<std::vector<Chunk>>> list_chunks(InodeId inode, ChunkIndex first, size_t limit) = 0;

  // A blob of that name is about to be put: should it never be confirmed, the collector knows what to remove.
  virtual io::Task<Result<void>> announce_blob(std::string name, uint64_t bytes) = 0;
  // `tiers` have it now, too.
  virtual io::Task<Result<void>> confirm_blob(std::string name, uint32_t tiers) = 0;
  // Records where the chunks are; a complete upload ends the file's being pending. False: the file has changed since,
  // is open for writing, or is gone; of a changed file the chunks are recorded all the same, with their version. Of one
  // whose content has moved inline the records are removed instead.
  virtual io::Task<Result<bool>> commit_upload(const Upload& upload) = 0;

  virtual io::Task<Result<std::vector<Blob>>> list_blobs(std::string after, size_t limit) = 0;
  // kNotFound: no such blob.
  virtual io::Task<Result<Blob>> get_blob(std::string name) = 0;
  // Its objects are removed. kBusy: chunks refer to it.
  virtual io::Task<Result<void>> forget_blob(std::string name) = 0;

  // The backing is about to be emptied. kBusy: colder tiers lack something, or the file is open for writing.
  virtual io::Task<Result<Attr>> mark_evicted(InodeId inode) = 0;
  // The backing holds everything again, durably.
  virtual io::Task<Result<Attr>> mark_resident(InodeId inode) = 0;
};

}  // namespace firn::meta
