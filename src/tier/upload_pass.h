// One pass of the uploader: files are read and packed one after another, full blobs are put side by side.
#pragma once

#include <memory>
#include <unordered_set>

#include "io/sync.h"
#include "tier/blob/writer.h"
#include "tier/journal.h"
#include "tier/uploader.h"

namespace firn::tier {

class UploadPass {
 public:
  UploadPass(const Uploader::Parts& parts, const UploadOptions& options, Uploader::Memory& memory,
             io::CancelToken* token)
      : parts_(parts), options_(options), token_(token), memory_(memory), in_flight_(options.blobs_in_flight) {}

  io::Task<Result<UploadSummary>> run();
  // Just this file, open for writing or not. Leaves `memory` as it is, but for its atomics.
  io::Task<Result<UploadSummary>> run_for(InodeId inode);

 private:
  struct File {
    InodeId inode;
    uint64_t generation = 0;
    uint64_t chunk_count = 0;
    uint64_t bytes = 0;
    // Colder tiers have a version of it already: the new one replaces it as a whole, when all of it is there.
    bool replaces = false;
    std::vector<meta::Chunk> chunks;  // of that; those that are sent
    bool read = false;                // every chunk is on its way, or need not go
    bool failed = false;              // something of it did not arrive everywhere
    bool outdated = false;            // it has changed, and only_current says that it is not recorded
  };
  // Chunks of a file in one blob.
  struct Part {
    size_t file;
    std::vector<meta::Chunk> chunks;
  };
  struct Packing {
    BlobWriter writer;
    std::vector<Part> parts;
  };

  io::Task<Result<std::vector<meta::Pending>>> list();
  io::Task<Result<void>> add_file(InodeId inode);
  io::Task<Result<void>> add_settled(const meta::Attr& attr);
  io::Task<Result<void>> add_evicted(const meta::Attr& attr);
  // Chunks of a file that has no backing, with what the journal lays over them.
  io::Task<Result<void>> add_folded(size_t file, uint64_t bytes, const Journal& journal,
                                    const std::vector<ChunkIndex>& chunks);
  void forget_old_live_files();
  // Whether a file that is open for writing is to be uploaded as it is now.
  bool live_is_due(InodeId inode);
  io::Task<Result<void>> add_all(size_t file, io::Task<Result<void>> adding);
  io::Task<Result<void>> add_chunks(size_t file, uint64_t bytes, BackingId backing);
  io::Task<Result<void>> add_chunk(size_t file, ChunkIndex index, std::string bytes);
  io::Task<void> send();
  io::Task<void> put_blob(std::unique_ptr<Packing> packing, io::Gate::Entry entry);
  io::Task<Result<void>> put_to_tiers(Packing& packing);
  // Puts the blob to those of `tiers` that are within reach: those that have it now.
  io::Task<uint32_t> put_to(uint32_t tiers, std::string name, object::Content content);
  // Blobs that a tier missed while it was away are copied to it.
  io::Task<Result<void>> catch_up();
  io::Task<bool> copy_blob(meta::Blob blob);
  io::Task<Result<void>> record(const Packing& packing);
  // False: as Tiering::commit_upload(), or nothing was recorded and `file` is out of date.
  io::Task<Result<bool>> commit(File& file, meta::Upload upload);
  io::Task<Result<void>> finish();
  void note_failure(const Status& failure);
  bool cancelled() const { return token_ != nullptr && token_->cancelled(); }

  const Uploader::Parts& parts_;
  const UploadOptions& options_;
  io::CancelToken* const token_;
  Uploader::Memory& memory_;
  io::Semaphore in_flight_;
  io::Gate gate_;
  uint32_t out_of_reach_ = 0;                // tiers that did not answer: not asked again in this pass
  std::unordered_set<std::string> lagging_;  // blobs that some tier lacks
  std::vector<File> files_;
  std::unique_ptr<Packing> packing_;
  UploadSummary summary_;
};

}  // namespace firn::tier
