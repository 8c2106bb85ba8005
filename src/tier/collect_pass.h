// One pass of the collector: counts, judges each blob, removes what may go, repacks what is mostly dead.
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>

#include "io/sync.h"
#include "tier/blob/frame.h"
#include "tier/collector.h"
#include "tier/hydrator.h"
#include "tier/repacker.h"

namespace firn::tier {

class CollectPass {
 public:
  CollectPass(const Collector::Parts& parts, const CollectOptions& options, io::CancelToken* token);

  io::Task<Result<CollectSummary>> run();

 private:
  // A frame of a blob, and the chunks that refer to it: at least one.
  using LiveFrame = std::vector<meta::FileChunk>;
  // By their offsets; and those of several blobs, by name.
  using LiveFrames = std::map<uint64_t, LiveFrame>;
  using FramesOfBlobs = std::map<std::string, LiveFrames, std::less<>>;

  io::Task<Result<std::vector<meta::BlobCount>>> count(std::string after);
  // Judges, and removes what may go.
  io::Task<Result<void>> collect(const std::string& after, const std::vector<meta::BlobCount>& counts);
  io::Task<Result<void>> judge(meta::BlobCount count);
  io::Task<Result<void>> judge_dead(meta::Blob blob);
  // Whether its counter is what was counted, by now.
  io::Task<Result<bool>> check_counter(const meta::BlobCount& count);
  bool is_past(Timestamp then, int64_t ns) const;
  bool is_due(const meta::Blob& blob) const;
  bool is_candidate(const meta::BlobCount& count) const;
  // Of those that were retired in this pass and need not wait: which have no reference, for sure.
  io::Task<Result<void>> prove_retired(const std::string& after);

  io::Task<Result<void>> remove_due();
  io::Task<void> remove(meta::Blob blob, io::Gate::Entry entry);
  io::Task<Result<void>> remove_objects(const meta::Blob& blob);

  // What the index of contents says of blobs that are gone.
  io::Task<Result<void>> drop_contents();

  io::Task<Result<void>> repack_candidates();
  // From `begin`, as many candidates as one walk over the chunk records is for: the end of those.
  size_t group_of(size_t begin) const;
  io::Task<Result<FramesOfBlobs>> live_frames(std::span<const meta::BlobCount> candidates);
  // False: so much has been repacked that it has to wait.
  io::Task<bool> repack_candidate(const meta::Blob& blob, LiveFrames frames);
  io::Task<Result<void>> repack(const meta::Blob& blob, std::vector<LiveFrame> frames);
  // From `begin`, as many as are worth one request: the end of those, and of their bytes.
  static std::pair<size_t, uint64_t> run_of(std::span<const LiveFrame> frames, size_t begin);
  // From the nearest tier that answers; empty: none does.
  io::Task<std::string> read_run(const meta::Blob& blob, Extent place);
  // The reference must outlive the task.
  io::Task<Result<void>> get_run(std::string& run, size_t tier, std::string key, Extent place, io::CancelToken* token);
  io::Task<Result<void>> repack_run(const meta::Blob& blob, std::span<const LiveFrame> frames, uint64_t end_offset);

  void note_failure(Status failure);
  void progress(std::string_view what, uint64_t done) const {
    if (options_.progress) options_.progress(what, done);
  }
  bool cancelled() const { return token_ != nullptr && token_->cancelled(); }

  const Collector::Parts& parts_;
  const CollectOptions& options_;
  io::CancelToken* const token_;
  const Timestamp now_;
  Hydrator hydrator_;
  Repacker repacker_;
  io::Semaphore removing_;
  std::vector<meta::Blob> due_;
  std::vector<meta::Blob> retired_;  // in this pass, and due at once
  std::vector<meta::BlobCount> candidates_;
  uint64_t repacked_bytes_ = 0;  // of live frames
  CollectSummary summary_;
};

}  // namespace firn::tier
