#include "migrate/placement.h"

#include <fmt/format.h>

#include "meta/file_type.h"

namespace firn::migrate {

namespace {

constexpr int kMostNames = 1000;  // that OnConflict::kRename tries

std::string beside(const std::string& name, int number) {
  const std::string suffix = number == 1 ? ".migrated" : fmt::format(".migrated-{}", number);
  return name.substr(0, meta::kMaxNameBytes - suffix.size()) + suffix;
}

Placed different(std::string reason) { return {.outcome = Outcome::kFailed, .reason = std::move(reason)}; }

}  // namespace

io::Task<Result<Placed>> Placement::place(Place place, SourceEntry& entry) {
  const bool has_others = entry.stat.links > 1;
  if (!has_others) co_return co_await place_one(place, entry);
  const auto lock = co_await links_.mutex_of(entry.stat.key).lock();
  std::optional<InodeId> known = links_.find(entry.stat.key);
  if (!known) {
    known = CO_TRY(co_await made_earlier(place, entry));
    if (known) links_.made(entry.stat.key, entry.stat.links + 1, *known);  // this name is still to be dealt with
  }
  if (known) {
    Result<Placed> linked = co_await place_link(place, entry, *known);
    const bool of_its_own = linked && linked->outcome == Outcome::kCopied;
    if (of_its_own) {
      links_.made(entry.stat.key, entry.stat.links, linked->inode);
    } else {
      links_.linked(entry.stat.key);
    }
    co_return linked;
  }
  Result<Placed> placed = co_await place_one(place, entry);
  // In a dry run nothing has an inode yet; that it has been seen is enough.
  const bool imagined = options_.mode == Mode::kDryRun && placed && placed->outcome == Outcome::kCopied;
  if (placed && (placed->inode || imagined)) links_.made(entry.stat.key, entry.stat.links, placed->inode);
  co_return placed;
}

io::Task<Result<std::optional<InodeId>>> Placement::made_earlier(Place place, SourceEntry& entry) {
  const auto found = earlier_.find(entry.stat.key);
  if (found == earlier_.end() || !copies()) co_return std::nullopt;
  const Result<Attr> there = co_await target_.lookup(place.folder, entry.name);
  if (there || there.error() != Code::kNotFound) co_return std::nullopt;
  const Result<Attr> made = co_await target_.getattr(found->second);
  bool damaged = false;
  if (!made || made->nlink == 0 || made->type != entry.stat.type || !CO_TRY(co_await is_same(*made, entry, &damaged)))
    co_return std::nullopt;
  CO_TRY(co_await keep(*made, entry.stat, entry.xattrs, true));
  co_return found->second;
}

io::Task<Result<Placed>> Placement::place_link(Place place, SourceEntry& entry, InodeId inode) {
  Result<Attr> there = fail(Code::kNotFound);
  if (place.folder && !place.is_new) there = co_await target_.lookup(place.folder, entry.name);
  if (there && there->inode == inode) co_return Placed{.outcome = Outcome::kUnchanged, .reason = {}, .inode = inode};
  if (options_.mode == Mode::kVerify)
    co_return different(there ? "is not the same file as its other names" : "is not in the volume");
  const Placed linked{.outcome = Outcome::kLinked, .reason = {}, .inode = inode};
  if (!there && there.error() != Code::kNotFound) co_return fail(there.error());
  if (!copies() && !there) co_return linked;
  if (!there) {
    const Result<void> done = co_await target_.link(inode, place.folder, entry.name, false);
    if (done) co_return linked;
    // As many names as a volume's file can have: the rest are a file of their own.
    if (done.error() == Code::kTooManyLinks) co_return co_await place_one(place, entry);
    if (done.error() != Code::kExists) co_return fail(done.error());
    there = CO_TRY(co_await target_.lookup(place.folder, entry.name));
  }
  bool damaged = false;
  if (there->type != entry.stat.type || !CO_TRY(co_await is_same(*there, entry, &damaged)))
    co_return co_await resolve(place, entry, *there, damaged, inode);
  // An equal file of its own, from a run that met the names in another order.
  if (copies()) CO_TRY(co_await target_.link(inode, place.folder, entry.name, true));
  co_return linked;
}

io::Task<Result<Placed>> Placement::place_one(Place place, SourceEntry& entry) {
  for (int attempt = 0;; ++attempt) {
    Result<Attr> there = fail(Code::kNotFound);
    const bool look = place.folder && (!place.is_new || attempt > 0);
    if (look) there = co_await target_.lookup(place.folder, entry.name);
    if (there) co_return co_await reconcile(place, entry, *there);
    if (there.error() != Code::kNotFound) co_return fail(there.error());
    if (options_.mode == Mode::kVerify) co_return different("is not in the volume");
    if (!copies()) co_return Placed{};
    const Result<Attr> made = co_await target_.make(place.folder, entry.name, entry);
    if (made) co_return Placed{.outcome = Outcome::kCopied, .reason = {}, .inode = made->inode};
    // Somebody else made it meanwhile.
    if (made.error() != Code::kExists || attempt > 0) co_return fail(made.error());
  }
}

io::Task<Result<bool>> Placement::is_same(const Attr& there, SourceEntry& entry, bool* damaged) {
  *damaged = false;
  switch (entry.stat.type) {
    case meta::FileType::kRegular:
      break;
    case meta::FileType::kSymlink:
      co_return CO_TRY(co_await target_.readlink(there.inode)) == entry.target;
    case meta::FileType::kCharDevice:
    case meta::FileType::kBlockDevice:
      co_return there.rdev == entry.stat.rdev;
    default:
      co_return true;
  }
  const bool in_metadata = !there.content.backing && entry.stat.size <= options_.inline_max_bytes;
  const bool doubtful = doubtful_since_ && !in_metadata && there.ctime >= *doubtful_since_;
  if (!doubtful) co_return there.size == entry.stat.size&& there.mtime == entry.stat.mtime;
  *damaged = !CO_TRY(co_await target_.same_content(there, entry));
  co_return !*damaged;
}

io::Task<Result<Placed>> Placement::reconcile(Place place, SourceEntry& entry, Attr there) {
  if (options_.mode == Mode::kVerify) co_return co_await verify(entry, std::move(there));
  bool damaged = false;
  const bool same = there.type == entry.stat.type && CO_TRY(co_await is_same(there, entry, &damaged));
  if (same) co_return co_await keep(there, entry.stat, entry.xattrs, true);
  co_return co_await resolve(place, entry, std::move(there), damaged, {});
}

io::Task<Result<Placed>> Placement::keep(const Attr& there, const SourceStat& stat, Attributes xattrs, bool times) {
  Attr looked_at = there;
  if (!times) looked_at.mtime = stat.mtime;
  const std::string what = CO_TRY(co_await target_.difference(looked_at, stat, xattrs));
  if (what.empty()) co_return Placed{.outcome = Outcome::kUnchanged, .reason = {}, .inode = there.inode};
  const bool sets_times = times && there.mtime != stat.mtime;
  if (copies()) CO_TRY(co_await target_.bring_up_to_date(there, stat, std::move(xattrs), sets_times));
  co_return Placed{.outcome = Outcome::kUpdated, .reason = what, .inode = there.inode};
}

io::Task<Result<Placed>> Placement::resolve(Place place, SourceEntry& entry, Attr there, bool damaged, InodeId other) {
  const bool in_the_way = there.type == meta::FileType::kDirectory;
  const std::string what = there.type == entry.stat.type
                               ? "another file of that name is in the volume"
                               : fmt::format("a {} of that name is in the volume", meta::name_of(there.type));
  const OnConflict rule = damaged ? OnConflict::kOverwrite : options_.on_conflict;
  if (rule == OnConflict::kRename) co_return co_await rename_beside(place, entry, other);
  if (rule == OnConflict::kNewer && entry.stat.mtime <= there.mtime)
    co_return Placed{.outcome = Outcome::kSkipped, .reason = what + ", and is not older"};
  if (rule == OnConflict::kSkip) co_return Placed{.outcome = Outcome::kSkipped, .reason = what};
  if (rule == OnConflict::kFail || in_the_way) co_return different(what);
  const std::string reason = damaged ? "a power cut had damaged it" : what;
  Placed placed{.outcome = Outcome::kReplaced, .reason = reason, .inode = other};
  if (!copies()) co_return placed;
  if (other) {
    CO_TRY(co_await target_.link(other, place.folder, entry.name, true));
  } else {
    placed.inode = CO_TRY(co_await target_.replace(place.folder, entry.name, entry)).inode;
  }
  co_return placed;
}

// What an earlier run has put there is found again.
io::Task<Result<Placed>> Placement::rename_beside(Place place, SourceEntry& entry, InodeId other) {
  const std::string first = entry.name;
  for (int number = 1; number < kMostNames; ++number) {
    const std::string name = beside(first, number);
    const Result<Attr> there = co_await target_.lookup(place.folder, name);
    if (!there && there.error() != Code::kNotFound) co_return fail(there.error());
    bool damaged = false;
    if (there && (there->type != entry.stat.type || !CO_TRY(co_await is_same(*there, entry, &damaged)))) continue;
    if (there) co_return co_await keep(*there, entry.stat, entry.xattrs, true);
    Placed placed{.outcome = Outcome::kRenamed, .reason = "is " + name + " in the volume", .inode = other};
    if (!copies()) co_return placed;
    if (other) {
      CO_TRY(co_await target_.link(other, place.folder, name, false));
    } else {
      placed.inode = CO_TRY(co_await target_.make(place.folder, name, entry)).inode;
    }
    co_return placed;
  }
  co_return different("no other name is free");
}

io::Task<Result<Placed>> Placement::verify(SourceEntry& entry, Attr there) {
  if (there.type != entry.stat.type)
    co_return different(fmt::format("is a {} in the volume", meta::name_of(there.type)));
  bool same = true;
  if (entry.stat.type == meta::FileType::kRegular) {
    same = CO_TRY(co_await target_.same_content(there, entry));
  } else {
    bool damaged = false;
    same = CO_TRY(co_await is_same(there, entry, &damaged));
  }
  if (!same) co_return different("the content differs");
  const std::string what = CO_TRY(co_await target_.difference(there, entry.stat, entry.xattrs));
  if (!what.empty()) co_return different(what + " differ");
  co_return Placed{.outcome = Outcome::kUnchanged, .reason = {}, .inode = there.inode};
}

io::Task<Result<Placed>> Placement::place_folder(Place place, std::string name, const SourceStat& stat,
                                                 Attributes xattrs) {
  if (!place.folder) co_return Placed{};
  if (copies()) {
    const Result<Attr> made = co_await target_.make_folder(place.folder, name, stat, xattrs);
    if (made) co_return Placed{.outcome = Outcome::kCopied, .reason = {}, .inode = made->inode};
    if (made.error() != Code::kExists) co_return fail(made.error());
  }
  const Result<Attr> there = co_await target_.lookup(place.folder, name);
  if (!there && there.error() != Code::kNotFound) co_return fail(there.error());
  if (!there && options_.mode == Mode::kDryRun) co_return Placed{};
  if (!there) co_return different("is not in the volume");
  if (there->type == meta::FileType::kDirectory) {
    if (options_.mode != Mode::kVerify) co_return co_await keep(*there, stat, std::move(xattrs), false);
    const std::string what = CO_TRY(co_await target_.difference(*there, stat, std::move(xattrs)));
    if (what.empty()) co_return Placed{.outcome = Outcome::kUnchanged, .reason = {}, .inode = there->inode};
    co_return Placed{.outcome = Outcome::kFailed, .reason = what + " differ", .inode = there->inode};
  }
  const std::string what = fmt::format("a {} of that name is in the volume; nothing in the folder was looked at",
                                       meta::name_of(there->type));
  const bool replaces =
      options_.mode == Mode::kCopy && (options_.on_conflict == OnConflict::kOverwrite ||
                                       (options_.on_conflict == OnConflict::kNewer && stat.mtime > there->mtime));
  if (replaces) {
    CO_TRY(co_await target_.unlink(place.folder, name));
    const Attr made = CO_TRY(co_await target_.make_folder(place.folder, name, stat, std::move(xattrs)));
    co_return Placed{.outcome = Outcome::kReplaced, .reason = what, .inode = made.inode};
  }
  const bool skips = options_.on_conflict == OnConflict::kSkip || options_.on_conflict == OnConflict::kNewer;
  co_return Placed{.outcome = skips ? Outcome::kSkipped : Outcome::kFailed, .reason = what};
}

}  // namespace firn::migrate
