#include "meta/mutation.h"

#include "base/check.h"
#include "meta/keys.h"
#include "meta/records.h"

namespace firn::meta {

bool Mutation::try_lock(InodeId inode) {
  if (!locks_.try_add(inode)) return false;
  // A snapshot from before the lock may miss what the lock's last holder wrote. Other writers need the reads declared
  // on the old one, and are caught at commit.
  if (core_.options.exclusive_owner) transaction_.reset();
  return true;
}

void Mutation::restart() {
  transaction_.reset();
  for (size_t i = 0; i < slot_count_; ++i) slots_[i].reset();
  slot_count_ = 0;
  dirent_count_ = 0;
  now_.reset();
  noted_ = {};
  witness_ = nullptr;
  locks_.release();
}

kv::Transaction& Mutation::transaction() {
  if (!transaction_) transaction_ = core_.engine.begin();
  return *transaction_;
}

io::Task<Result<Inode*>> Mutation::inode(InodeId id) {
  for (size_t i = 0; i < slot_count_; ++i)
    if (slots_[i]->inode.attr.inode == id) co_return &slots_[i]->inode;
  auto found = core_.inodes.find(id);
  if (!found) {
    const auto ticket = core_.inodes.ticket(id);
    found = CO_TRY(co_await core_.load_inode(transaction(), id, isolation()));
    core_.inodes.fill(*found, ticket);
  }
  Slot& slot = new_slot(*std::move(found));
  slot.existed = true;
  slot.was_orphan = slot.inode.attr.nlink == 0;
  slot.was_live = slot.inode.attr.content.live;
  slot.was_share = share_of(slot.inode.attr);
  slot.was = version_of(slot.inode.attr);
  co_return &slot.inode;
}

io::Task<Result<Inode*>> Mutation::parent(InodeId id) {
  auto found = co_await inode(id);
  if (!found && found.error().code() == Code::kStale) co_return fail(Code::kNotFound);
  co_return found;
}

io::Task<Result<Inode>> Mutation::read(InodeId id) {
  if (core_.options.exclusive_owner) return core_.read_inode(id);
  return core_.load_inode(transaction(), id, isolation());
}

io::Task<Result<std::optional<Dirent>>> Mutation::dirent(InodeId parent, std::string_view name) {
  if (const auto cached = core_.dirents.find(parent, name))
    co_return cached->inode ? std::optional(*cached) : std::nullopt;
  const auto ticket = core_.dirents.ticket(parent, name);
  const auto found = CO_TRY(co_await core_.load_dirent(transaction(), parent, name, isolation()));
  core_.dirents.fill(parent, name, found.value_or(Dirent{}), ticket);
  co_return found;
}

Mutation::Slot& Mutation::new_slot(Inode inode) {
  CHECK(slot_count_ < slots_.size());
  Slot& slot = slots_[slot_count_++].emplace();
  slot.inode = std::move(inode);
  return slot;
}

Mutation::Slot& Mutation::slot_of(Inode* inode) {
  size_t i = 0;
  while (i < slot_count_ && &slots_[i]->inode != inode) ++i;
  CHECK(i < slot_count_);  // an inode that this mutation did not read
  return *slots_[i];
}

void Mutation::update(Inode* inode) { slot_of(inode).fate = Fate::kPut; }

void Mutation::erase(Inode* inode) { slot_of(inode).fate = Fate::kErase; }

Inode* Mutation::add(Inode inode) {
  Slot& slot = new_slot(std::move(inode));
  slot.fate = Fate::kPut;
  return &slot.inode;
}

void Mutation::put_dirent(InodeId parent, std::string_view name, Dirent dirent) {
  CHECK(dirent_count_ < dirents_.size());
  dirents_[dirent_count_++] = {parent, name, dirent};
}

void Mutation::touch(Inode* directory) {
  directory->attr.mtime = directory->attr.ctime = now();
  update(directory);
  slot_of(directory).touched = true;
}

void Mutation::keep_times_apart(Slot& slot) {
  Attr& attr = slot.inode.attr;
  const bool is_now = now_ && slot.existed && slot.fate == Fate::kPut && attr.ctime == *now_;
  if (!is_now || !is_within_tick(slot.was.ctime)) return;
  attr.ctime = next_after(slot.was.ctime);
  if (slot.touched) attr.mtime = attr.ctime;
}

void Mutation::write_dirents() {
  for (size_t i = 0; i < dirent_count_; ++i) {
    const DirentChange& change = dirents_[i];
    const Key key = dirent_key(change.parent, change.name);
    if (change.dirent.inode) {
      transaction_->put(key, encode_dirent(change.dirent));
    } else {
      transaction_->erase(key);
    }
  }
}

void Mutation::write_inode(const Slot& slot) {
  const Attr& attr = slot.inode.attr;
  const bool stays = slot.fate == Fate::kPut;
  if (stays) {
    transaction_->put(inode_key(attr.inode), encode_inode(slot.inode));
  } else {
    transaction_->erase(inode_key(attr.inode));
  }
  const auto keep = [&](const Key& key, bool had, bool has) {
    if (has && !had) transaction_->put(key, {});
    if (had && !has) transaction_->erase(key);
  };
  keep(orphan_key(attr.inode), slot.was_orphan, stays && attr.nlink == 0);
  keep(live_key(attr.inode), slot.was_live, stays && attr.content.live);
}

void Mutation::write_usage() {
  UsageShare change = {};
  for (size_t i = 0; i < slot_count_; ++i) {
    const Slot& slot = *slots_[i];
    if (slot.fate == Fate::kUnchanged) continue;
    const UsageShare share = slot.fate == Fate::kPut ? share_of(slot.inode.attr) : UsageShare{};
    for (size_t k = 0; k < change.size(); ++k) change[k] += share[k] - slot.was_share[k];
  }
  for (size_t k = 0; k < change.size(); ++k)
    if (change[k] != 0) transaction_->add(counter_key(kUsageCounters[k]), change[k]);
}

uint64_t Mutation::write_event() {
  EventLog* const events = core_.options.events;
  if (events == nullptr || noted_.inode == nullptr) return 0;
  const Attr& attr = noted_.inode->attr;
  EventDraft event{.kind = noted_.kind,
                   .inode = attr.inode,
                   .type = attr.type,
                   .nlink = attr.nlink,
                   .size = attr.size,
                   .time = now(),
                   .at = noted_.at,
                   .from = noted_.from,
                   .xattr = noted_.xattr};
  if (!event.at.parent) {
    if (attr.nlink == 0) return 0;
    event.at = {attr.parent, noted_.inode->name};
  }
  if (noted_.who != nullptr) event.uid = noted_.who->uid;
  if (witness_ != nullptr) event.request = witness_->request();
  if (noted_.other != nullptr) {
    event.other = noted_.other->attr.inode;
    event.other_type = noted_.other->attr.type;
    event.other_nlink = noted_.other->attr.nlink;
  }
  const uint64_t sequence = events->next();
  transaction_->put(event_key(sequence), encode_event(event));
  return sequence;
}

void Mutation::publish() {
  for (size_t i = 0; i < slot_count_; ++i) {
    const Slot& slot = *slots_[i];
    if (slot.fate == Fate::kPut) core_.inodes.publish(slot.inode);
    if (slot.fate == Fate::kErase) core_.inodes.drop(slot.inode.attr.inode);
  }
  for (size_t i = 0; i < dirent_count_; ++i)
    core_.dirents.publish(dirents_[i].parent, dirents_[i].name, dirents_[i].dirent);
}

void Mutation::tell_witness() {
  for (size_t i = 0; i < slot_count_; ++i) {
    const Slot& slot = *slots_[i];
    if (slot.existed && slot.fate == Fate::kPut) witness_->note(slot.was, slot.inode.attr);
  }
}

void Mutation::drop_from_caches() {
  for (size_t i = 0; i < slot_count_; ++i) core_.inodes.drop(slots_[i]->inode.attr.inode);
  for (size_t i = 0; i < dirent_count_; ++i) core_.dirents.drop(dirents_[i].parent, dirents_[i].name);
}

io::Task<Result<void>> Mutation::commit() {
  transaction();
  write_dirents();
  for (size_t i = 0; i < slot_count_; ++i) {
    keep_times_apart(*slots_[i]);
    if (slots_[i]->fate != Fate::kUnchanged) write_inode(*slots_[i]);
  }
  write_usage();
  const uint64_t event = write_event();
  const Result<kv::Version> committed = co_await transaction_->commit();
  if (event != 0) core_.options.events->ended(event, committed.has_value());
  if (!committed) {
    // Whatever became of it, the next reader asks the store.
    drop_from_caches();
    co_return fail(committed.error());
  }
  publish();
  if (witness_) tell_witness();
  co_return {};
}

}  // namespace firn::meta
