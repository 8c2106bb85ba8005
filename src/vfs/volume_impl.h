// The one implementation of Volume. Its methods are spread over files by subject: names.cc, attributes.cc, open.cc,
// close.cc, file_io.cc, resize.cc, durability.cc, directory.cc, recovery.cc.
#pragma once

#include <atomic>
#include <list>
#include <mutex>
#include <set>
#include <unordered_set>
#include <utility>

#include "io/cancel.h"
#include "io/sync.h"
#include "vfs/access_times.h"
#include "vfs/followed_files.h"
#include "vfs/frozen.h"
#include "vfs/handle.h"
#include "vfs/node.h"
#include "vfs/settling.h"
#include "vfs/size_predictor.h"
#include "vfs/volume.h"

namespace firn::vfs {

class VolumeImpl final : public Volume {
 public:
  explicit VolumeImpl(VolumeOptions options);

  io::Task<Result<Attr>> lookup(const Credentials& who, InodeId parent, std::string_view name) override;
  io::Task<Result<Attr>> make_node(const Credentials& who, InodeId parent, std::string_view name,
                                   const meta::NodeSpec& spec) override;
  io::Task<Result<Attr>> link(const Credentials& who, InodeId inode, InodeId parent, std::string_view name) override;
  io::Task<Result<void>> unlink(const Credentials& who, InodeId parent, std::string_view name,
                                const Attr* expected) override;
  io::Task<Result<void>> rmdir(const Credentials& who, InodeId parent, std::string_view name,
                               const Attr* expected) override;
  io::Task<Result<void>> rename(const Credentials& who, InodeId parent, std::string_view name, InodeId new_parent,
                                std::string_view new_name, meta::RenameOptions options) override;
  io::Task<Result<std::string>> readlink(InodeId inode) override;

  io::Task<Result<Attr>> getattr(InodeId inode) override;
  io::Task<Result<Attr>> setattr(const Credentials& who, InodeId inode, const Change& change, Handle* handle) override;
  io::Task<Result<void>> access(const Credentials& who, InodeId inode, int mask) override;
  io::Task<Result<std::string>> getxattr(const Credentials& who, InodeId inode, std::string_view name) override;
  io::Task<Result<void>> setxattr(const Credentials& who, InodeId inode, std::string_view name, std::string_view value,
                                  meta::XattrMode mode) override;
  io::Task<Result<std::vector<std::string>>> listxattr(const Credentials& who, InodeId inode) override;
  io::Task<Result<void>> removexattr(const Credentials& who, InodeId inode, std::string_view name) override;

  io::Task<Result<Opened>> open(const Credentials& who, InodeId inode, OpenOptions options) override;
  io::Task<Result<Opened>> create(const Credentials& who, InodeId parent, std::string_view name,
                                  const meta::NodeSpec& spec, OpenOptions options) override;
  io::Task<Result<Opened>> create_unnamed(const Credentials& who, InodeId parent, const meta::NodeSpec& spec,
                                          OpenOptions options) override;
  io::Task<Result<void>> release(Handle* handle) override;
  void release_later(Handle* handle) override;

  using Volume::read;
  io::Task<Result<size_t>> read(Handle* handle, uint64_t offset, std::span<std::byte> buffer,
                                io::LentBytes* lent) override;
  std::shared_ptr<io::File> backing(Handle* handle) override;
  io::Task<Result<size_t>> write(Handle* handle, uint64_t offset, std::span<const std::byte> data,
                                 WriteOptions options) override;
  io::Task<Result<void>> fsync(Handle* handle, bool data_only) override;
  io::Task<void> reserve(Handle* handle, uint64_t offset, uint64_t bytes) override;
  io::Task<void> start_writeback(Handle* handle, uint64_t offset, uint64_t bytes) override;
  io::Task<Result<void>> allocate(Handle* handle, io::Allocate mode, uint64_t offset, uint64_t bytes) override;
  io::Task<Result<uint64_t>> seek(Handle* handle, SeekWhat what, uint64_t offset) override;
  io::Task<Result<uint64_t>> copy_range(Handle* source, uint64_t source_offset, Handle* target, uint64_t target_offset,
                                        uint64_t bytes) override;

