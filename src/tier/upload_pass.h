// One pass of the uploader: files are read and packed one after another, full blobs are put side by side.
#pragma once

#include <array>
#include <bit>
#include <deque>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "io/sync.h"
#include "tier/blob/writer.h"
#include "tier/content_index.h"
#include "tier/journal.h"
#include "tier/pace.h"
#include "tier/upload_file.h"
#include "tier/uploader.h"

namespace firn::tier {

class UploadPass {
 public:
  UploadPass(const Uploader::Parts& parts, const UploadOptions& options, Uploader::Memory& memory, Hydrator& hydrator,
             io::CancelToken* token)
      : parts_(parts),
        options_(options),
        token_(token),
        memory_(memory),
        hydrator_(hydrator),
        hasher_(options.dedup ? std::optional<ContentHasher>(options.key) : std::nullopt),
        in_flight_(options.blobs_in_flight) {}

  // As Uploader::pass() has it. Before run().
  void keep_to(UploadLimits limits) { limits_ = std::move(limits); }
  io::Task<Result<UploadSummary>> run();
  // Just this file, open for writing or not, perhaps beside a pass: of `memory` only what is thread-safe is used.
  io::Task<Result<UploadSummary>> run_for(InodeId inode);

 private:
  using Records = UploadRecords;
  using File = UploadFile;
  // Chunks of a file in one blob.
  struct Part {
    size_t file;
    Records records;
  };
  struct Packing {
    BlobWriter writer;
    uint32_t skip;                  // as all of its files
    BlobsUnderWay::Hold held = {};  // until its chunks are recorded
    std::vector<Part> parts = {};
    uint64_t bytes = 0;    // of its chunks
    uint32_t lacking = 0;  // where some tiers have it: those that do not
    // Whether a part begins with it.
    bool add(size_t file, meta::Chunk chunk, std::string content);
  };
  struct Outgoing {
    uint32_t tiers = 0;  // that are to get it
    std::string name;
    object::Content content;
    bool is_elsewhere = false;  // another tier has it already
  };
  // Whether the tiers that are to have a chunk have it.
  enum class Reach : uint8_t {
    kAll,
    kAway,       // one that its blob should be in lacks it, and is away
    kLagging,    // one lacks it for another reason
    kElsewhere,  // its blob does not go to all of them: the files that it was made of were kept out of some
  };

  // ---- upload_round.cc: list() and end_pass() ----
  io::Task<Result<std::vector<InodeId>>> list();
  // What is left for the next pass.
  io::Task<void> end_pass();
  io::Task<Result<void>> add_file(InodeId inode);
  io::Task<Result<void>> add_settled(const meta::Attr& attr);
  // Of a chunk that need not be sent for its content: what is missing is copied, where that is possible.
  io::Task<Result<Reach>> bring_to(size_t file, std::string blob);
  void note_reach(size_t file, Reach reach);
  void forget_old_live_files();
  // Whether nothing can be done for what has this content of a file.
  bool waits(InodeId inode, uint64_t generation);
  // Whether a file that is open for writing is to be uploaded as it is now.
  bool live_is_due(InodeId inode);
  io::Task<Result<void>> add_all(size_t file, io::Task<Result<void>> adding);
  // Of a file that needs no reading.
  io::Task<Result<void>> add_read(File file);
  io::Task<Result<void>> add_chunks(size_t file, BackingId backing);
  // Waits until so much more may be read.
  io::Task<Result<void>> spend(uint64_t bytes);
  io::Task<Result<void>> add_chunk(size_t file, ChunkIndex index, std::string bytes);
  void pack(Packing& packing, size_t file, meta::Chunk chunk, std::string content);

  // ---- upload_shared.cc ----
  // Whether a frame that is there, or on its way there, has what the chunk holds: then the chunk is to be recorded in
  // it. The references must outlive the task.
  io::Task<Result<bool>> share(size_t file, ChunkIndex index, const std::string& content, std::string_view bytes);
  io::Task<Result<bool>> share_stored(size_t file, meta::Chunk chunk, const std::string& content);
  // Until the file's records are committed, or given up.
  void hold(File& file, const std::string& blob);
  io::Task<Result<void>> record_some(size_t file);
  void note_frame(const std::string& content, InodeId inode, meta::Chunk chunk);

  // ---- upload_changes.cc ----
  // Whether it is uploaded as it is while it is read: it is open for writing, or changes during each upload.
  bool is_taken_as_it_is(const meta::Attr& attr) const;
  // Whether there is no use in reading on.
  io::Task<Result<bool>> has_changed(const File& file);
  Status expect_room_for_another(File& file);
  io::Task<Result<void>> expect_all_there(size_t file, io::File& backing);
  void note_outdated(const File& file);
  void note_current(const File& file);

