// truncate(2) and ftruncate(2).
#include <xxhash.h>

#include <algorithm>

#include "vfs/volume_impl.h"

namespace firn::vfs {

// Tiers have files chunk by chunk.
uint64_t VolumeImpl::most_bytes() const {
  constexpr uint64_t kMost = INT64_MAX;
  return options_.tiers ? std::min(kMost, meta::kMaxChunks * options_.tiers->options.chunk_bytes) : kMost;
}

Status VolumeImpl::check_size(uint64_t offset, uint64_t bytes) const {
  const uint64_t most = most_bytes();
  return offset <= most && bytes <= most - offset ? Code::kOk : Code::kFileTooBig;
}

io::Task<Result<void>> VolumeImpl::wait_for_room(uint64_t bytes) {
  if (short_of_space()) co_return fail(Code::kNoSpace, "the local disk is full: what is left of it is for removing");
  if (!settling_) co_return Result<void>();
  co_return co_await settling_->room().admit(bytes, &stopping_);
}

// The last thing before bytes go: what fails until then has changed nothing.
io::Task<Result<std::optional<Attr>>> VolumeImpl::claim(const Credentials& who, Node& node, const Resize& to,
                                                        meta::ContentUpdate& update) {
  if (!to.claim) co_return std::nullopt;
  const Attr claimed = CO_TRY(co_await meta_.setattr(who, node.inode, *to.claim));
  update.ctime = std::max(*update.ctime, next_after(claimed.ctime));
  co_return claimed;
}

// The disk may refuse what was claimed: then the record is what it was, unless somebody has changed it since.
io::Task<Result<void>> VolumeImpl::cut(Node& node, io::File& file, const Resize& to,
                                       const std::optional<Attr>& claimed) {
  if (!claimed) co_return co_await file.truncate(to.size);
  const io::FileStat before = CO_TRY(co_await file.stat());
  Result<void> done = co_await file.truncate(to.size);
  if (done) co_return done;
  const Result<io::FileStat> after = co_await file.stat();
  if (after && after->bytes == before.bytes)
    (void)co_await meta_.setattr({}, node.inode, {.ctime = to.claim->expected->ctime, .expected = &*claimed});
  co_return done;
}

io::Task<Result<Attr>> VolumeImpl::resize(const Credentials& who, Node& node, Resize to) {
  const uint64_t size = to.size;
  if (options_.read_only) co_return fail(Code::kReadOnly);
  CO_TRY(check_size(0, size));
  Attr attr = CO_TRY(co_await meta_.getattr(node.inode));
  if (attr.type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory);
  if (attr.type != meta::FileType::kRegular) co_return fail(Code::kInvalid);
  if (attr.flags & (meta::kFlagImmutable | meta::kFlagAppend)) co_return fail(Code::kNotPermitted);
  meta::ContentUpdate update;
  update.size = size;
  update.mtime = options_.clock.now();
  Attr told = attr;
  co_await overlay(told);
  update.ctime = std::max(*update.mtime, next_after(told.ctime));
  update.kill_set_ids = to.kill_set_ids;
  update.witness = who.witness;
  if (node.open && node.open->memory) {
    if (size <= options_.inline_max_bytes) {
      CO_TRY(co_await claim(who, node, to, update));
      co_return co_await resize_in_memory(node, size, update);
    }
    CO_TRY(co_await spill(node));
  }
  if (attr.content.evicted && size == 0) {
    CO_TRY(co_await claim(who, node, std::exchange(to, {}), update));
    CO_TRY(co_await forget_cold(node, attr));
  } else if (attr.content.evicted) {
    CO_TRY(co_await bring_back(node, attr, &stopping_));
  }
  data::ObjectRef object = node.open ? node.open->object : nullptr;
  const bool attached = object != nullptr && (node.open->live || attr.content.settled);
  if (!attached) {
    if (!attr.content.settled) co_return co_await resize_inline(who, node, attr, to, update);
    object = CO_TRY(co_await data_.open(attr.content.backing));
  }
  const std::optional<Attr> claimed = CO_TRY(co_await claim(who, node, to, update));
  CO_TRY(co_await cut(node, object->file(), to, claimed));
  note_rewritten(node);
  if (attached && node.open->lent && size > options_.inline_max_bytes) {
    // What is sized beforehand is often mapped, and msync goes past us: it had better find a settled file.
    io::FileStat stat = CO_TRY(co_await object->file().stat());
    CO_TRY(co_await settle(node, stat));
    attr = CO_TRY(co_await meta_.getattr(node.inode));
  }
  update.allocated_bytes = CO_TRY(co_await object->file().stat()).allocated_bytes;
  if (attr.content.settled && !attr.content.live) {
    update.content = attr.content;
    update.content->live = true;
  }
  Attr changed = CO_TRY(co_await meta_.update_content(node.inode, update));
  note_recorded(attr, *update.allocated_bytes);
  if (attached) CO_TRY(co_await rebase(node));
  if (!(node.open && node.open->live)) mark_unsynced(node.inode);
  note_change(node);
  co_return changed;
}

io::Task<Result<Attr>> VolumeImpl::resize_in_memory(Node& node, uint64_t size, meta::ContentUpdate update) {
  OpenState& open = *node.open;
  CO_TRY(co_await open.memory->truncate(size));
  const io::FileStat stat = CO_TRY(co_await open.memory->stat());
  if (stat.atime != open.base_atime) update.atime = stat.atime;
  std::string content = open.memory->content();
  const uint64_t hash = XXH3_64bits(content.data(), content.size());
  update.inline_data = std::move(content);
  update.allocated_bytes = stat.allocated_bytes;
  Attr changed = CO_TRY(co_await meta_.update_content(node.inode, update));
  CO_TRY(co_await rebase(node));
  note_change(node);
  std::lock_guard lock(node.state_mutex);
  open.shadowed = open.inline_behind = true;
  open.shadow_hash = hash;
  open.shadow_bytes = size;
  co_return changed;
}

io::Task<Result<Attr>> VolumeImpl::resize_inline(const Credentials& who, Node& node, const Attr& attr, const Resize& to,
                                                 meta::ContentUpdate update) {
  const uint64_t size = to.size;
  std::string content = CO_TRY(co_await meta_.read_inline(node.inode));
  if (size <= options_.inline_max_bytes) {
    // Zeros and all: the inline value is as long as the file, which is how recovery knows the size.
    content.resize(size);
    update.inline_data = std::move(content);
    update.allocated_bytes = (size + 511) / 512 * 512;
    CO_TRY(co_await claim(who, node, to, update));
    Attr changed = CO_TRY(co_await meta_.update_content(node.inode, update));
    note_change(node);
    co_return changed;
  }
  Lent lent = CO_TRY(co_await lend());
  if (!content.empty()) CO_TRY(co_await lent.object->file().write(0, std::as_bytes(std::span(content))));
  CO_TRY(co_await lent.object->file().truncate(size));
  CO_TRY(co_await data_.settle(lent.object));
  update.content = meta::Content{.backing = lent.object->id(), .settled = true, .live = true};
  update.inline_data = "";
  update.allocated_bytes = CO_TRY(co_await lent.object->file().stat()).allocated_bytes;
  // The inline value goes: what was durable must stay so in the backing.
  if (!content.empty()) CO_TRY(co_await lent.object->file().sync(true));
  CO_TRY(co_await claim(who, node, to, update));
  Attr changed = CO_TRY(co_await meta_.update_content(node.inode, update));
  mark_unsynced(node.inode);
  note_change(node);
  co_return changed;
}

}  // namespace firn::vfs
