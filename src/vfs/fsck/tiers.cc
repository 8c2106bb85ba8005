// The records of colder tiers against each other, and against the inodes.
#include <algorithm>

#include "base/hex.h"
#include "base/time.h"
#include "meta/keys.h"
#include "meta/tiering_records.h"
#include "vfs/fsck/census.h"
#include "vfs/fsck/walk.h"

namespace firn::vfs::internal {
namespace {

using meta::Prefix;

constexpr std::string_view kCounterHead = "blob";

std::string number(uint64_t value) { return std::to_string(value); }

Fix pending_fix(InodeId inode, uint64_t generation) {
  return {meta::pending_key(inode).str(), meta::encode_pending({inode, generation, system_clock().now()})};
}

struct PendingVisitor {
  Census& census;
  void operator()(const kv::Pair& pair) const {
    const Result<InodeId> id = meta::inode_of_key(pair.key);
    if (!id || pair.key.size() != meta::kKeyHeadBytes)
      return census.report({}, "a key of the list of what to upload is malformed", {{pair.key, std::nullopt}});
    InodeFacts* facts = census.find(*id);
    if (!facts || (!facts->undecodable && facts->type != meta::FileType::kRegular))
      return census.report(*id, "is on the list of what to upload but is no file", {{pair.key, std::nullopt}});
    facts->pending_record = true;
    if (const auto pending = meta::decode_pending(*id, pair.value); !pending && !facts->undecodable)
      census.report(*id, pending.error().message(), {pending_fix(*id, facts->content.generation)});
  }
};

struct BlobVisitor {
  Census& census;
  void operator()(const kv::Pair& pair) const {
    const std::string name = pair.key.substr(1);
    const Result<meta::Blob> blob = meta::decode_blob(name, pair.value);
    BlobFacts& facts = census.blobs[name];
    facts.recorded = true;
    if (!blob) return census.report({}, "blob " + to_hex(name) + ": " + blob.error().message());
    facts.bytes = blob->bytes;
    facts.tiers = blob->tiers;
  }
};

// Of the counters, those of blobs.
struct CounterVisitor {
  Census& census;
  void operator()(const kv::Pair& pair) const {
    const std::string_view name = std::string_view(pair.key).substr(1);
    if (!name.starts_with(kCounterHead) || name.size() != kCounterHead.size() + meta::kBlobNameBytes) return;
    const std::string blob(name.substr(kCounterHead.size()));
    const auto found = census.blobs.find(blob);
    if (found == census.blobs.end())
      return census.report({}, "a counter belongs to blob " + to_hex(blob) + ", which is not on record",
                           {{pair.key, std::nullopt}});
    found->second.counted = true;
    const Result<uint64_t> value = meta::decode_counter(pair.value);
    found->second.counter = value.value_or(0);
    if (!value)
      census.report({}, "the counter of blob " + to_hex(blob) + " is malformed", {{pair.key, meta::encode_counter(0)}});
  }
};

// Entries of blobs that are gone are hints that nobody follows: the collector drops them.
struct ContentVisitor {
  Census& census;
  void operator()(const kv::Pair& pair) const {
    const Result<meta::Chunk> frame = meta::decode_content(pair.value);
    if (pair.key.size() != 1 + meta::kContentHashBytes || !frame)
      return census.report({}, "a record of the index of contents is malformed", {{pair.key, std::nullopt}});
    const auto blob = census.blobs.find(frame->blob);
    if (blob == census.blobs.end() || blob->second.bytes == 0) return;
    if (frame->offset + frame->frame_bytes > blob->second.bytes)
      census.report({}, "the index of contents names a frame beyond the end of blob " + to_hex(frame->blob),
                    {{pair.key, std::nullopt}});
  }
};

struct ChunkVisitor {
  Census& census;
  void operator()(const kv::Pair& pair) const {
    ++census.chunks;
    const Result<InodeId> id = meta::inode_of_key(pair.key);
    const Result<ChunkIndex> index = meta::chunk_of_key(pair.key);
    if (!id || !index)
      return census.report({}, "a key of the table of chunks is malformed", {{pair.key, std::nullopt}});
    const Result<meta::Chunk> chunk = meta::decode_chunk(*index, pair.value);
    BlobFacts* blob = chunk ? find_blob(chunk->blob) : nullptr;
    if (blob) {
      ++blob->references;
      blob->referenced_bytes += chunk->frame_bytes;
    }
    std::vector<Fix> erasure{{pair.key, std::nullopt}};
    if (blob) erasure.push_back({meta::blob_live_key(chunk->blob).str(), std::nullopt, -int64_t{chunk->frame_bytes}});
    InodeFacts* facts = census.find(*id);
    if (facts && facts->undecodable) return;
    const std::string name = "chunk " + number(index->value);
    if (!facts || facts->type != meta::FileType::kRegular)
      return census.report(*id, "has a record of " + name + " in colder tiers but is no file", std::move(erasure));
    if (!facts->content.settled) {
      if (!facts->pending_record)
        census.report(*id, "has a record of " + name + " in colder tiers although its content is inline",
                      std::move(erasure));
      return;
    }
    if (facts->uploaded() && facts->nlink > 0 && index->value * census.chunk_bytes >= facts->size)
      return census.report(*id, "has a record of " + name + ", which is beyond its end", std::move(erasure));
    const std::string wrong = chunk ? what_is_wrong(*facts, *chunk, blob) : "cannot be decoded";
    if (wrong.empty()) {
      if (facts->uploaded()) ++facts->chunks_in_place;
      return;
    }
    report_wrong(*id, *facts, name + " in colder tiers " + wrong, std::move(erasure));
  }

