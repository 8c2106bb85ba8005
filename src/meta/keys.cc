#include "meta/keys.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace firn::meta {

static_assert(std::endian::native == std::endian::little, "the counters' encoding assumes it");

Key::Key(Prefix prefix, InodeId inode, std::string_view name) : size_(kKeyHeadBytes) {
  bytes_[0] = static_cast<char>(prefix);
  const uint64_t number = __builtin_bswap64(inode.value);
  std::memcpy(&bytes_[1], &number, sizeof number);
  append(name);
}

Key::Key(Prefix prefix, std::string_view name) : Key(prefix) { append(name); }

void Key::append(std::string_view name) {
  CHECK(size_ + name.size() <= bytes_.size());
  std::copy(name.begin(), name.end(), bytes_.begin() + size_);
  size_ += name.size();
}

namespace {

// Big-endian, so that chunks are in order.
std::string chunk_name(ChunkIndex chunk) {
  std::string name;
  append_be(name, static_cast<uint32_t>(chunk.value));
  return name;
}

}  // namespace

Key chunk_key(InodeId inode, ChunkIndex chunk) { return {Prefix::kChunk, inode, chunk_name(chunk)}; }

Key journal_key(InodeId inode, uint64_t block) {
  std::string name;
  append_be(name, block);
  return {Prefix::kJournal, inode, name};
}

kv::Range journal_of(InodeId inode) {
  const Key prefix(Prefix::kJournal, inode);
  return {prefix.str(), kv::prefix_end(prefix)};
}

Key event_key(uint64_t sequence) { return {Prefix::kEvent, InodeId(sequence)}; }

kv::Range events_between(uint64_t first, uint64_t end) { return {event_key(first).str(), event_key(end).str()}; }

kv::Range events_before(uint64_t end) { return {Key(Prefix::kEvent).str(), event_key(end).str()}; }

kv::Range all_events() { return {Key(Prefix::kEvent).str(), kv::prefix_end(Key(Prefix::kEvent))}; }

Result<uint64_t> sequence_of_event_key(std::string_view key) {
  if (key.size() != kKeyHeadBytes) return fail(Code::kCorrupt, "an event's key has another length");
  return load_be<uint64_t>(key.data() + 1);
}

Result<uint64_t> block_of_journal_key(std::string_view key) {
  if (key.size() != kKeyHeadBytes + sizeof(uint64_t)) return fail(Code::kCorrupt, "a journal's key has another length");
  return load_be<uint64_t>(key.data() + kKeyHeadBytes);
}

Key blob_live_key(std::string_view name) { return {Prefix::kCounter, "blob" + std::string(name)}; }

kv::Range chunks_from(InodeId inode, ChunkIndex first) {
  return {chunk_key(inode, first).str(), kv::prefix_end(Key(Prefix::kChunk, inode))};
}

kv::Range all_chunks_from(InodeId inode, ChunkIndex first) {
  return {chunk_key(inode, first).str(), kv::prefix_end(Key(Prefix::kChunk))};
}

Result<ChunkIndex> chunk_of_key(std::string_view key) {
  if (key.size() != kKeyHeadBytes + sizeof(uint32_t)) return fail(Code::kCorrupt, "a chunk's key has another length");
  return ChunkIndex(load_be<uint32_t>(key.data() + kKeyHeadBytes));
}

kv::Range names_after(Prefix prefix, InodeId inode, std::string_view after) {
  std::string begin = Key(prefix, inode, after).str();
  if (!after.empty()) begin.push_back('\0');
  return {std::move(begin), kv::prefix_end(Key(prefix, inode))};
}

kv::Range inodes_after(Prefix prefix, InodeId after) {
  std::string begin = Key(prefix, after).str();
  begin.push_back('\0');
  return {std::move(begin), kv::prefix_end(Key(prefix))};
}

Result<InodeId> inode_of_key(std::string_view key) {
  if (key.size() < kKeyHeadBytes) return fail(Code::kCorrupt, "metadata key is too short");
  uint64_t number;
  std::memcpy(&number, key.data() + 1, sizeof number);
  return InodeId(__builtin_bswap64(number));
}

Result<std::string_view> name_of_key(std::string_view key) {
  if (key.size() <= kKeyHeadBytes) return fail(Code::kCorrupt, "metadata key has no name");
  return key.substr(kKeyHeadBytes);
}

std::string encode_counter(uint64_t value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

Result<uint64_t> decode_counter(std::string_view bytes) {
  uint64_t value;
  if (bytes.size() != sizeof value) return fail(Code::kCorrupt, "counter is not 8 bytes long");
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace firn::meta
