// Keys of the metadata store: one prefix byte, big-endian numbers, then a name (docs/formats/metadata.md).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "kv/kv.h"

namespace firn::meta {

// The first byte of a key. Never reused for something else.
enum class Prefix : char {
  kVolume = 'V',
  kInode = 'I',
  kDirent = 'D',
  kXattr = 'X',
  kInline = 'N',
  kOrphan = 'O',
  kLive = 'L',
  kCounter = 'S',
  kChunk = 'C',
  kPending = 'P',
  kBlob = 'B',
  kJournal = 'J',
  kContent = 'H',
  kEvent = 'E',
};

inline constexpr size_t kKeyHeadBytes = 1 + sizeof(uint64_t);

// A key on the stack. `name` parts longer than 255 bytes never get here (callers answer kNameTooLong first).
class Key {
 public:
  explicit Key(Prefix prefix) : size_(1) { bytes_[0] = static_cast<char>(prefix); }
  Key(Prefix prefix, InodeId inode, std::string_view name = {});
  Key(Prefix prefix, std::string_view name);

  operator std::string_view() const { return {bytes_.data(), size_}; }
  std::string str() const { return std::string(std::string_view(*this)); }

 private:
  void append(std::string_view name);

  std::array<char, kKeyHeadBytes + 255> bytes_;
  size_t size_;
};

inline Key volume_key() { return Key(Prefix::kVolume); }
inline Key inode_key(InodeId inode) { return {Prefix::kInode, inode}; }
inline Key dirent_key(InodeId parent, std::string_view name) { return {Prefix::kDirent, parent, name}; }
inline Key xattr_key(InodeId inode, std::string_view name) { return {Prefix::kXattr, inode, name}; }
inline Key inline_key(InodeId inode) { return {Prefix::kInline, inode}; }
inline Key orphan_key(InodeId inode) { return {Prefix::kOrphan, inode}; }
inline Key live_key(InodeId inode) { return {Prefix::kLive, inode}; }
inline Key pending_key(InodeId inode) { return {Prefix::kPending, inode}; }
Key chunk_key(InodeId inode, ChunkIndex chunk);
Key journal_key(InodeId inode, uint64_t block);
// A blob's record, and the counter of its bytes that chunks refer to.
inline Key blob_key(std::string_view name) { return {Prefix::kBlob, name}; }
Key blob_live_key(std::string_view name);
inline Key content_key(std::string_view hash) { return {Prefix::kContent, hash}; }
Key event_key(uint64_t sequence);
inline Key counter_key(std::string_view name) { return {Prefix::kCounter, name}; }
inline Key event_log_key() { return counter_key("event_log"); }

// Counters (64-bit little-endian), the session record, and the record of the log of events.
inline constexpr std::string_view kNextInodeCounter = "next_inode";
inline constexpr std::string_view kInodesCounter = "inodes";
inline constexpr std::string_view kBytesCounter = "bytes";
// Settled files that the local disk keeps: pinned ones, and those that skip every colder tier.
inline constexpr std::string_view kPinnedFilesCounter = "pinned_files";
inline constexpr std::string_view kPinnedBytesCounter = "pinned_bytes";
inline constexpr std::string_view kLocalFilesCounter = "local_files";
inline constexpr std::string_view kLocalBytesCounter = "local_bytes";
inline constexpr std::string_view kSessionName = "session";

// Keys with this prefix and inode whose name is greater than `after` (empty: all of them).
kv::Range names_after(Prefix prefix, InodeId inode, std::string_view after);
// Keys with this prefix whose inode number is greater than `after`.
kv::Range inodes_after(Prefix prefix, InodeId after);
// The chunks of a file from `first` on, and those of all files from there on.
kv::Range chunks_from(InodeId inode, ChunkIndex first);
kv::Range all_chunks_from(InodeId inode, ChunkIndex first);

// The journal of a file.
kv::Range journal_of(InodeId inode);

// Events from `first` on, before `end`; all before `end`; all.
kv::Range events_between(uint64_t first, uint64_t end);
kv::Range events_before(uint64_t end);
kv::Range all_events();

// The parts of a stored key; kCorrupt when it is too short.
Result<InodeId> inode_of_key(std::string_view key);
Result<std::string_view> name_of_key(std::string_view key);
Result<ChunkIndex> chunk_of_key(std::string_view key);
Result<uint64_t> sequence_of_event_key(std::string_view key);
Result<uint64_t> block_of_journal_key(std::string_view key);

std::string encode_counter(uint64_t value);
Result<uint64_t> decode_counter(std::string_view bytes);

}  // namespace firn::meta