  BlobFacts* find_blob(const std::string& name) const {
    const auto found = census.blobs.find(name);
    return found == census.blobs.end() ? nullptr : &found->second;
  }

  std::string what_is_wrong(const InodeFacts& facts, const meta::Chunk& chunk, const BlobFacts* blob) const {
    if (!blob) return "is in blob " + to_hex(chunk.blob) + ", which is not on record";
    if (blob->bytes > 0 && chunk.offset + chunk.frame_bytes > blob->bytes)
      return "is beyond the end of blob " + to_hex(chunk.blob);
    if (chunk.bytes > census.chunk_bytes) return "is larger than a chunk";
    const uint64_t offset = chunk.index.value * census.chunk_bytes;
    if (facts.uploaded() && facts.nlink > 0 && chunk.bytes != std::min(census.chunk_bytes, facts.size - offset))
      return "has " + number(chunk.bytes) + " bytes, which does not fit its file";
    return "";
  }

  // What the local disk has is uploaded again; of an evicted file the record is all that there is.
  void report_wrong(InodeId id, InodeFacts& facts, std::string what, std::vector<Fix> erasure) const {
    if (facts.content.evicted) return census.report(id, "its " + what + ": the content is not on the local disk");
    census.report(id, "its " + what, std::move(erasure));
    facts.requeue = true;
    ++facts.chunks_in_place;  // one finding is enough
  }
};

void check_file(Census& census, InodeId id, InodeFacts& facts) {
  const meta::Content& content = facts.content;
  if (content.uploaded_generation > content.generation) {
    census.report(id, "says that more of it was uploaded than there ever was");
    census.findings.back().problem.repairable = !content.evicted;
    facts.requeue = !content.evicted;
    return;
  }
  if (content.journal_blocks > 0 && facts.journal_found == 0)
    census.report(id, "the journal of what fsync stored of it is missing");
  const bool lacking = content.generation != content.uploaded_generation;
  if (content.settled && lacking && !facts.pending_record && !facts.is_local())
    census.report(id, "is not on the list of what to upload although colder tiers lack something of it",
                  {pending_fix(id, content.generation)});
  if (!lacking && facts.pending_record && !facts.requeue)
    census.report(id, "is on the list of what to upload although colder tiers have all of it",
                  {{meta::pending_key(id).str(), std::nullopt}});
  // Of what a restore brought back and has no backing, some may be what was uploaded last, or lost. What another policy
  // made pending is what was uploaded.
  if (content.evicted && content.backing && (content.live || content.uploaded_size != facts.size))
    census.report(id, "its content is said to be in colder tiers only, which do not have all of it");
  if (!facts.uploaded()) return;
  const uint64_t needed = (facts.size + census.chunk_bytes - 1) / census.chunk_bytes;
  if (facts.chunks_in_place == needed) return;
  census.report(id, "has " + number(facts.chunks_in_place) + " of its " + number(needed) +
                        " chunks on record in colder tiers, which are said to have all of it");
  census.findings.back().problem.repairable = !content.evicted;
  facts.requeue |= !content.evicted;
}

void check_blob(Census& census, const std::string& name, const BlobFacts& blob) {
  if (blob.counter != blob.referenced_bytes)
    census.report(
        {},
        "blob " + to_hex(name) + " counts " + number(blob.counter) + " bytes that chunks refer to, but it is " +
            number(blob.referenced_bytes),
        {{meta::blob_live_key(name).str(), std::nullopt, static_cast<int64_t>(blob.referenced_bytes - blob.counter)}});
  if (blob.references > 0 && blob.tiers == 0)
    census.report({}, "blob " + to_hex(name) + " holds chunks of files, but no tier ever had it");
}

}  // namespace

io::Task<Result<void>> take_tier_census(kv::Engine& engine, const FsckOptions& options, Census& census) {
  PendingVisitor pending{census};
  CO_TRY(co_await for_each(engine, Prefix::kPending, options, "files to upload", pending));
  BlobVisitor blobs{census};
  CO_TRY(co_await for_each(engine, Prefix::kBlob, options, "blobs", blobs));
  CounterVisitor counters{census};
  CO_TRY(co_await for_each(engine, Prefix::kCounter, options, "blobs", counters));
  ContentVisitor contents{census};
  CO_TRY(co_await for_each(engine, Prefix::kContent, options, "contents", contents));
  ChunkVisitor chunks{census};
  co_return co_await for_each(engine, Prefix::kChunk, options, "chunks", chunks);
}

void check_tiers(Census& census) {
  for (auto& [id, facts] : census.inodes)
    if (!facts.undecodable && facts.type == meta::FileType::kRegular && facts.nlink > 0) check_file(census, id, facts);
  for (const auto& [name, blob] : census.blobs) check_blob(census, name, blob);
}

}  // namespace firn::vfs::internal
