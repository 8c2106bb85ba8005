// What the namespace knows of colder tiers: which files they lack something of, where each chunk is, which blobs there
// are. The engine that moves data (tier/) works on it; nothing here moves a byte.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/task.h"
#include "meta/types.h"

namespace firn::meta {

inline constexpr size_t kBlobNameBytes = 16;
inline constexpr size_t kContentHashBytes = 32;

// A file of which colder tiers lack something, since when.
struct Pending {
  InodeId inode;
  uint64_t generation = 0;
  Timestamp since;
};

// Which chunk a frame was made of: what it is sealed as, and verified to be.
struct FrameOrigin {
  InodeId inode;
  ChunkIndex chunk;
  uint64_t version = 0;
  friend bool operator==(const FrameOrigin&, const FrameOrigin&) = default;
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
  std::string blocks;  // where the frame's blocks are, as tier/ encodes it; changes whenever the place does
  // Where the frame was made of another chunk, or version, that is equal. Absent: of this one.
  std::optional<FrameOrigin> origin;
  friend bool operator==(const Chunk&, const Chunk&) = default;
};

inline FrameOrigin origin_of(InodeId inode, const Chunk& chunk) {
  return chunk.origin.value_or(FrameOrigin{inode, chunk.index, chunk.version});
}

struct Blob {
  std::string name;
  uint64_t bytes = 0;
  uint64_t live_bytes = 0;  // of frames that chunks refer to
  uint32_t tiers = 0;       // a bit for each colder tier that has it
  uint32_t skip = 0;        // and for each that is not to have it: so says the policy of the files in it
  uint32_t left = 0;        // and for each that had it and made room: no upload brings it there again
  uint32_t leaving = 0;     // of these, those where its object may still be
  uint32_t unsound = 0;     // of `tiers`, those where it was damaged or gone when it was looked at last
  Timestamp since;
  // Retired then: no chunk referred to it, and none may from then on.
  std::optional<Timestamp> dead_since;
  // No tier had all of it when it was looked at: no chunk may come to refer to it.
  bool damaged = false;
  // Nothing refers to what is left of it, and nothing will: gc is about to take it away.
  bool is_given_up() const { return damaged && live_bytes == 0; }
};

// A blob and what chunk records say of it, as of one moment.
struct BlobCount {
  Blob blob;
  uint64_t references = 0;
  uint64_t referenced_bytes = 0;  // what live_bytes should be
  // Of these, by chunks with another origin: several may be of one frame. The others are each of a frame of their own.
  uint64_t shared_references = 0;
  uint64_t shared_bytes = 0;
};

struct FileChunk {
  InodeId inode;
  Chunk chunk;
};

// The same chunk in another place.
struct ChunkMove {
  Chunk from;
  Chunk to;
  std::string content;  // the hash of what it holds, by which it is found from then on; empty: it is not
};

inline constexpr uint64_t kMaxChunks = uint64_t{1} << 32;  // of one file: their keys have room for no more

// Chunks of one file that are in colder tiers now.
struct Upload {
  InodeId inode;
  uint64_t generation = 0;  // the file's, when the chunks were read
  std::vector<Chunk> chunks;
  // For each chunk the hash of what it holds, by which its frame is found from then on (find_content); an empty one: it
  // is not. None at all: no chunk is.
  std::vector<std::string> contents;
  // With these, colder tiers have all `chunk_count` chunks of a version of the file that has so many bytes.
  bool complete = false;
  uint64_t chunk_count = 0;
  uint64_t bytes = 0;
  // It was not open for writing when it was read. Where it has changed since, what was read is of no version that there
  // ever was, and does not replace one.
  bool at_rest = false;
  // Some tiers that it is to be in lack some of that version, which the last tier has: it stays pending.
  bool lagging = false;
  // Of a file that has changed since, nothing is recorded: uploads of one file may run side by side, and what an
  // earlier one has read must not replace what a later one has recorded.
  bool only_current = false;
};

// What fsync stores of a file where that is not worth an upload: whole blocks of it, over what the chunks hold. An
// upload of the whole file ends them.
inline constexpr uint64_t kJournalBlockBytes = 4096;
// Of one file; some more are possible.
inline constexpr uint32_t kMaxJournalBlocks = 512;

struct JournalBlock {
  uint64_t index = 0;
  std::string bytes;  // kJournalBlockBytes, fewer at the file's end
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

