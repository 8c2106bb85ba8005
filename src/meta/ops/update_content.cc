#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/new_node.h"
#include "meta/ops/apply_update.h"
#include "meta/ops/chunks.h"
#include "meta/ops/journal.h"
#include "meta/ops/kill_set_ids.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

constexpr uint64_t kAllocationUnit = 512;  // what st_blocks counts

void set_inline(Mutation& m, Inode& inode, std::string_view data) {
  const Key key = inline_key(inode.attr.inode);
  if (!data.empty()) {
    m.transaction().put(key, data);
  } else if (inode.has_inline) {
    m.transaction().erase(key);
  }
  inode.has_inline = !data.empty();
}

// Where the bytes are is the caller's; what colder tiers have of the file is kept here.
Content with_tiering_of(const Content& known, Content content) {
  content.generation = known.generation;
  content.uploaded_generation = known.uploaded_generation;
  content.uploaded_size = known.uploaded_size;
  content.journal_blocks = known.journal_blocks;
  content.uploaded_version = known.uploaded_version;
  return content;
}

void apply_content(Mutation& m, const ContentUpdate& u, Inode& inode) {
  Attr& attr = inode.attr;
  if (u.content) {
    attr.content = with_tiering_of(attr.content, *u.content);
    stamp_session(m.core(), attr.content);
  }
  if (u.inline_data) {
    set_inline(m, inode, *u.inline_data);
    attr.allocated_bytes = (u.inline_data->size() + kAllocationUnit - 1) / kAllocationUnit * kAllocationUnit;
  }
  // A settled backing is the content; an inline value beside it would be a second truth.
  if (attr.content.settled) set_inline(m, inode, {});
  apply_sizes(u, attr);
}

// Whether colder tiers may lack something from now on. A file that is open for writing changes without telling.
bool leaves_tiers_behind(const ContentUpdate& u, const Content& before, const Content& after) {
  const bool tiered = after.settled || before.settled;
  // What is evicted has not changed: its bytes are there only.
  return tiered && !after.evicted &&
         (u.size || u.mtime || after.backing != before.backing || (after.live && !before.live));
}

bool changes_content(const ContentUpdate& u) { return u.size || u.allocated_bytes || u.inline_data || u.content; }

// Whether somebody who reads the file may find something else than before. Every write moves the time.
bool reads_otherwise(const ContentUpdate& u, uint64_t size_before, Timestamp mtime_before, const Attr& after) {
  return after.size != size_before || after.mtime != mtime_before || (u.inline_data && !u.inline_data->empty());
}

io::Task<Result<Attr>> attempt(Mutation& m, InodeId id, const ContentUpdate& update) {
  co_await m.lock({id});
  Inode* inode = CO_TRY(co_await m.inode(id));
  const Content before = inode->attr.content;
  const uint64_t size_before = inode->attr.size;
  const Timestamp mtime_before = inode->attr.mtime;
  if (changes_content(update)) {
    if (inode->attr.type != FileType::kRegular) co_return fail(Code::kInvalid);
    const bool settles = update.content && update.content->settled && !before.settled;
    if (settles && inode->has_inline && m.core().options.journals_inline)
      CO_TRY(co_await move_inline_to_journal(m, *inode));
    apply_content(m, update, *inode);
  }
  if (update.kill_set_ids) {
    inode->attr.mode = without_set_ids(inode->attr.mode);
    CO_TRY(co_await drop_capabilities(m, *inode));
  }
  apply_times(update, inode->attr);
  // What it lies over has nothing to do with what settles there next.
  if (!inode->attr.content.settled) CO_TRY(co_await erase_journal(m, *inode));
  if (m.core().options.tiered && leaves_tiers_behind(update, before, inode->attr.content))
    CO_TRY(co_await mark_pending(m, *inode));
  m.update(inode);
  if (reads_otherwise(update, size_before, mtime_before, inode->attr))
    m.note({.kind = EventKind::kContent, .inode = inode});
  m.set_witness(update.witness);
  CO_TRY(co_await m.commit());
  co_return inode->attr;
}

}  // namespace

io::Task<Result<Attr>> LocalService::update_content(InodeId inode, const ContentUpdate& update) {
  return mutate(*core_, [inode, &update](Mutation& m) { return attempt(m, inode, update); });
}

}  // namespace firn::meta
