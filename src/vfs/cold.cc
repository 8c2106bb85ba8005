// Files whose bytes are in colder tiers only, and their way there and back.
#include <bit>

#include "base/failpoint.h"
#include "vfs/policy.h"
#include "vfs/volume_impl.h"

namespace firn::vfs {

void VolumeImpl::start_settling() {
  if (followed_)
    io::detach(
        [](VolumeImpl* self, io::Gate::Entry) -> io::Task<void> { co_await self->follow_loop(); }(this, gate_.enter()));
  if (!settling_ || followed_) return;
  // Where nothing may be evicted, it says what may stay.
  io::detach([](VolumeImpl* self, io::Gate::Entry) -> io::Task<void> {
    co_await self->settling_->evict_loop(&self->stopping_);
  }(this, gate_.enter()));
  io::detach([](VolumeImpl* self, io::Gate::Entry) -> io::Task<void> {
    co_await self->settling_->count_parts(&self->stopping_);
  }(this, gate_.enter()));
  if (options_.read_only) return;
  io::detach([](VolumeImpl* self, io::Gate::Entry) -> io::Task<void> {
    co_await self->settling_->upload_loop(&self->stopping_);
  }(this, gate_.enter()));
  io::detach([](VolumeImpl* self, io::Gate::Entry) -> io::Task<void> {
    co_await self->settling_->catch_up_loop(&self->stopping_);
  }(this, gate_.enter()));
}

std::shared_ptr<tier::ColdFile> VolumeImpl::cold_of(Node& node) {
  std::lock_guard lock(node.state_mutex);
  return node.open ? node.open->cold : nullptr;
}

std::shared_ptr<tier::ColdFile> VolumeImpl::make_cold(const Attr& attr, data::ObjectRef object, tier::Journal journal) {
  const TierOptions& tiers = options_.tiers->options;
  const BackingId backing = object->id();
  if (!followed_) settling_->local().open_part(object);
  return std::make_shared<tier::ColdFile>(
      options_.tiers->hydrator, attr.inode, attr.size, std::move(object),
      tier::ColdFile::Options{.chunk_bytes = tiers.chunk_bytes,
                              .block_bytes = tiers.block_bytes,
                              .nearby_bytes = tiers.nearby_bytes,
                              .readahead_bytes = tiers.readahead_bytes,
                              .chunks_in_flight = tiers.chunks_in_flight,
                              .journal = std::move(journal),
                              .still_so = followed_ ? check_of_version(attr) : nullptr,
                              .may_keep = [this, backing] { return settling_->may_keep(backing); },
                              .make_room = [this](uint64_t bytes) { return settling_->make_room(bytes, &stopping_); },
                              .arrived =
                                  [this, backing](uint64_t bytes) {
                                    settling_->note_returned(backing, bytes);
                                    if (followed_) followed_->note_arrived(bytes);
                                  }});
}

// What came back with the metadata from a bucket has none yet.
io::Task<Result<data::ObjectRef>> VolumeImpl::backing_of_cold(Node& node, const Attr& attr) {
  if (followed_) co_return co_await followed_->backing_of(attr);
  if (attr.content.backing) co_return co_await data_.open(attr.content.backing);
  data::ObjectRef object = CO_TRY(co_await data_.lend(true));
  CO_TRY(co_await data_.settle(object));
  failpoint("hydrate.after_backing");
  meta::ContentUpdate update;
  update.content = attr.content;
  update.content->backing = object->id();
  CO_TRY(co_await meta_.update_content(node.inode, update));
  note_change(node);
  co_return object;
}

io::Task<Result<void>> VolumeImpl::attach_cold(Node& node, const Attr& attr) {
  if (!settling_) co_return fail(Code::kIo, "the file is in colder tiers, of which this volume has none any more");
  data::ObjectRef object = CO_TRY(co_await backing_of_cold(node, attr));
  tier::Journal journal = CO_TRY(co_await journal_of(attr));
  std::shared_ptr<tier::ColdFile> cold = make_cold(attr, object, std::move(journal));
  OpenState& open = open_state(node);
  {
    // Never the one without the other: what the backing lacks reads as zeros.
    std::lock_guard lock(node.state_mutex);
    open.object = std::move(object);
    open.cold = std::move(cold);
    open.cold_version = attr.content.uploaded_version;
    open.lent = open.live = false;
  }
  co_return co_await rebase(node);
}

io::Task<Result<void>> VolumeImpl::reattach_cold(Node& node, const Attr& attr) {
  co_await settling_->close_part(node.open->object->id());
  co_return co_await attach_cold(node, attr);
}

io::Task<Result<void>> VolumeImpl::outlast(Node& node, std::shared_ptr<tier::ColdFile> closed) {
  auto lock = co_await node.mutex.lock();
  if (cold_of(node) != closed) co_return Result<void>();
  const Attr attr = CO_TRY(co_await meta_.getattr(node.inode));
  if (attr.content.evicted) co_return co_await reattach_cold(node, attr);
  co_await drop_cold(node);
  co_return Result<void>();
}

io::Task<void> VolumeImpl::drop_cold(Node& node) {
  const std::shared_ptr<tier::ColdFile> cold = cold_of(node);
  if (!cold) co_return;
  co_await cold->close();
  co_await settling_->close_part(node.open->object->id());
  std::lock_guard lock(node.state_mutex);
  node.open->cold.reset();
}

io::Task<Result<void>> VolumeImpl::bring_back(Node& node, Attr& attr, io::CancelToken* token) {
  if (!settling_) co_return fail(Code::kIo, "the file is in colder tiers, of which this volume has none any more");
  std::shared_ptr<tier::ColdFile> cold = cold_of(node);
  if (cold && cold->closed() && !cold->complete()) {
    CO_TRY(co_await reattach_cold(node, attr));
    cold = cold_of(node);
  }
  if (!cold || !cold->complete()) CO_TRY(co_await settling_->could_hold(attr.size));
  const bool own = cold == nullptr;
  data::ObjectRef object = own ? CO_TRY(co_await backing_of_cold(node, attr)) : node.open->object;
  const BackingId backing = object->id();
  if (own) {
    tier::Journal journal = CO_TRY(co_await journal_of(attr));
    cold = make_cold(attr, std::move(object), std::move(journal));
  }
  settling_->local().want_whole(backing, true);
  Result<void> back = co_await cold->make_resident(token);
  settling_->local().want_whole(backing, false);
  if (own) {
    co_await cold->close();
    co_await settling_->close_part(backing);
  }
  CO_TRY(std::move(back));
  failpoint("bring_back.after_resident");
  co_await drop_cold(node);
  if (node.open && node.open->object) CO_TRY(co_await rebase(node));
  settling_->note_whole(node.inode, backing, attr.allocated_bytes);
  attr = CO_TRY(co_await meta_.getattr(node.inode));
  co_return Result<void>();
}

// The backing first, and on the disk: it holds nothing that counts. The record then says that this is the content. Who
// reads meanwhile finds what was open closed, and waits (outlast): before it is emptied the backing is holes.
io::Task<Result<void>> VolumeImpl::forget_cold(Node& node, Attr& attr) {
  if (const std::shared_ptr<tier::ColdFile> cold = cold_of(node)) co_await cold->abandon();
  if (options_.tiers) (void)options_.tiers->hydrator.returned().take(node.inode);
  const data::ObjectRef object = CO_TRY(co_await backing_of_cold(node, attr));
  CO_TRY(co_await object->file().truncate(0));
  if (durable_here()) CO_TRY(co_await object->file().sync(false));
  note_rewritten(node);
  failpoint("forget.after_empty");
  meta::ContentUpdate update;
  update.content = attr.content;
  update.content->backing = object->id();
  update.content->evicted = false;
  update.content->live = true;
  update.size = 0;
  update.allocated_bytes = 0;
  update.mtime = options_.clock.now();
  update.ctime = update.mtime;
  attr = CO_TRY(co_await meta_.update_content(node.inode, update));
  co_await drop_cold(node);
  if (settling_) settling_->note_emptied(object->id());
  failpoint("forget.after_record");
  mark_unsynced(node.inode);
  co_return Result<void>();
}

io::Task<Result<uint64_t>> VolumeImpl::evict(InodeId inode) {
  if (!settling_) co_return fail(Code::kNotSupported, "the volume has no colder tiers");
  const NodeRef node = nodes_.acquire(inode);
  auto lock = co_await node->mutex.lock();
  co_return co_await evict_held(*node);
}

io::Task<Result<uint64_t>> VolumeImpl::try_evict(InodeId inode) {
  const NodeRef node = nodes_.acquire(inode);
  const auto lock = node->mutex.try_lock();
  if (!lock) co_return fail(Code::kBusy, "somebody is at the file");
  co_return co_await evict_held(*node);
}

io::Task<Result<uint64_t>> VolumeImpl::evict_held(Node& node) {
  const InodeId inode = node.inode;
  const Attr attr = CO_TRY(co_await meta_.getattr(inode));
  if (attr.type != meta::FileType::kRegular || !attr.content.backing) co_return uint64_t{0};
  if (!attr.content.settled && !node.open) co_return uint64_t{0};
  if (attr.policy.stays_hot()) co_return fail(Code::kBusy, "the file's policy keeps it on the local disk");
  if (node.open) co_return fail(Code::kBusy, "the file is open");
  const data::ObjectRef object = CO_TRY(co_await data_.open(attr.content.backing));
  // A mapping made by passthrough outlives its descriptor; it would see zeros.
  if (object->file().open_elsewhere() != false) co_return fail(Code::kBusy, "the file is still mapped");
  const uint64_t before = CO_TRY(co_await object->file().stat()).allocated_bytes;
  const AccessLevel level = settling_->accesses().level_of(inode, attr.content.access_level);
  const Result<void> gone = co_await options_.tiers->hydrator.evict(inode, *object, level);
  if (!gone && gone.error() == Code::kBusy)
    co_return fail(Code::kWouldBlock, "not every colder tier has all of the file");
  if (!gone) co_return fail(gone.error());
  if (attr.content.evicted)
    settling_->note_emptied(attr.content.backing);
  else
    settling_->note_evicted(inode, before);
  note_change(node);
  co_return before;
}

io::Task<Result<uint64_t>> VolumeImpl::warm(InodeId inode, io::CancelToken* token) {
  if (!settling_) co_return fail(Code::kNotSupported, "the volume has no colder tiers");
  NodeRef node = nodes_.acquire(inode);
  auto lock = co_await node->mutex.lock();
  Attr attr = CO_TRY(co_await meta_.getattr(inode));
  if (!attr.content.evicted) co_return uint64_t{0};
  CO_TRY(co_await bring_back(*node, attr, token));
  note_change(*node);
  co_return attr.size;
}

io::Task<Result<bool>> VolumeImpl::at_rest(InodeId inode, tier::AtRest then) {
  NodeRef node = nodes_.acquire(inode);
  auto lock = co_await node->mutex.lock();
  const Result<Attr> attr = co_await meta_.getattr(inode);
  if (!attr && attr.error() == Code::kStale) co_return false;
  if (!attr) co_return fail(attr.error());
  if (node->open || !attr->content.settled || !attr->content.backing) co_return false;
  const data::ObjectRef object = CO_TRY(co_await data_.open(attr->content.backing));
  // A mapping made by passthrough outlives its descriptor.
  if (object->file().open_elsewhere() != false) co_return false;
  CO_TRY(co_await then(*attr, *object));
  co_return true;
}

// Of `tiers`, those that have every chunk of the file's newest version: it did not reach some that are away, or parts
// of it have left them to make room. While it is pending, its chunks may be those of another version.
io::Task<Result<uint32_t>> VolumeImpl::tiers_that_have(const Attr& attr, uint32_t tiers) {
  const meta::Content& content = attr.content;
  const bool pending = content.generation != content.uploaded_generation;
  if (!pending && std::has_single_bit(tiers)) co_return tiers;  // nothing leaves the last
  if (content.live || content.journal_blocks > 0) co_return 0;
  constexpr size_t kPage = 256;
  const bool whole = content.uploaded_size == attr.size;  // the records make up one version
  bool some_are_new = false, all_are_new = true;
  std::string blob;
  ChunkIndex next;
  for (bool last = false; !last && tiers != 0;) {
    const auto page = CO_TRY(co_await options_.tiers->tiering.list_chunks(attr.inode, next, kPage));
    last = page.size() < kPage;
    for (const meta::Chunk& chunk : page) {
      if (chunk.index != next) co_return 0;
      next = ChunkIndex(chunk.index.value + 1);
      const bool is_new = chunk.version == content.generation;
      some_are_new |= is_new;
      all_are_new &= is_new;
      if (chunk.blob == blob) continue;
      blob = chunk.blob;
      const meta::Blob record = CO_TRY(co_await options_.tiers->tiering.get_blob(blob));
      tiers &= record.tiers & ~record.left;
    }
  }
  if (!pending) co_return tiers;
  const uint64_t bytes = options_.tiers->options.chunk_bytes;
  const bool all = next.value == (attr.size + bytes - 1) / bytes;
  // What is evicted is what its chunks are.
  const bool newest = content.evicted ? whole : all_are_new || (whole && some_are_new);
  co_return all&& newest ? tiers : 0;
}

io::Task<Result<Residency>> VolumeImpl::residency(InodeId inode) {
  const Attr attr = CO_TRY(co_await meta_.getattr(inode));
  const meta::Content& content = attr.content;
  Residency residency;
  residency.is_inline = !content.backing && !content.settled;
  residency.hot = !content.evicted;
  residency.local_only = content.settled && !content.evicted && attr.policy.skips_every_tier();
  residency.uploaded = content.settled && content.generation > 0 && content.generation == content.uploaded_generation &&
                       !residency.local_only;
  if (content.evicted && content.backing) {
    const Result<io::FileStat> stat = co_await data_.stat(content.backing);
    residency.partly_hot = stat && stat->allocated_bytes > 0;
  }
  if (residency.hot) residency.bits |= 1;
  if (!options_.tiers) co_return residency;
  const std::vector<std::string>& tiers = options_.tiers->names;
  if (content.settled && content.generation > 0 && !residency.local_only) {
    const uint32_t wanted = ((uint32_t{1} << tiers.size()) - 1) & ~attr.policy.skip;
    residency.bits |= CO_TRY(co_await tiers_that_have(attr, wanted)) << 1;
  }
  residency.policy = policy_text(attr.policy, tiers);
  co_return residency;
}

const std::vector<std::string>& VolumeImpl::tier_names() const {
  static const std::vector<std::string> kNone;
  return options_.tiers ? options_.tiers->names : kNone;
}

io::Task<Result<Attr>> VolumeImpl::set_policy(const Credentials& who, InodeId inode, meta::PolicyChange change) {
  if (!settling_) co_return fail(Code::kNotSupported, "the volume has no colder tiers");
  if (options_.read_only) co_return fail(Code::kReadOnly);
  if (!durable_here() && change.skip.value_or(0) != 0)
    co_return fail(Code::kInvalid, "the volume lives in its tier, which no file can skip");
  Attr attr = CO_TRY(co_await meta_.set_policy(who, inode, change));
  if (NodeRef node = nodes_.find(inode)) note_change(*node);
  notify_inode(who.door, inode, false);
  co_return attr;
}

io::Task<Result<std::vector<PendingFile>>> VolumeImpl::list_pending(InodeId after, size_t limit) {
  if (!settling_) co_return fail(Code::kNotSupported, "the volume has no colder tiers");
  std::vector<PendingFile> files;
  for (const meta::Pending& one : CO_TRY(co_await options_.tiers->tiering.list_pending(after, limit))) {
    const Result<Attr> attr = co_await getattr(one.inode);
    files.push_back({one.inode, attr ? attr->size : 0, one.since});
  }
  co_return files;
}

io::Task<uint64_t> VolumeImpl::open_bytes() {
  uint64_t bytes = 0;
  for (const NodeRef& node : open_nodes()) {
    data::ObjectRef object;  // without the node's mutex: whoever holds it may be waiting for a tier
    bool lent = false;
    {
      std::lock_guard state(node->state_mutex);
      if (!node->open || !node->open->live || node->open->memory) continue;
      object = node->open->object;
      lent = node->open->lent;
    }
    const Result<io::FileStat> stat = co_await object->file().stat();
    if (!stat) continue;
    const Result<Attr> attr = lent ? Attr{} : co_await meta_.getattr(node->inode);
    if (attr) bytes += stat->allocated_bytes - std::min(attr->allocated_bytes, stat->allocated_bytes);
  }
  co_return bytes;
}

void VolumeImpl::note_recorded(const Attr& before, uint64_t allocated_bytes) {
  if (!settling_ || !before.content.settled || before.content.evicted) return;
  settling_->note_hot(before.inode,
                      static_cast<int64_t>(allocated_bytes) - static_cast<int64_t>(before.allocated_bytes));
}

// What is open and has changed: the uploader reads the records, and finds the size there.
io::Task<void> VolumeImpl::record_open_files() {
  for (NodeRef& node : open_nodes()) {
    if (node->senders > 0) continue;
    auto lock = co_await node->mutex.lock();
    if (!node->open || !node->open->live || node->open->lent || node->orphan) continue;
    const Result<io::FileStat> stat = co_await node->open->object->file().stat();
    const Result<Attr> attr = co_await meta_.getattr(node->inode);
    if (!stat || !attr || (stat->mtime == node->open->base_mtime && stat->bytes == attr->size)) continue;
    (void)co_await record_object(*node, *stat);
  }
}

io::Task<void> VolumeImpl::record_for_upload() {
  co_await record_open_files();
  (void)co_await sync_closed_files();
}

io::Task<Result<tier::UploadSummary>> VolumeImpl::flush_tiers(const FileSet* only, io::CancelToken* token) {
  if (!settling_) co_return fail(Code::kNotSupported, "the volume has no colder tiers");
  co_await wait_for_closes(only, token);
  co_return co_await flush_saved(only, token);
}

io::Task<Result<tier::UploadSummary>> VolumeImpl::flush_saved(const FileSet* only, io::CancelToken* token) {
  co_await save_open_files();
  co_return co_await settling_->flush(only, token);
}

TierStatistics VolumeImpl::tier_statistics() const { return settling_ ? settling_->statistics() : TierStatistics(); }

}  // namespace firn::vfs