  io::Task<Result<DirHandle*>> open_directory(const Credentials& who, InodeId inode) override;
  void release_directory(DirHandle* handle) override;
  io::Task<Result<std::vector<Listed>>> list(DirHandle* handle, uint64_t cookie, size_t limit,
                                             bool attributes) override;
  io::Task<Result<std::vector<Listed>>> list_after(InodeId directory, std::string name, size_t limit) override;
  io::Task<Result<void>> fsync_directory(InodeId inode) override;

  io::Task<Result<void>> sync_all() override;
  io::Task<Result<StatFs>> statfs() override;
  VolumeStatistics statistics() const override;
  uint64_t writes_lost() const override { return writes_lost_.load(); }
  std::vector<InodeId> files_being_written() override;

  io::Task<Result<tier::UploadSummary>> flush_tiers(const FileSet* only, io::CancelToken* token) override;
  io::Task<Result<uint64_t>> evict(InodeId inode) override;
  io::Task<Result<uint64_t>> warm(InodeId inode, io::CancelToken* token) override;
  io::Task<Result<Residency>> residency(InodeId inode) override;
  io::Task<Result<uint32_t>> tiers_that_have(const Attr& attr, uint32_t tiers);
  const std::vector<std::string>& tier_names() const override;
  io::Task<Result<Attr>> set_policy(const Credentials& who, InodeId inode, meta::PolicyChange change) override;
  io::Task<Result<std::vector<PendingFile>>> list_pending(InodeId after, size_t limit) override;
  io::Task<Result<bool>> at_rest(InodeId inode, tier::AtRest then) override;
  TierStatistics tier_statistics() const override;

  void pin(InodeId inode) override { nodes_.pin(inode); }
  io::Task<void> unpin(InodeId inode, uint64_t count) override;

  void set_passthrough_registrar(std::function<int32_t(int fd)> open, std::function<void(int32_t id)> close) override;
  void add_observer(DoorId door, CacheObserver* observer) override;
  void remove_observer(DoorId door) override;
  io::Task<void> observers_know(DoorId door) override;

  io::Task<Result<void>> start() override;
  io::Task<Result<void>> stop() override;

 private:
  // ---- attributes.cc ----
  // Replaces what the record says of size and times by what the open object says.
  io::Task<void> overlay(Attr& attr);
  io::Task<void> reread(Attr& attr);
  // These three with Node::mutex held.
  io::Task<Result<Attr>> apply(const Credentials& who, Node& node, const Change& change, Handle* handle);
  io::Task<Result<Attr>> set_attributes(const Credentials& who, Node& node, meta::SetAttr change);
  // For who is told what was there before, and what is after, or makes it a condition: nobody writes in between.
  io::Task<Result<Attr>> apply_frozen(const Credentials& who, Node& node, Change change, Handle* handle);
  io::Task<void> forget_accesses(Node& node);
  void note_change(Node& node) { node.version = meta_.last_version(); }
  static constexpr std::string_view kTiersAttribute = "user.firn.tiers";
  io::Task<Result<std::string>> tiers_attribute(InodeId inode);
  static constexpr std::string_view kPolicyAttribute = "user.firn.policy";
  io::Task<Result<std::string>> policy_attribute(InodeId inode);
  io::Task<Result<void>> set_policy_attribute(const Credentials& who, InodeId inode, std::string_view text,
                                              meta::XattrMode mode);
  io::Task<Result<void>> note_xattr_change(const Credentials& who, InodeId inode, Result<void> result);

