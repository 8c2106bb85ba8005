// Opening: who may, where the bytes are, and which I/O mode the door's kernel is told.
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/failpoint.h"
#include "vfs/volume_impl.h"

namespace firn::vfs {
namespace {

bool wants_write(int flags) { return (flags & O_ACCMODE) != O_RDONLY; }

// A set-id file's bits must go when somebody writes, which only WRITE requests tell: the kernel's own passthrough
// writes do not.
bool needs_write_requests(const Attr& attr) {
  constexpr uint32_t kSetUser = 04000, kSetGroup = 02000, kGroupExecute = 010;
  return (attr.mode & kSetUser) != 0 || (attr.mode & (kSetGroup | kGroupExecute)) == (kSetGroup | kGroupExecute);
}

}  // namespace

OpenState& VolumeImpl::open_state(Node& node) {
  if (!node.open) {
    std::lock_guard lock(node.state_mutex);
    node.open = std::make_unique<OpenState>();
  }
  return *node.open;
}

void VolumeImpl::set_object(Node& node, data::ObjectRef object, bool lent, bool live) {
  OpenState& open = open_state(node);
  {
    std::lock_guard lock(node.state_mutex);
    open.object = std::move(object);
    open.lent = lent;
    open.live = live;
  }
  if (!live) return;
  std::lock_guard lock(open_nodes_mutex_);
  open_nodes_.insert(node.inode);
}

io::Task<Result<VolumeImpl::Lent>> VolumeImpl::lend() {
  Lent lent;
  lent.object = data_.try_lend();
  if (!lent.object) {
    co_await recycle();
    lent.object = CO_TRY(co_await data_.lend(true));
  }
  lent.content.backing = lent.object->id();
  lent.content.live = true;
  lent.content.boot_session = options_.boot_session;
  co_return std::move(lent);
}

bool VolumeImpl::prefers_memory(OpenOptions options, bool expects_small) const {
  if (!disk_has_room_.load(std::memory_order_relaxed) || options_.inline_max_bytes == 0) return false;
  if (options.flags & O_DIRECT) return false;
  if (!options.allow_passthrough || !passthrough_) return true;
  return expects_small;
}

// Of a file that exists: what it is, it will be; one that is empty goes by its name, as far as that is known here.
bool VolumeImpl::expects_small(const Node& node, const Attr& attr) const {
  return attr.size > 0 || (node.kind && sizes_.expects_small(*node.kind));
}

void VolumeImpl::hold_in_memory(Node& node, const Attr& attr, std::string content) {
  OpenState& open = open_state(node);
  const uint64_t hash = XXH3_64bits(content.data(), content.size());
  const uint64_t bytes = content.size();
  auto memory = std::make_shared<MemoryObject>(options_.clock, std::move(content), attr.atime, attr.mtime);
  {
    std::lock_guard lock(node.state_mutex);
    open.object = memory;
    open.memory = std::move(memory);
    open.lent = open.live = true;
    open.base_mtime = attr.mtime;
    open.base_atime = attr.atime;
    open.shadowed = true;
    open.shadow_hash = hash;
    open.shadow_bytes = bytes;
    open.inline_behind = attr.size > 0;
  }
  std::lock_guard lock(open_nodes_mutex_);
  open_nodes_.insert(node.inode);
}

// The record stays as it is until the content is saved: by the last close, fsync, or the background sync.
io::Task<Result<void>> VolumeImpl::open_in_memory(Node& node, Attr& attr, bool truncate) {
  std::string content = CO_TRY(co_await meta_.read_inline(node.inode));
  content.resize(attr.size);
  hold_in_memory(node, attr, std::move(content));
  if (truncate) CO_TRY(co_await node.open->memory->truncate(0));
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::spill(Node& node) {
  OpenState& open = *node.open;
  if (!open.memory) co_return Result<void>();
  Lent lent = CO_TRY(co_await lend());
  // The bytes first: what the record refers to is taken for the whole content after a crash.
  const std::string content = open.memory->content();
  if (!content.empty()) CO_TRY(co_await lent.object->file().write(0, std::as_bytes(std::span(content))));
  meta::ContentUpdate update;
  update.content = lent.content;
  add_times(open, CO_TRY(co_await open.memory->stat()), update);
  const io::FileStat stat = CO_TRY(co_await lent.object->file().stat());
  if (Result<Attr> updated = co_await meta_.update_content(node.inode, update); !updated) {
    co_await give_back(std::move(lent.object));
    co_return fail(std::move(updated).error());
  }
  note_change(node);
  if (node.kind) sizes_.learn(*node.kind, /*small=*/false);
  std::lock_guard lock(node.state_mutex);
  open.object = std::move(lent.object);
  open.memory.reset();
  open.base_mtime = stat.mtime;
  open.base_atime = stat.atime;
  co_return Result<void>();
}

void VolumeImpl::adopt_lent(Node& node, Lent lent, Timestamp base) {
  set_object(node, std::move(lent.object), /*lent=*/true, /*live=*/true);
  node.open->base_mtime = base;
  node.open->shadowed = false;
}

io::Task<Result<void>> VolumeImpl::check_open(const Credentials& who, const Attr& attr, int flags) {
  if (attr.type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory);
  if (attr.type == meta::FileType::kSymlink) co_return fail(Code::kLoop);
  if (attr.type != meta::FileType::kRegular) co_return fail(Code::kNoDevice);
  const bool write = wants_write(flags);
  if (options_.read_only && (write || (flags & O_TRUNC))) co_return fail(Code::kReadOnly);
  if (!who.kernel_checked) {
    int mask = 0;
    if ((flags & O_ACCMODE) != O_WRONLY) mask |= R_OK;
    if (write || (flags & O_TRUNC)) mask |= W_OK;
    CO_TRY(co_await meta_.access(who, attr.inode, mask));
  }
  if ((attr.flags & meta::kFlagImmutable) && (write || (flags & O_TRUNC))) co_return fail(Code::kNotPermitted);
  if ((attr.flags & meta::kFlagAppend) && ((write && !(flags & O_APPEND)) || (flags & O_TRUNC)))
    co_return fail(Code::kNotPermitted);
  co_return Result<void>();
}

io::Task<Result<Opened>> VolumeImpl::open(const Credentials& who, InodeId inode, OpenOptions options) {
  if (wants_write(options.flags) && !has_room_for(0)) CO_TRY(co_await wait_for_room(0));
  NodeRef node = nodes_.acquire(inode);
  auto lock = co_await node->mutex.lock();
  Attr attr = CO_TRY(co_await meta_.getattr(inode));
  CO_TRY(co_await check_open(who, attr, options.flags));
  co_return co_await open_locked(who, node, attr, options);
}

io::Task<Result<Opened>> VolumeImpl::open_locked(const Credentials& who, NodeRef& node, Attr attr,
                                                 OpenOptions options) {
  const bool truncate = (options.flags & O_TRUNC) != 0;
  if (wants_write(options.flags) || truncate) {
    CO_TRY(co_await ensure_writable(*node, attr, truncate, options));
    if (truncate) notify_inode(who.door, attr.inode, true);
    if (options.flags & O_DSYNC) CO_TRY(co_await settle_for_sync_writes(*node));
  } else if (followed_) {
    CO_TRY(co_await attach_newest(*node, attr));
  } else if ((attr.content.backing || attr.content.evicted) && !(node->open && node->open->object)) {
    CO_TRY(co_await (attr.content.evicted ? attach_cold(*node, attr) : attach_settled(*node, attr)));
  }
  co_await overlay(attr);
  co_return make_handle(std::move(node), std::move(attr), options, who.door);
}

// Makes the object of `node` the place where new bytes go, whatever held them before.
io::Task<Result<void>> VolumeImpl::ensure_writable(Node& node, Attr& attr, bool truncate, OpenOptions options) {
  const bool had_object = node.open && node.open->object && node.open->live;
  if (attr.content.evicted) CO_TRY(co_await (truncate ? forget_cold(node, attr) : bring_back(node, attr, &stopping_)));
  if (!had_object) {
    if (attr.content.settled) {
      CO_TRY(co_await make_live(node, attr, truncate));
    } else if (attr.size <= options_.inline_max_bytes && prefers_memory(options, expects_small(node, attr))) {
      CO_TRY(co_await open_in_memory(node, attr, truncate));
    } else {
      CO_TRY(co_await lend_for(node, attr, truncate));
    }
  } else if (truncate && node.open->memory) {
    CO_TRY(co_await node.open->memory->truncate(0));
  } else if (truncate) {
    CO_TRY(co_await node.open->object->file().truncate(0));
    note_rewritten(node);
    meta::ContentUpdate update;
    update.size = 0;
    update.mtime = options_.clock.now();
    attr = CO_TRY(co_await meta_.update_content(node.inode, update));
    CO_TRY(co_await rebase(node));
  }
  note_change(node);
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::lend_for(Node& node, Attr& attr, bool truncate) {
  Lent lent = CO_TRY(co_await lend());
  meta::ContentUpdate update;
  update.content = lent.content;
  if (truncate) {
    update.size = 0;
    update.inline_data = "";
    update.mtime = options_.clock.now();
    update.ctime = update.mtime;
  } else if (attr.size > 0) {
    std::string content = CO_TRY(co_await meta_.read_inline(node.inode));
    if (!content.empty()) CO_TRY(co_await lent.object->file().write(0, std::as_bytes(std::span(content))));
    if (content.size() < attr.size) CO_TRY(co_await lent.object->file().truncate(attr.size));
  }
  io::FileStat stat = CO_TRY(co_await lent.object->file().stat());
  Result<Attr> updated = co_await meta_.update_content(node.inode, update);
  if (!updated) {
    co_await give_back(std::move(lent.object));
    co_return fail(std::move(updated).error());
  }
  attr = *std::move(updated);
  adopt_lent(node, std::move(lent), stat.mtime);
  node.open->base_atime = stat.atime;
  node.open->inline_behind = !truncate && attr.size > 0;
  co_return Result<void>();
}

io::Task<Result<void>> VolumeImpl::make_live(Node& node, Attr& attr, bool truncate) {
  data::ObjectRef object = node.open ? node.open->object : nullptr;
  if (!object) object = CO_TRY(co_await data_.open(attr.content.backing));
  if (!attr.content.live && attr.content.generation == attr.content.uploaded_generation) note_sent(node);
  if (truncate || !attr.content.live) {
    meta::ContentUpdate update;
    update.content = attr.content;
    update.content->live = true;
    if (truncate) {
      update.size = 0;
      update.mtime = options_.clock.now();
      update.ctime = update.mtime;
    }
    attr = CO_TRY(co_await meta_.update_content(node.inode, update));
    failpoint("bring_back.after_live");
  }
  set_object(node, object, /*lent=*/false, /*live=*/true);
  if (truncate) CO_TRY(co_await object->file().truncate(0));
  if (truncate) note_rewritten(node);
  co_return co_await rebase(node);
}

io::Task<Result<void>> VolumeImpl::attach_settled(Node& node, const Attr& attr) {
  data::ObjectRef object = CO_TRY(co_await data_.open(attr.content.backing));
  set_object(node, std::move(object), /*lent=*/false, /*live=*/false);
  co_return co_await rebase(node);
}

io::Task<Result<void>> VolumeImpl::rebase(Node& node) {
  rebase_on(node, CO_TRY(co_await node.open->object->file().stat()));
  co_return Result<void>();
}

void VolumeImpl::rebase_on(Node& node, const io::FileStat& stat) {
  std::lock_guard lock(node.state_mutex);
  node.open->base_mtime = stat.mtime;
  node.open->base_atime = stat.atime;
}

// Chooses the I/O mode. The kernel refuses to mix cached and passthrough opens of one inode; our counts lag behind
// the kernel's only in that a close may be on its way, which errs on the side it accepts.
Opened VolumeImpl::make_handle(NodeRef node, Attr attr, OpenOptions options, uint32_t door) {
  OpenState& open = open_state(*node);
  Opened opened;
  const bool pages = keeps_pages(door);
  opened.mode = IoMode::kCached;
  const bool possible =
      options.allow_passthrough && passthrough_ && open.object && !open.memory && !open.cold && open.cached_opens == 0;
  // Where writers may have to wait, they must come here.
  const bool served = needs_write_requests(attr) || (settling_ && settling_->room().state() != RoomState::kFree);
  const bool wanted = open.passthrough_opens > 0 || !wants_write(options.flags) || !served;
  if (possible && wanted) {
    opened.passthrough_id = passthrough_id(*open.object);
    if (opened.passthrough_id > 0) opened.mode = IoMode::kPassthrough;
  }
  if (opened.mode == IoMode::kPassthrough) {
    opened.asks = served && wants_write(options.flags);
    ++open.passthrough_opens;
    ++passthrough_files_;
    if (wants_write(options.flags)) {
      node->page_cache_valid = false;
      ++open.passthrough_writers;
    }
  } else if (pages) {
    ++open.cached_opens;
    // A read that the page cache answers is one that nobody counts: the first one after a change has to come here.
    opened.keep_cache = node->page_cache_valid.exchange(true) && !access_counts(attr);
    if (followed_) opened.keep_cache = seen_before(*node, attr) && opened.keep_cache;
  }
  ++open.opens;
  ++open_files_;
  if (settling_ && attr.content.settled)
    settling_->accesses().note(attr.inode, attr.content.access_level, options_.clock.now());
  auto handle = std::make_unique<Handle>();
  handle->flags = options.flags;
  handle->mode = opened.mode;
  handle->keeps_pages = pages;
  handle->door = door;
  handle->cold_version = open.cold_version;
  handle->syncs_failed = open.syncs_failed;
  handle->node = std::move(node);
  opened.attr = std::move(attr);
  opened.handle = handle.release();
  return opened;
}

io::Task<Result<Opened>> VolumeImpl::create(const Credentials& who, InodeId parent, std::string_view name,
                                            const meta::NodeSpec& spec, OpenOptions options) {
  if (options_.read_only) co_return fail(Code::kReadOnly);
  if (!has_room_for(0)) CO_TRY(co_await wait_for_room(0));
  meta::NodeSpec node_spec = spec;
  const bool writes = wants_write(options.flags);
  const FileClass kind = SizePredictor::class_of(parent, name);
  const bool in_memory = writes && prefers_memory(options, sizes_.expects_small(kind));
  Lent lent;
  io::FileStat base;
  if (writes && !in_memory) {
    lent = CO_TRY(co_await lend());
    node_spec.content = lent.content;
    base = CO_TRY(co_await lent.object->file().stat());
  }
  Result<meta::Created> created = co_await meta_.create(who, parent, name, node_spec, (options.flags & O_EXCL) != 0);
  if (!created || created->existed) {
    if (lent.object) co_await give_back(std::move(lent.object));
    if (!created) co_return fail(std::move(created).error());
    Result<Opened> opened = co_await open(who, created->attr.inode, options);
    if (opened) opened->existed = true;
    co_return opened;
  }
  notify_entry(who.door, parent, name);
  NodeRef node = nodes_.acquire(created->attr.inode);
  auto lock = co_await node->mutex.lock();
  if (writes && node->open && node->open->live) {
    // Somebody else has opened it since, for writing: that is where its content is now.
    if (lent.object) co_await give_back(std::move(lent.object));
  } else if (in_memory) {
    hold_in_memory(*node, created->attr, "");
    node->kind = kind;
  } else if (lent.object) {
    adopt_lent(*node, std::move(lent), base.mtime);
    node->open->base_atime = base.atime;
    node->kind = kind;
  }
  if (settling_ && writes) {
    node->made_in = parent;
    node->made_as = name;
  }
  note_change(*node);
  if (writes && (options.flags & O_DSYNC)) CO_TRY(co_await settle_for_sync_writes(*node));
  co_return make_handle(std::move(node), std::move(created->attr), options, who.door);
}

io::Task<Result<Opened>> VolumeImpl::create_unnamed(const Credentials& who, InodeId parent, const meta::NodeSpec& spec,
                                                    OpenOptions options) {
  if (options_.read_only) co_return fail(Code::kReadOnly);
  if (!has_room_for(0)) CO_TRY(co_await wait_for_room(0));
  Lent lent = CO_TRY(co_await lend());
  meta::NodeSpec node_spec = spec;
  node_spec.content = lent.content;
  io::FileStat base = CO_TRY(co_await lent.object->file().stat());
  Result<Attr> attr = co_await meta_.create_unnamed(who, parent, node_spec);
  if (!attr) {
    co_await give_back(std::move(lent.object));
    co_return fail(std::move(attr).error());
  }
  NodeRef node = nodes_.acquire(attr->inode);
  auto lock = co_await node->mutex.lock();
  node->orphan = true;
  ++orphans_waiting_;
  adopt_lent(*node, std::move(lent), base.mtime);
  node->open->base_atime = base.atime;
  note_change(*node);
  co_return make_handle(std::move(node), *std::move(attr), options, who.door);
}

}  // namespace firn::vfs
