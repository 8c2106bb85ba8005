#include <unistd.h>

#include "meta/local_service.h"
#include "meta/ops/remove.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

struct Request {
  const Credentials& who;
  InodeId parent;
  std::string_view name;
  InodeId new_parent;
  std::string_view new_name;
  RenameOptions options;

  bool same_parent() const { return parent == new_parent; }
};

// Everything that a rename touches, locked. `replaced` is null when the new name is free.
struct Places {
  io::Mutex::Guard tree;
  Inode* from = nullptr;
  Inode* to = nullptr;
  Inode* moved = nullptr;
  Inode* replaced = nullptr;
};

Status check_parents(const Request& r, const Inode& from, const Inode& to) {
  TRY(check_search(r.who, from));
  TRY(check_search(r.who, to));
  TRY(check_name(r.name));
  TRY(check_name(r.new_name));
  return to.attr.nlink == 0 ? Code::kNotFound : Code::kOk;
}

bool is_directory(const std::optional<Dirent>& dirent) { return dirent && dirent->type == FileType::kDirectory; }

io::Task<Result<Places>> find_places(Mutation& m, const Request& r) {
  Places places;
  bool need_tree = false;
  InodeList to_lock{r.parent, r.new_parent};
  for (;;) {
    if (need_tree) places.tree = co_await m.core().tree_mutex.lock();
    co_await m.lock(to_lock);
    places.from = CO_TRY(co_await m.parent(r.parent));
    places.to = CO_TRY(co_await m.parent(r.new_parent));
    CO_TRY(check_parents(r, *places.from, *places.to));
    const auto moved = CO_TRY(co_await m.dirent(r.parent, r.name));
    if (!moved) co_return fail(Code::kNotFound);
    const auto replaced = CO_TRY(co_await m.dirent(r.new_parent, r.new_name));
    const InodeId replaced_id = replaced ? replaced->inode : moved->inode;
    const bool tree_missing = !need_tree && !r.same_parent() && (is_directory(moved) || is_directory(replaced));
    if (!tree_missing && m.try_lock(moved->inode) && m.try_lock(replaced_id)) {
      places.moved = CO_TRY(co_await m.inode(moved->inode));
      if (replaced) places.replaced = CO_TRY(co_await m.inode(replaced->inode));
      co_return places;
    }
    m.restart();
    places.tree.release();
    need_tree |= tree_missing;
    to_lock = {r.parent, r.new_parent, moved->inode, replaced_id};
  }
}

// Whether `ancestor` is `directory` or above it. The tree mutex is held, so nothing moves meanwhile.
io::Task<Result<bool>> is_below(Mutation& m, InodeId directory, InodeId ancestor) {
  while (directory != ancestor) {
    if (directory == kRootInode) co_return false;
    const Inode inode = CO_TRY(co_await m.read(directory));
    if (inode.attr.parent == directory) co_return fail(Code::kCorrupt, "a directory is its own parent");
    directory = inode.attr.parent;
  }
  co_return true;
}

io::Task<Result<void>> check_no_cycle(Mutation& m, const Request& r, const Places& p) {
  if (r.same_parent()) co_return {};
  if (p.moved->is_directory() && CO_TRY(co_await is_below(m, r.new_parent, p.moved->attr.inode)))
    co_return fail(Code::kInvalid);
  if (p.replaced && p.replaced->is_directory() && CO_TRY(co_await is_below(m, r.parent, p.replaced->attr.inode)))
    co_return fail(r.options.exchange ? Code::kInvalid : Code::kNotEmpty);
  co_return {};
}

// A directory that gets another parent has its ".." written.
Status check_reparent(const Request& r, const Inode& inode) {
  if (r.same_parent() || !inode.is_directory()) return {};
  return check_access(r.who, inode, W_OK);
}

io::Task<Result<void>> check_rules(Mutation& m, const Request& r, const Places& p) {
  CO_TRY(check_remove(r.who, *p.from, *p.moved, p.moved->is_directory()));
  if (!p.replaced) {
    CO_TRY(check_add(r.who, *p.to));
  } else {
    const Inode& kind = r.options.exchange ? *p.replaced : *p.moved;
    CO_TRY(check_remove(r.who, *p.to, *p.replaced, kind.is_directory()));
  }
  CO_TRY(check_reparent(r, *p.moved));
  if (r.options.exchange) {
    CO_TRY(check_reparent(r, *p.replaced));
  } else if (p.replaced && p.replaced->is_directory()) {
    CO_TRY(co_await check_empty(m, *p.replaced));
  }
  co_return {};
}

