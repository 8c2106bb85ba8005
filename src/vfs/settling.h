// Settling: what happens to files by itself in a volume with colder tiers. They are uploaded, and when the local disk
// fills, those that are used least are evicted.
#pragma once

#include <array>
#include <atomic>
#include <mutex>

#include "data/store.h"
#include "io/alarm.h"
#include "io/sync.h"
#include "meta/service.h"
#include "vfs/access_counts.h"
#include "vfs/local_use.h"
#include "vfs/room.h"
#include "vfs/tiers.h"
#include "vfs/upload_throttle.h"

namespace firn::vfs {

// Thread-safe. What it refers to must outlive it; its loops must have ended before it is destroyed.
class Settling {
 public:
  struct Parts {
    const TierParts& tiers;
    meta::Service& meta;
    data::Store& data;
    Clock& clock;
    // Evicts a file that nobody has open: how many bytes of the local disk it freed. kBusy: not now. Does not wait for
    // who is at the file, and may be waiting for room. Empty: nothing may be evicted.
    std::function<io::Task<Result<uint64_t>>(InodeId)> evict;
    // Before an upload looks at the records: what is open and changed is written to them.
    std::function<io::Task<void>()> before_upload;
    // Bytes on the local disk that nobody has noted yet: of files that are open for writing.
    std::function<io::Task<uint64_t>()> open_bytes;
  };
  explicit Settling(Parts parts)
      : parts_(std::move(parts)), options_(parts_.tiers.options), throttle_(options_.busy_bytes_per_s) {}