  // ---- names.cc ----
  io::Task<Result<void>> after_removal(const Credentials& who, const Attr& removed);
  // `attr`: what the name names, by its record.
  io::Task<Result<void>> unlink_held(const Credentials& who, InodeId parent, std::string_view name, Attr attr,
                                     const Attr* expected);
  // Keeps a version of a file as it is: nobody opens, closes or writes it. With Node::mutex held. kStale, kBusy:
  // Volume::unlink has them. `record` becomes what meta knows of it.
  io::Task<Result<Frozen>> freeze(Node& node, const Attr& expected, Attr* record);
  io::Task<Result<meta::Renamed>> rename_version(const Credentials& who, InodeId parent, std::string_view name,
                                                 InodeId new_parent, std::string_view new_name,
                                                 meta::RenameOptions options);
  void remove_later(const Attr& removed);
  io::Task<void> reclaim(NodeRef node);
  io::Task<Result<void>> flush_before_replacing(const Attr& moved);
  bool unsaved(InodeId inode);
  bool unobserved(DoorId door) const;
  // Whether a kernel behind the door may keep pages of what it opens. Such a door observes; of 0 nobody knows.
  bool keeps_pages(DoorId door);
  void count_observers();
  void notify_inode(uint32_t door, InodeId inode, bool data_too);
  void notify_entry(uint32_t door, InodeId parent, std::string_view name);

  // ---- open.cc ----
  struct Lent {
    data::ObjectRef object;
    meta::Content content;
  };
  io::Task<Result<Lent>> lend();
  io::Task<Result<void>> check_open(const Credentials& who, const Attr& attr, int flags);
  // With Node::mutex held. On success the handle takes `node`; else it stays the caller's, who is to let go of the
  // mutex.
  io::Task<Result<Opened>> open_locked(const Credentials& who, NodeRef& node, Attr attr, OpenOptions options);
  io::Task<Result<void>> ensure_writable(Node& node, Attr& attr, bool truncate, OpenOptions options);
  io::Task<Result<void>> lend_for(Node& node, Attr& attr, bool truncate);
  io::Task<Result<void>> make_live(Node& node, Attr& attr, bool truncate);
  io::Task<Result<void>> attach_settled(Node& node, const Attr& attr);
  void adopt_lent(Node& node, Lent lent, Timestamp base);
  // Whether what is opened with `options` had better be held in memory for now.
  bool prefers_memory(OpenOptions options, bool expects_small) const;
  bool expects_small(const Node& node, const Attr& attr) const;
  void hold_in_memory(Node& node, const Attr& attr, std::string content);
  io::Task<Result<void>> open_in_memory(Node& node, Attr& attr, bool truncate);
  // Moves what is held in memory to a scratch file, because it grows or a call needs a real one. Under Node::mutex.
  io::Task<Result<void>> spill(Node& node);
  Opened make_handle(NodeRef node, Attr attr, OpenOptions options, uint32_t door);
  int32_t passthrough_id(data::Object& object);
  OpenState& open_state(Node& node);
  void set_object(Node& node, data::ObjectRef object, bool lent, bool live);

  // ---- close.cc ----
  // The last close: content moves to where it belongs.
  enum class Closing : uint8_t { kWhenLetGo, kNow };
  io::Task<Result<void>> finish(Node& node, Closing closing = Closing::kWhenLetGo);
  // Whether the object must stay as it is because somebody still maps it; then it is tried again.
  bool lingers(Node& node, Closing closing);
  io::Task<void> retry_finish(InodeId inode);
  io::Task<void> finish_and_reclaim(NodeRef node);
  // Programs may have closed some of them already, which doors are told a moment later.
  io::Task<void> save_open_files();
  io::Task<Result<void>> finish_lent(Node& node, const io::FileStat& stat);
  io::Task<Result<void>> finish_settled(Node& node, const io::FileStat& stat);
  io::Task<Result<void>> settle(Node& node, const io::FileStat& stat);
  void mark_unsynced(InodeId inode);
  io::Task<void> discard_object(Node& node);
  io::Task<void> give_back(data::ObjectRef object);
  io::Task<void> recycle();
  // Removes the backings of reclaimed files, once the log that says so is on the disk.
  io::Task<void> remove_backings();
  void clear_object(Node& node);
  io::Task<Result<void>> finish_in_memory(Node& node, const io::FileStat& stat);
  static void add_times(const OpenState& open, const io::FileStat& stat, meta::ContentUpdate& update);
  // The object's size and times, as a change of what the record says.
  static meta::ContentUpdate changes_of(const OpenState& open, const io::FileStat& stat);
  // The record of an open file says what its object is now.
  io::Task<Result<void>> record_object(Node& node, const io::FileStat& stat);
  io::Task<Result<std::string>> read_whole(data::Object& object, uint64_t bytes);

