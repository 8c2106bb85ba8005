#include <string>
#include <unordered_set>

#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/ops/chunks.h"
#include "meta/tiering_records.h"

namespace firn::meta {

namespace {

io::Task<Result<void>> expect_sound(Mutation& m, const std::string& name) {
  // No inode's lock keeps the scrubber off: this read must conflict, whoever owns the engine.
  const auto stored = CO_TRY(co_await m.transaction().get(blob_key(name), kv::Isolation::kSerializable));
  if (!stored) co_return fail(Code::kCorrupt, "colder tiers have lost parts of the file: the local copy is the last");
  const Blob blob = CO_TRY(decode_blob(name, *stored));
  if (blob.damaged || (blob.tiers & ~blob.unsound) == 0)
    co_return fail(Code::kCorrupt,
                   "no colder tier is known to have all of the file undamaged: the local copy may be the last");
  co_return Result<void>();
}

// kCorrupt unless some tier has each of the file's blobs with nothing known against it. That stays so until the commit,
// or it conflicts.
io::Task<Result<void>> expect_sound_copies(Mutation& m, InodeId id) {
  std::unordered_set<std::string> seen;  // chunks of a file mostly share blobs
  kv::Range rest = chunks_from(id, ChunkIndex());
  for (bool last = false; !last;) {
    const auto pairs = CO_TRY(co_await m.transaction().scan(rest, kChunksPerTransaction, m.isolation()));
    last = pairs.size() < kChunksPerTransaction;
    for (const kv::Pair& pair : pairs) {
      const Chunk chunk = CO_TRY(decode_chunk(ChunkIndex(), pair.value));
      if (seen.insert(chunk.blob).second) CO_TRY(co_await expect_sound(m, chunk.blob));
    }
    if (!last) rest.begin = std::string(pairs.back().key) + '\0';
  }
  co_return Result<void>();
}

io::Task<Result<Attr>> attempt(Mutation& m, InodeId id, bool evicted, int64_t access_level) {
  co_await m.lock({id});
  Inode* inode = CO_TRY(co_await m.inode(id));
  Content& content = inode->attr.content;
  const bool uploaded = content.settled && content.generation > 0 && content.uploaded_generation == content.generation;
  if (evicted && (!uploaded || content.live || inode->attr.policy.stays_hot())) co_return fail(Code::kBusy);
  if (evicted) CO_TRY(co_await expect_sound_copies(m, id));
  if (content.evicted == evicted) co_return inode->attr;
  content.evicted = evicted;
  if (evicted) content.access_level = access_level;
  m.update(inode);
  CO_TRY(co_await m.commit());
  co_return inode->attr;
}

}  // namespace

io::Task<Result<Attr>> LocalService::mark_evicted(InodeId inode, int64_t access_level) {
  return mutate(*core_, [inode, access_level](Mutation& m) { return attempt(m, inode, true, access_level); });
}

io::Task<Result<Attr>> LocalService::mark_resident(InodeId inode) {
  return mutate(*core_, [inode](Mutation& m) { return attempt(m, inode, false, 0); });
}

}  // namespace firn::meta