  // So much was closed, and waits for an upload to begin.
  void note_closed(uint64_t bytes) {
    closed_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    ever_closed_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  // So much more, or less, of the file is on the local disk.
  void note_hot(InodeId inode, int64_t bytes) {
    local_.note_whole(inode, bytes);
    if (bytes > 0) (void)room_.note(static_cast<uint64_t>(bytes));
  }
  // A file has left it. Whoever waits for room is told at once.
  void note_evicted(InodeId inode, uint64_t bytes) {
    note_hot(inode, -static_cast<int64_t>(bytes));
    if (room_.state() != RoomState::kFree) room_alarm_.ring();
  }
  void set_hot(uint64_t bytes) { local_.set_whole(bytes); }
  void note_hydrated(uint64_t bytes) { hydrated_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  // So much of an evicted file came, and goes to its backing if it may.
  void note_returned(BackingId backing, uint64_t bytes);
  // Nobody reads it any more: what came back may go again.
  io::Task<void> close_part(BackingId backing);
  // All of it has come back, and the record says so.
  void note_whole(InodeId inode, BackingId backing, uint64_t bytes);
  // It is empty again, or removed.
  void note_emptied(BackingId backing);
  LocalUse& local() { return local_; }
  // How often files were opened: of what is read the most, the last goes.
  AccessCounts& accesses() { return accesses_; }
  // What writers are to ask.
  Room& room() { return room_; }
  // Whether what comes back may stay on the local disk.
  bool may_keep(BackingId backing) const;

  // Before a file of so many bytes comes back, and others go for it. kNoSpace: it would not fit if all others went.
  io::Task<Result<void>> could_hold(uint64_t bytes);
  // Returns when there is room for so much more of a file of which all is wanted. kNoSpace: nothing can be evicted.
  io::Task<Result<void>> make_room(uint64_t bytes, io::CancelToken* token);

  // Until `token` is cancelled.
  io::Task<void> upload_loop(io::CancelToken* token);
  io::Task<void> evict_loop(io::CancelToken* token);
  // Brings to tiers that are late what they lack, beside uploads and beside one another.
  io::Task<void> catch_up_loop(io::CancelToken* token);
  // Counts what came back of evicted files and is not known, as after a start: no record says it.
  io::Task<void> count_parts(io::CancelToken* token);

  // Uploads one file as it is now. As Uploader::upload().
  io::Task<Result<void>> upload(InodeId inode, io::CancelToken* token);
  // Uploads what is pending now, one pass after another, until nothing is or nothing more can be: a tier that is away
  // keeps nothing from the others, and what is written meanwhile does not keep it. `only`: no other files; null: all.
  io::Task<Result<tier::UploadSummary>> flush(const FileSet* only, io::CancelToken* token);

  TierStatistics statistics() const;

 private:
  enum class Round : uint8_t { kGoesOn, kBegins };
  io::Task<Result<tier::UploadSummary>> pass(Round round, tier::UploadLimits limits, io::CancelToken* token);
  Status permitted() const { return parts_.tiers.permitted ? parts_.tiers.permitted() : Status(); }
  io::Task<void> catch_up(size_t tier, io::CancelToken* token, io::Gate::Entry);
  // Until late tiers have what they lack now; fails when one of them did.
  io::Task<Result<void>> caught_up(io::CancelToken* token);
  io::Task<void> look_at_pending();
  // Where something was closed since; upload_loop's.
  io::Task<void> look_at_pending_again();
  void note(const tier::UploadSummary& summary);
  struct Use {
    HotUse evicting;  // what eviction goes by,
    HotUse writing;   // and what writers do
  };
  io::Task<Use> use();
  // Something is uploaded, or soon will be.
  bool uploads() const { return busy_ || closed_bytes_ > 0; }
  uint64_t to_free(const HotUse& use) const;
  HotUse use_of_setting(uint64_t used) const;
  static HotUse use_of_disk(const io::DiskUsage& disk);
  uint64_t metadata_bytes() const { return parts_.tiers.metadata_bytes ? parts_.tiers.metadata_bytes() : 0; }
  // A look at the local disk; evicts what it must.
  io::Task<void> look(io::CancelToken* token);
  void tell_room(const Room::Seen& seen);
  io::Task<void> look_at_writers();
  // ---- settling_evict.cc ----
  struct Candidate;
  double score_of(const meta::Attr& attr) const;
  // Of the files that may go, but for those that were `refused`, those to go first that make up so many bytes.
  io::Task<std::vector<Candidate>> find_lowest(uint64_t bytes, const FileSet& refused, io::CancelToken* token);
  // False: nothing could go.
  io::Task<bool> free_some(uint64_t bytes, io::CancelToken* token);

  const Parts parts_;
  const TierOptions options_;
  AccessCounts accesses_;
  io::Mutex uploading_;    // one pass at a time; held across awaits
  bool in_round_ = false;  // the last pass has left files to the next; under uploading_
  std::atomic<bool> busy_ = false;
  std::atomic<uint64_t> closed_bytes_ = 0, ever_closed_bytes_ = 0, hydrated_bytes_ = 0;
  LocalUse local_;
  std::atomic<uint64_t> hot_limit_ = 0;
  std::atomic<bool> has_room_ = true;
  std::atomic<uint64_t> most_open_parts_ = ~uint64_t{0};
  std::atomic<bool> more_can_go_ = false;  // since nothing could, something has become evictable
  uint64_t counted_at_bytes_ = 0;          // ever_closed_bytes_ when pending files were counted; upload_loop's
  int64_t no_count_before_ns_ = 0;         // likewise
  bool stuck_ = false;                     // nothing could be evicted at the last attempt; evict_loop's
  int64_t no_attempt_before_ns_ = 0;       // likewise
  Room room_;
  io::Alarm room_alarm_;  // rung for a look at the disk
  std::atomic<uint64_t> looks_begun_ = 0, looks_ended_ = 0;
  UploadThrottle throttle_;
  bool needs_room_ = false;  // above the high watermark; evict_loop's

  std::array<std::atomic<bool>, tier::kMaxTiers> catching_up_{};
  std::atomic<bool> catch_up_ended_ = false;  // catch_up_loop has

  mutable std::mutex mutex_;  // guards what follows
  TierStatistics told_;       // by statistics()
  uint64_t catch_ups_failed_ = 0;
  Status catch_up_failure_;  // of the last one
};

}  // namespace firn::vfs