  // ---- file_io.cc ----
  static data::ObjectRef object_of(Node& node);
  // Where it is.
  io::Task<Result<uint64_t>> store(Node& node, uint64_t offset, std::span<const std::byte> data, WriteOptions options);
  // The content has changed there; or in any way.
  void note_written(Node& node, uint64_t offset, uint64_t bytes);
  void note_rewritten(Node& node);
  void note_sent(Node& node);
  bool access_counts(const Attr& attr) const;
  void note_read(Node& node, const Attr& attr);
  io::Task<void> note_access(InodeId inode);
  // Saved with others, later.
  io::Task<void> note_access(InodeId inode, Timestamp time);

  // ---- resize.cc ----
  struct Resize {
    uint64_t size = 0;
    bool kill_set_ids = false;
    const meta::SetAttr* claim = nullptr;  // borrowed; made before bytes go, and nothing is changed where it fails
  };
  io::Task<Result<Attr>> resize(const Credentials& who, Node& node, Resize to);
  // The record after it; nullopt: nothing is to be claimed.
  io::Task<Result<std::optional<Attr>>> claim(const Credentials& who, Node& node, const Resize& to,
                                              meta::ContentUpdate& update);
  io::Task<Result<void>> cut(Node& node, io::File& file, const Resize& to, const std::optional<Attr>& claimed);
  io::Task<Result<Attr>> resize_in_memory(Node& node, uint64_t size, meta::ContentUpdate update);
  io::Task<Result<Attr>> resize_inline(const Credentials& who, Node& node, const Attr& attr, const Resize& to,
                                       meta::ContentUpdate update);
  // Record and object agree now.
  io::Task<Result<void>> rebase(Node& node);
  static void rebase_on(Node& node, const io::FileStat& stat);