  // A blob of that name is about to be put to all tiers but `skip`: should it never be confirmed, the collector knows
  // what to remove.
  // Nor is it to go to those that made room before (`left`).
  virtual io::Task<Result<void>> announce_blob(std::string name, uint64_t bytes, uint32_t skip, uint32_t left) = 0;
  // `tiers` have it now, too. kStale: it was retired, or forgotten, since it was announced; it is on record as retired
  // (again), so that its objects are removed (again). Where a copy is distrusted it stays so until somebody has looked.
  virtual io::Task<Result<void>> confirm_blob(std::string name, uint32_t tiers) = 0;
  // A tier is to make room: from now on nobody looks for the blob in `tier` (a bit), where its object may be until
  // end_leaving(). All of `keepers` have it, and do not leave with it. kBusy: the tier does not have it, or one of
  // those does not, or its copy is distrusted; kStale: it is retired.
  virtual io::Task<Result<void>> begin_leaving(std::string name, uint32_t tier, uint32_t keepers) = 0;
  // The object is gone.
  virtual io::Task<Result<void>> end_leaving(std::string name, uint32_t tier) = 0;
  // What `tier` (a bit) has of it is damaged, or gone: for its sake the blob leaves no other tier. Nothing happens when
  // the tier need not have it. kNotFound: no such blob.
  virtual io::Task<Result<void>> distrust_copy(std::string name, uint32_t tier) = 0;
  // Undoes it: all of that copy was read, and is sound. It undoes distrust_blob() as well.
  virtual io::Task<Result<void>> trust_copy(std::string name, uint32_t tier) = 0;
  // Records where the chunks are; a complete upload ends the file's being pending. Of a version that was uploaded
  // wholly meanwhile nothing is recorded, and all is well. False: the file has changed since, is open for writing, or
  // is gone; of a changed file the chunks are recorded all the same, with their version. Of one whose content has moved
  // inline, or which has changed since no tier is to have it, the records are removed instead. kStale: one of the blobs
  // is retired, damaged or forgotten; kBusy: the file has changed and the upload is `only_current`, or complete and
  // `at_rest`; nothing was recorded.
  virtual io::Task<Result<bool>> commit_upload(const Upload& upload) = 0;

  // The blocks replace those that the journal has of the file; `update` is applied with them. What chunk records and
  // journal are together from now on is a whole version of the file of update.size bytes: the caller sees to it that it
  // is. kBusy: the content is inline, or evicted.
  virtual io::Task<Result<Attr>> commit_journal(InodeId inode, const std::vector<JournalBlock>& blocks,
                                                const ContentUpdate& update) = 0;
  // In order.
  virtual io::Task<Result<std::vector<JournalBlock>>> list_journal(InodeId inode) = 0;

  virtual io::Task<Result<std::vector<Blob>>> list_blobs(std::string after, size_t limit) = 0;
  // kNotFound: no such blob.
  virtual io::Task<Result<Blob>> get_blob(std::string name) = 0;
  // Its objects are removed. kBusy: chunks refer to it.
  virtual io::Task<Result<void>> forget_blob(std::string name) = 0;

  // Up to `limit` blobs above `after`, in order of names, and how much chunk records refer to them: one walk over all
  // chunks, in one snapshot. `go_on`, when there is one, is called now and then with the number of chunks seen; false
  // ends it with kInterrupted. kCorrupt: a chunk's record cannot be read, so that nothing can be said.
  virtual io::Task<Result<std::vector<BlobCount>>> count_blobs(std::string after, size_t limit,
                                                               std::function<bool(uint64_t chunks)> go_on) = 0;
  // From now on no chunk may come to refer to it: that a later count finds none proves that there will be none. False:
  // its counter says that chunks do.
  virtual io::Task<Result<bool>> retire_blob(std::string name) = 0;
  // Undoes it: a chunk refers to it after all.
  virtual io::Task<Result<void>> revive_blob(std::string name) = 0;
  // No tier has all of it: what has the content of one of its frames is not to rely on that, until a copy is found
  // sound (trust_copy). kNotFound: no such blob.
  virtual io::Task<Result<void>> distrust_blob(std::string name) = 0;
  // Corrects its counter by what a count found wrong.
  virtual io::Task<Result<void>> mend_blob(std::string name, int64_t missing_bytes) = 0;

  // Chunks of all files, in order, from (`inode`, `first`).
  virtual io::Task<Result<std::vector<FileChunk>>> list_all_chunks(InodeId inode, ChunkIndex first, size_t limit) = 0;
  // Each chunk whose record still is `from` is in `to` from now on; how many were. One transaction: not more than a few
  // hundred. kStale: a blob that they would go to is retired, damaged or forgotten; nothing was moved.
  virtual io::Task<Result<uint64_t>> move_chunks(InodeId inode, std::vector<ChunkMove> moves) = 0;
  // No tier has these chunks any more, but the backing has: their records go, where they still are these, and the file
  // is pending. How many went. kBusy: the file is evicted. One transaction, as above.
  virtual io::Task<Result<uint64_t>> lose_chunks(InodeId inode, std::vector<Chunk> chunks) = 0;

  // A frame that has the content of this hash (kContentHashBytes), with its origin, and without index and version; its
  // blob was neither retired nor damaged just now. nullopt: none is known. Whether it still is when a chunk comes to
  // refer to it, commit_upload() says.
  virtual io::Task<Result<std::optional<Chunk>>> find_content(std::string hash) = 0;
  // Of the hashes above `after` (empty: all), up to `limit` are looked at, and dropped where no frame can be found by
  // them any more. The last one that was looked at; empty: there are no more.
  virtual io::Task<Result<std::string>> drop_dead_contents(std::string after, size_t limit) = 0;

  // The backing is about to be emptied, also that of a file which is evicted already. kBusy: colder tiers lack
  // something, the file is open for writing, or its policy keeps it where it is. kCorrupt: of one of its blobs no tier
  // is known to have a sound copy. `access_level` is recorded with that (Content::access_level).
  virtual io::Task<Result<Attr>> mark_evicted(InodeId inode, int64_t access_level) = 0;
  io::Task<Result<Attr>> mark_evicted(InodeId inode) { return mark_evicted(inode, 0); }
  // The backing holds everything again, durably.
  virtual io::Task<Result<Attr>> mark_resident(InodeId inode) = 0;
};

}  // namespace firn::meta