  // ---- upload_turns.cc ----
  // How far it has come, where a pass has begun with what it is now; and where this pass is to leave it.
  void go_on(File& file);
  // It is open for writing, and being taken as it is.
  bool goes_on_live(InodeId inode) const;
  bool may_leave_another(bool replacing) const;
  // All that was read of it in this turn has arrived, or failed.
  void end_turn(File& file);
  // What was begun, and is not to be uploaded any more.
  io::Task<void> forget_ended();

  // ---- upload_evicted.cc ----
  io::Task<Result<void>> add_evicted(const meta::Attr& attr);
  // Whether the records are those of all of the file. The references must outlive the task.
  io::Task<Result<bool>> all_recorded(const meta::Attr& attr, const Journal& journal);
  io::Task<Result<void>> add_evicted_chunks(size_t file, const Journal& journal);
  io::Task<Result<void>> add_folded(size_t file, ChunkIndex index, const Journal& journal);

  io::Task<void> send();
  // ---- upload_put.cc: put_to_tiers() to copy_blob() ----
  io::Task<void> put_blob(std::unique_ptr<Packing> packing, io::Gate::Entry entry);
  io::Task<Result<void>> put_to_tiers(Packing& packing);
  // Puts the blob to those of its tiers that are within reach: those that have it now.
  io::Task<uint32_t> put_to(Outgoing blob);
  std::vector<size_t> asked_for(uint32_t tiers) const;
  io::Task<Result<void>> try_failing(size_t tier, std::string key);
  io::Task<uint32_t> within_reach(uint32_t tiers, std::string key);
  // What these tiers missed while they were away is copied to them: to which of them.
  io::Task<uint32_t> copy_blob(meta::Blob blob, uint32_t lacking);
  io::Task<Result<void>> record(const Packing& packing);
  // False: as Tiering::commit_upload(), or nothing was recorded and `file` is outdated.
  io::Task<Result<bool>> commit(File& file, meta::Upload upload);
  // All of a version is there; `lagging` as meta::Upload has it.
  io::Task<Result<bool>> commit_whole(File& file, bool lagging);
  // One of those that are outstanding is done. With the last one the file is: it does not wait for others of the pass.
  io::Task<Result<void>> count_down(File& file);
  io::Task<Result<void>> finish(File& file);
  void forget_waiting(const File& file);
  // Of a file that some tiers lack something of: the version that the last tier has whole is what a restore is to give.
  io::Task<Result<void>> finish_failed(File& file);
  // The tier did not answer: it is not asked again in this round.
  void give_up(size_t tier, Status failure);
  // It moves, but the others have waited for it long enough: Uploader::catch_up() is for what it lacks.
  void note_late(size_t tier);
  void leave_to_late(uint32_t lacking, const std::string& blob);
  void note_failure(const Status& failure);
  void note_refusal(const Status& why);
  void note_refused(const File& file, const Status& why);
  void note_handled(uint64_t bytes) { memory_.handled_bytes.fetch_add(bytes, std::memory_order_relaxed); }
  bool cancelled() const { return token_ != nullptr && token_->cancelled(); }
  bool nobody_answers() const { return std::popcount(out_of_reach_) == static_cast<int>(parts_.tiers.size()); }

  const Uploader::Parts& parts_;
  const UploadOptions& options_;
  io::CancelToken* const token_;
  Uploader::Memory& memory_;
  Hydrator& hydrator_;
  const std::optional<ContentHasher> hasher_;  // none: chunks are not shared
  bool beside_ = false;                        // this is no pass: what passes leave for one another is not touched
  UploadLimits limits_;
  Pace pace_{0};
  io::Semaphore in_flight_;
  io::Gate gate_;
  uint32_t in_reach_ = 0;                            // tiers that have answered when they were asked whether they do
  std::array<io::CancelToken, kMaxTiers> given_up_;  // in this pass: who is at one of them ends
  uint32_t out_of_reach_ = 0;                        // tiers that did not answer: not asked again in this round; and
  uint32_t late_ = 0;                                // of these, those that answer, but late
  std::unordered_set<std::string> uncopied_;  // blobs that could not be brought to where they lack: nor tried again
  UploadRound::Place last_;                   // of what this pass is to deal with
  std::deque<File> files_;                    // put_blob() holds references while it grows
  std::unique_ptr<Packing> packing_;
  std::unordered_map<std::string, Packing*> underway_;  // by name: blobs that are being filled, or put
  FramesOfPass frames_;
  size_t turns_ = 0, replacing_turns_ = 0;  // files that this pass is to leave before their ends, and which replace
  Result<void> finished_;  // fails when some file could not be finished, for the metadata cannot be written
  UploadSummary summary_;
};

}  // namespace firn::tier