  // ---- cold.cc ----
  // Of an evicted file, for readers. Under Node::mutex, as the next two.
  io::Task<Result<void>> attach_cold(Node& node, const Attr& attr);
  // Before an evicted file is changed: all of it comes back, and `attr` says so.
  io::Task<Result<void>> bring_back(Node& node, Attr& attr, io::CancelToken* token);
  // Before it is cut to nothing: nothing comes back.
  io::Task<Result<void>> forget_cold(Node& node, Attr& attr);
  io::Task<Result<data::ObjectRef>> backing_of_cold(Node& node, const Attr& attr);
  std::shared_ptr<tier::ColdFile> make_cold(const Attr& attr, data::ObjectRef object, tier::Journal journal);
  io::Task<void> drop_cold(Node& node);
  // Saves what is open, and uploads what is pending.
  io::Task<Result<tier::UploadSummary>> flush_saved(const FileSet* only, io::CancelToken* token);
  // For closes that are on their way to us, as far as that can be told: for a moment, where files are open for writing.
  io::Task<void> wait_for_closes(const FileSet* only, io::CancelToken* token);
  // As it was, after emptying it has failed.
  io::Task<Result<void>> reattach_cold(Node& node, const Attr& attr);
  // For one who reads what is closed and has not come back: returns when whoever closed it is done.
  io::Task<Result<void>> outlast(Node& node, std::shared_ptr<tier::ColdFile> closed);
  // With Node::mutex held.
  io::Task<Result<uint64_t>> evict_held(Node& node);
  // As evict(); kBusy where somebody is at the file.
  io::Task<Result<uint64_t>> try_evict(InodeId inode);
  static std::shared_ptr<tier::ColdFile> cold_of(Node& node);
  // Before an upload looks: what is closed is made durable, what is open is recorded as it is now.
  io::Task<void> record_for_upload();
  io::Task<void> record_open_files();
  void start_settling();
  // What files that are open for writing have on the local disk and their records do not say.
  io::Task<uint64_t> open_bytes();
  // The record of a file, which was `before`, says that its backing has so many bytes.
  void note_recorded(const Attr& before, uint64_t allocated_bytes);
  // Whether a file may have so many bytes at `offset`.
  Status check_size(uint64_t offset, uint64_t bytes) const;
  uint64_t most_bytes() const;  // of a file
  // For who is about to write so much: false: wait_for_room() says when he may, or that he may not.
  bool has_room_for(uint64_t bytes) { return !short_of_space() && (!settling_ || settling_->room().note(bytes)); }
  io::Task<Result<void>> wait_for_room(uint64_t bytes);
  // What is left of the disk is for who removes something.
  bool short_of_space() const { return options_.short_of_space && options_.short_of_space(); }

  // ---- object_durability.cc ----
  io::Task<Result<void>> make_durable_elsewhere(Node& node);
  io::Task<Result<void>> send(Node& node);
  // One of Node::senders, for as long as it lives: whoever goes through all open files leaves that one out, which is
  // being recorded anyway, and waits for no tier.
  class Sending {
   public:
    Sending(Node& node, bool elsewhere) : senders_(elsewhere ? &node.senders : nullptr) {
      if (senders_ != nullptr) senders_->fetch_add(1);
    }
    Sending(const Sending&) = delete;
    Sending& operator=(const Sending&) = delete;
    ~Sending() {
      if (senders_ != nullptr) senders_->fetch_sub(1);
    }

   private:
    std::atomic<uint32_t>* const senders_;
  };
  // Whether the object is the file's settled backing, and newer than the record.
  static bool is_being_written(const Node& node);
  io::Task<Result<void>> send_open(Node& node, const Attr& attr);
  io::Task<Result<void>> send_written(Node& node, const Attr& attr, const WrittenBlocks& unsent);
  io::Task<Result<void>> upload(Node& node);
  // Which blocks are to go into the journal; none: that will not do, it must be uploaded.
  std::set<uint64_t> blocks_to_journal(const Attr& attr, const WrittenBlocks& unsent, uint64_t bytes) const;
  io::Task<Result<void>> journal(Node& node, const Attr& before, const std::set<uint64_t>& blocks,
                                 const io::FileStat& stat);
  io::Task<Result<tier::Journal>> journal_of(const Attr& attr);
  // All files that are closed.
  io::Task<Result<void>> send_closed(io::CancelToken* token);
  io::Task<Result<void>> forget_never_sent(const Attr& attr);
  // On the way to the disk.
  bool durable_here() const { return !options_.durable_in_tiers; }

  // ---- following.cc ----
  std::function<io::Task<Result<void>>()> check_of_version(const Attr& attr);
  // What `node` is read from is the version that `attr` tells of. Under Node::mutex.
  io::Task<Result<void>> attach_newest(Node& node, const Attr& attr);
  static Result<std::shared_ptr<tier::ColdFile>> cold_of_opened(const Handle& handle);
  io::Task<Result<size_t>> read_followed(std::shared_ptr<tier::ColdFile> cold, uint64_t offset,
                                         std::span<std::byte> buffer, io::LentBytes* lent);
  io::Task<Result<void>> check_hole(const Attr& attr);
  bool seen_before(Node& node, const Attr& attr);
  io::Task<void> follow_loop();