void reparent(Mutation& m, Inode* inode, Inode* from, Inode* to) {
  inode->attr.ctime = m.now();
  m.update(inode);
  if (!inode->is_directory() || from == to) return;
  inode->attr.parent = to->attr.inode;
  --from->attr.nlink;
  ++to->attr.nlink;
}

void unlink_replaced(Mutation& m, Inode* to, Inode* replaced) {
  Attr& attr = replaced->attr;
  if (replaced->is_directory()) {
    attr.nlink = 0;
    --to->attr.nlink;
  } else if (attr.nlink > 0) {
    --attr.nlink;
  }
  attr.ctime = m.now();
  m.update(replaced);
}

// One of several names that is not the one the inode is known by leaves that as it is.
void rename_inode(Inode* inode, const EventPlaceOf<std::string_view>& from, const EventPlaceOf<std::string_view>& to) {
  if (inode->name.empty() || (inode->name == from.name && inode->attr.parent == from.parent) || inode->is_directory())
    inode->name_it(to.parent, to.name);
}

void apply(Mutation& m, const Request& r, const Places& p) {
  const EventPlaceOf<std::string_view> from{r.parent, r.name}, to{r.new_parent, r.new_name};
  m.note({.kind = r.options.exchange ? EventKind::kExchanged : EventKind::kRenamed,
          .inode = p.moved,
          .who = &r.who,
          .at = to,
          .from = from,
          .other = p.replaced});
  reparent(m, p.moved, p.from, p.to);
  if (p.replaced) p.replaced->unname(r.new_parent, r.new_name);
  rename_inode(p.moved, from, to);
  if (r.options.exchange) {
    reparent(m, p.replaced, p.to, p.from);
    rename_inode(p.replaced, to, from);
    m.put_dirent(r.parent, r.name, {p.replaced->attr.inode, p.replaced->attr.type});
  } else {
    if (p.replaced) unlink_replaced(m, p.to, p.replaced);
    m.erase_dirent(r.parent, r.name);
  }
  m.put_dirent(r.new_parent, r.new_name, {p.moved->attr.inode, p.moved->attr.type});
  m.touch(p.from);
  m.touch(p.to);
}

Status check_options(const RenameOptions& options, const Places& p) {
  TRY(check_version(options.moves, *p.moved));
  if (options.replaces && !p.replaced) return Code::kStale;
  if (p.replaced) TRY(check_version(options.replaces, *p.replaced));
  if (options.no_replace && p.replaced) return Code::kExists;
  if (options.exchange && !p.replaced) return Code::kNotFound;
  return {};
}

Renamed result_of(const Places& p) {
  return {.moved = p.moved->attr, .replaced = p.replaced ? std::optional(p.replaced->attr) : std::nullopt};
}

io::Task<Result<Renamed>> attempt(Mutation& m, const Request& request) {
  if (request.options.no_replace && request.options.exchange) co_return fail(Code::kInvalid);
  const Places places = CO_TRY(co_await find_places(m, request));
  CO_TRY(check_options(request.options, places));
  CO_TRY(co_await check_no_cycle(m, request, places));
  // Two names of one inode: nothing to do, and no permission asked (POSIX).
  if (places.moved == places.replaced) co_return Renamed{.moved = places.moved->attr, .replaced = std::nullopt};
  CO_TRY(co_await check_rules(m, request, places));
  apply(m, request, places);
  CO_TRY(co_await m.commit());
  co_return result_of(places);
}

}  // namespace

io::Task<Result<Renamed>> LocalService::rename(const Credentials& who, InodeId parent, std::string_view name,
                                               InodeId new_parent, std::string_view new_name, RenameOptions options) {
  const Request request{who, parent, name, new_parent, new_name, options};
  return mutate(*core_, [request](Mutation& m) { return attempt(m, request); });
}

}  // namespace firn::meta