  // ---- durability.cc ----
  io::Task<Result<void>> make_durable(Node& node, bool data_only);
  // The object that is open; under the node's mutex. A failure is remembered for every handle.
  io::Task<Result<void>> sync_object(Node& node, bool data_only);
  io::Task<Result<void>> sync_all_backings();
  // Inode 0: nobody knows which.
  void note_lost_writes(InodeId inode, const Status& why);
  // Saves what a lent object holds to where a power cut does not reach it, without waiting for the log.
  io::Task<Result<void>> checkpoint(Node& node);
  // For O_SYNC and O_DSYNC, whose writes the kernel makes durable in the backing without telling us.
  io::Task<Result<void>> settle_for_sync_writes(Node& node);
  io::Task<void> background();
  io::Task<void> tick();
  io::Task<void> look_at_disk();
  io::Task<void> checkpoint_open_files();
  // Syncs the backings of files that were closed since the last call, then takes them off the live list. Returns when
  // those are off it, too, that another call is at: an upload passes over what is live.
  io::Task<Result<void>> sync_closed_files();
  io::Task<Result<void>> sync_backings(const std::unordered_set<InodeId>& inodes);
  io::Task<Result<void>> end_live(InodeId inode);
  io::Task<void> sweep_orphans();
  std::vector<NodeRef> open_nodes();

  // ---- recovery.cc ----
  io::Task<Result<void>> recover();
  io::Task<Result<void>> recover_file(Attr attr);
  io::Task<Result<void>> recover_lent(Attr attr);
  io::Task<Result<void>> recover_settled(Attr attr);
  bool note_held(InodeId inode, bool held);
  // After a crash: a backing may have been cut or grown by a change whose record was lost.
  io::Task<Result<void>> check_against_backing(const Attr& attr);
  io::Task<Result<void>> start_data();

  const VolumeOptions options_;
  meta::Service& meta_;
  data::Store& data_;
  NodeTable nodes_;

  std::mutex open_nodes_mutex_;             // guards the set
  std::unordered_set<InodeId> open_nodes_;  // nodes with an object

  io::Mutex syncing_closed_;              // sync_closed_files() is at work; held across awaits
  std::mutex unsynced_mutex_;             // guards both sets
  std::unordered_set<InodeId> unsynced_;  // closed, settled, live: the backing's bytes may not be on the disk yet
  std::unordered_set<InodeId>
      held_elsewhere_;  // by whoever a session has cut off, and may go on writing: they stay live

  std::mutex removals_mutex_;        // guards the vector
  std::vector<BackingId> removals_;  // of files whose records are gone, but perhaps not yet on the disk

  mutable std::mutex doors_mutex_;  // guards the four below
  std::vector<std::pair<DoorId, CacheObserver*>> observers_;
  std::shared_ptr<const std::function<int32_t(int)>> register_passthrough_;
  std::atomic<bool> passthrough_ = false;
  static constexpr DoorId kManyObservers = ~DoorId{0};
  std::atomic<DoorId> observer_ =
      0;  // the only observer's door, 0 for none, or kManyObservers: spares changes the lock

  std::unique_ptr<Settling> settling_;       // null: no colder tiers
  std::unique_ptr<FollowedFiles> followed_;  // null: nobody else writes the volume
  SizePredictor sizes_;
  AccessTimes accesses_{meta_};
  // False while the disk is nearly full: a write that has no place must fail, not be accepted into memory.
  std::atomic<bool> disk_has_room_ = false;

  std::atomic<uint32_t> given_back_ = 0;
  std::atomic<uint64_t> writes_lost_ = 0;
  std::atomic<uint64_t> open_files_ = 0;
  std::atomic<uint64_t> passthrough_files_ = 0;
  std::atomic<uint64_t> orphans_waiting_ = 0;

  io::Gate gate_;
  io::CancelToken stopping_;
};

}  // namespace firn::vfs
