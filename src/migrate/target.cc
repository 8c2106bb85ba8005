#include "migrate/target.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/checksum.h"

namespace firn::migrate {

namespace {

constexpr size_t kPieceBytes = 1 << 20;
const meta::Credentials kRoot{};

meta::NodeSpec spec_of(const SourceStat& stat, const std::string& target, const meta::Likeness* like) {
  meta::NodeSpec spec;
  spec.type = stat.type;
  spec.mode = stat.mode;
  spec.rdev = stat.rdev;
  spec.target = target;
  spec.like = like;
  return spec;
}

meta::Likeness likeness_of(const SourceStat& stat, Attributes xattrs) {
  return {.uid = stat.uid,
          .gid = stat.gid,
          .atime = stat.atime,
          .mtime = stat.mtime,
          .xattrs = std::move(xattrs),
          .content = {}};
}

vfs::Change times_of(const SourceStat& stat) {
  vfs::Change change;
  change.attributes.atime = stat.atime;
  change.attributes.mtime = stat.mtime;
  return change;
}

// Where something is made before it takes another one's name; the same for each try, so that none is left behind twice.
std::string passing_name(const std::string& name) { return fmt::format(".firn-migrate-{:016x}", checksum64(name)); }

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (end > at) names.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

}  // namespace

io::Task<Result<Attr>> Target::lookup(InodeId parent, std::string name) {
  co_return co_await parts_.volume.lookup(kRoot, parent, name);
}

io::Task<Result<InodeId>> Target::find_folder(std::string path, bool make) {
  InodeId folder = kRootInode;
  for (const std::string& name : names_in(path)) {
    if (name == "." || name == "..") co_return fail(Code::kInvalid, path + ": must not contain . and ..");
    Result<Attr> found = co_await parts_.volume.lookup(kRoot, folder, name);
    if (!found && found.error() == Code::kNotFound && make) {
      const meta::NodeSpec spec{.type = meta::FileType::kDirectory, .mode = 0755};
      found = co_await parts_.volume.make_node(kRoot, folder, name, spec);
    }
    if (!found) co_return fail(std::move(found).error().with_context(path));
    if (found->type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory, path + ": is not a folder");
    folder = found->inode;
  }
  co_return folder;
}

io::Task<Result<void>> Target::load(SourceEntry& entry) {
  const int file = entry.file.get();
  std::string content(entry.stat.size, '\0');
  const std::span<std::byte> buffer = std::as_writable_bytes(std::span(content));
  const size_t got = CO_TRY(co_await parts_.pool.run([file, buffer] { return read_at(file, 0, buffer); }));
  const SourceStat after = CO_TRY(co_await parts_.pool.run([file] { return stat_of(file); }));
  if (got != content.size() || !entry.stat.same_content(after)) co_return fail(Code::kWouldBlock);
  entry.content = std::move(content);
  co_return Result<void>();
}

io::Task<Result<Attr>> Target::make(InodeId parent, std::string name, SourceEntry& entry) {
  const bool regular = entry.stat.type == meta::FileType::kRegular;
  if (regular && entry.stat.size > options_.inline_max_bytes)
    co_return co_await make_large(parent, std::move(name), entry);
  if (regular && !entry.content) CO_TRY(co_await load(entry));
  meta::Likeness like = likeness_of(entry.stat, entry.xattrs);
  if (regular) like.content = *entry.content;
  const meta::NodeSpec spec = spec_of(entry.stat, entry.target, &like);
  Result<Attr> made = co_await parts_.volume.make_node(kRoot, parent, name, spec);
  if (made && entry.stat.links > 1) co_await notes_.file(entry.stat.key, made->inode);
  co_return made;
}

io::Task<Result<Attr>> Target::make_large(InodeId parent, std::string name, SourceEntry& entry) {
  const meta::Likeness like = likeness_of(entry.stat, entry.xattrs);
  const meta::NodeSpec spec = spec_of(entry.stat, {}, &like);
  const vfs::Opened opened =
      CO_TRY(co_await parts_.volume.create_unnamed(kRoot, parent, spec, {.flags = O_RDWR | O_NOATIME}));
  Result<Attr> made = co_await complete(opened, entry);
  // Known before it has a name: the next run does not copy what has one.
  if (made && entry.stat.links > 1) co_await notes_.file(entry.stat.key, opened.attr.inode);
  // The name before the last close, which is the end of what has none.
  if (made) made = co_await parts_.volume.link(kRoot, opened.attr.inode, parent, name);
  const Result<void> released = co_await parts_.volume.release(opened.handle);
  if (!made || released) co_return made;
  (void)co_await parts_.volume.unlink(kRoot, parent, name);
  co_return fail(released.error());
}

io::Task<Result<Attr>> Target::complete(const vfs::Opened& opened, SourceEntry& entry) {
  progress_.bytes -= std::exchange(entry.shown_bytes, 0);  // of an attempt before this one
  entry.is_equal = false;
  entry.shared_bytes = 0;
  std::optional<ContentHasher> hasher;
  if (options_.find_equal) hasher.emplace();
  CO_TRY(co_await fill(opened.handle, entry, hasher ? &*hasher : nullptr));
  if (hasher && entry.shown_bytes > 0) co_await sharing_.share(opened.handle, hasher->finish(entry.stat.size), entry);
  // While it is open, so that the backing has them too: after a crash it is asked.
  const vfs::Change change = times_of(entry.stat);
  co_return co_await parts_.volume.setattr(kRoot, opened.attr.inode, change, opened.handle);
}

io::Task<Result<void>> Target::fill(vfs::Handle* handle, SourceEntry& entry, ContentHasher* hasher) {
  const int file = entry.file.get();
  const uint64_t size = entry.stat.size;
  uint64_t offset = 0;
  for (;;) {
    const auto extent = CO_TRY(co_await parts_.pool.run([=] { return next_extent(file, offset, size); }));
    if (!extent) break;
    CO_TRY(co_await copy_extent(handle, entry, *extent, hasher));
    offset = extent->end;
  }
  if (offset < size) {
    vfs::Change change;
    change.size = size;
    CO_TRY(co_await parts_.volume.setattr(kRoot, vfs::Volume::inode_of(handle), change, handle));
  }
  const SourceStat after = CO_TRY(co_await parts_.pool.run([file] { return stat_of(file); }));
  if (!entry.stat.same_content(after)) co_return fail(Code::kWouldBlock);
  co_return Result<void>();
}

io::Task<Result<void>> Target::copy_extent(vfs::Handle* handle, SourceEntry& entry, Extent extent,
                                           ContentHasher* hasher) {
  std::vector<std::byte> buffer(std::min<uint64_t>(kPieceBytes, extent.end - extent.begin));
  const int file = entry.file.get();
  const auto read = [file, hasher](uint64_t at, std::span<std::byte> piece) {
    const Result<size_t> got = read_at(file, at, piece);
    if (got && hasher) hasher->add(piece.first(*got));
    return got;
  };
  if (hasher) hasher->begin(extent);
  for (uint64_t at = extent.begin; at < extent.end;) {
    if (progress_.stop.cancelled()) co_return fail(Code::kInterrupted);
    const auto piece = std::span(buffer).first(std::min<uint64_t>(buffer.size(), extent.end - at));
    const size_t got = CO_TRY(co_await parts_.pool.run([=] { return read(at, piece); }));
    if (got == 0) co_return fail(Code::kWouldBlock);  // it became shorter
    CO_TRY(co_await parts_.volume.write(handle, at, piece.first(got), {}));
    at += got;
    entry.shown_bytes += got;
    progress_.bytes += got;
  }
  co_return Result<void>();
}

io::Task<Result<Attr>> Target::replace(InodeId parent, std::string name, SourceEntry& entry) {
  const std::string passing = passing_name(name);
  Result<Attr> made = co_await make(parent, passing, entry);
  if (!made && made.error() == Code::kExists) {
    CO_TRY(co_await parts_.volume.unlink(kRoot, parent, passing));
    made = co_await make(parent, passing, entry);
  }
  if (!made) co_return made;
  const Result<void> renamed = co_await parts_.volume.rename(kRoot, parent, passing, parent, name, {});
  if (renamed) co_return made;
  (void)co_await parts_.volume.unlink(kRoot, parent, passing);
  co_return fail(renamed.error());
}

io::Task<Result<Attr>> Target::make_folder(InodeId parent, std::string name, const SourceStat& stat,
                                           Attributes xattrs) {
  const meta::Likeness like = likeness_of(stat, std::move(xattrs));
  const meta::NodeSpec spec = spec_of(stat, {}, &like);
  co_return co_await parts_.volume.make_node(kRoot, parent, name, spec);
}

io::Task<Result<void>> Target::link(InodeId inode, InodeId parent, std::string name, bool replacing) {
  const std::string passing = passing_name(name);
  const std::string first = replacing ? passing : name;
  Result<Attr> linked = co_await parts_.volume.link(kRoot, inode, parent, first);
  if (!linked && linked.error() == Code::kExists && replacing) {
    CO_TRY(co_await parts_.volume.unlink(kRoot, parent, passing));
    linked = co_await parts_.volume.link(kRoot, inode, parent, first);
  }
  if (!linked) co_return fail(linked.error());
  if (replacing) CO_TRY(co_await parts_.volume.rename(kRoot, parent, passing, parent, name, {}));
  co_return Result<void>();
}

io::Task<Result<void>> Target::unlink(InodeId parent, std::string name) {
  co_return co_await parts_.volume.unlink(kRoot, parent, name);
}

io::Task<Result<bool>> Target::same_content(const Attr& there, const SourceEntry& entry) {
  if (there.size != entry.stat.size) co_return false;
  const vfs::Opened opened = CO_TRY(co_await parts_.volume.open(kRoot, there.inode, {.flags = O_RDONLY | O_NOATIME}));
  bool same = true;
  const Result<void> compared = co_await compare_pieces(opened.handle, entry, &same);
  (void)co_await parts_.volume.release(opened.handle);
  CO_TRY(Result<void>(compared));
  co_return same;
}

io::Task<Result<void>> Target::compare_pieces(vfs::Handle* handle, const SourceEntry& entry, bool* same) {
  std::vector<std::byte> ours(std::min<uint64_t>(kPieceBytes, entry.stat.size)), theirs(ours.size());
  const int file = entry.file.get();
  for (uint64_t at = 0; *same && at < entry.stat.size;) {
    if (progress_.stop.cancelled()) co_return fail(Code::kInterrupted);
    const uint64_t count = std::min<uint64_t>(ours.size(), entry.stat.size - at);
    const auto source = std::span(theirs).first(count);
    if (entry.content) {
      std::ranges::copy(std::as_bytes(std::span(*entry.content)).subspan(at, count), source.begin());
    } else if (CO_TRY(co_await parts_.pool.run([=] { return read_at(file, at, source); })) != count) {
      co_return fail(Code::kWouldBlock);
    }
    const auto target = std::span(ours).first(count);
    size_t got = 0;
    while (got < count) {
      const size_t more = CO_TRY(co_await parts_.volume.read(handle, at + got, target.subspan(got)));
      if (more == 0) break;
      got += more;
    }
    *same = got == count && std::ranges::equal(source, target);
    at += count;
  }
  co_return Result<void>();
}

io::Task<Result<Attributes>> Target::xattrs_of(const Attr& there) {
  Attributes found;
  if (there.xattr_count == 0) co_return found;
  for (const std::string& name : CO_TRY(co_await parts_.volume.listxattr(kRoot, there.inode))) {
    if (name.starts_with("user.firn.")) continue;  // the volume's own
    found.emplace_back(name, CO_TRY(co_await parts_.volume.getxattr(kRoot, there.inode, name)));
  }
  std::ranges::sort(found);
  co_return found;
}

io::Task<Result<std::string>> Target::difference(const Attr& there, const SourceStat& stat, Attributes xattrs) {
  std::string what;
  const auto add = [&what](bool differs, std::string_view name) {
    if (differs) what += fmt::format("{}{}", what.empty() ? "" : ", ", name);
  };
  add(there.type != meta::FileType::kSymlink && there.mode != stat.mode, "mode");
  add(there.uid != stat.uid || there.gid != stat.gid, "owner");
  add(there.mtime != stat.mtime, "time of change");
  std::ranges::sort(xattrs);
  add(CO_TRY(co_await xattrs_of(there)) != xattrs, "extended attributes");
  co_return what;
}

io::Task<Result<void>> Target::bring_up_to_date(const Attr& there, const SourceStat& stat, Attributes xattrs,
                                                bool times) {
  vfs::Change change;
  const bool owner = there.uid != stat.uid || there.gid != stat.gid;
  if (owner) {
    change.attributes.uid = stat.uid;
    change.attributes.gid = stat.gid;
  }
  // A change of owner takes set-id bits away, unless the mode is given too.
  const bool mode = there.type != meta::FileType::kSymlink && (owner || there.mode != stat.mode);
  if (mode) change.attributes.mode = stat.mode;
  if (times) {
    change.attributes.atime = stat.atime;
    change.attributes.mtime = stat.mtime;
  }
  if (owner || mode || times) CO_TRY(co_await parts_.volume.setattr(kRoot, there.inode, change, nullptr));
  const Attr now = CO_TRY(co_await parts_.volume.getattr(there.inode));
  const Attributes had = CO_TRY(co_await xattrs_of(now));
  std::ranges::sort(xattrs);
  for (const auto& [name, value] : had) {
    const auto same_name = [&name](const auto& one) { return one.first == name; };
    if (std::ranges::none_of(xattrs, same_name)) CO_TRY(co_await parts_.volume.removexattr(kRoot, there.inode, name));
  }
  for (const auto& one : xattrs)
    if (!std::ranges::binary_search(had, one))
      CO_TRY(co_await parts_.volume.setxattr(kRoot, there.inode, one.first, one.second, meta::XattrMode::kEither));
  co_return Result<void>();
}

io::Task<Result<void>> Target::set_times(InodeId folder, const SourceStat& stat) {
  const Attr there = CO_TRY(co_await parts_.volume.getattr(folder));
  if (there.mtime == stat.mtime) co_return Result<void>();
  const vfs::Change change = times_of(stat);
  CO_TRY(co_await parts_.volume.setattr(kRoot, folder, change, nullptr));
  co_return Result<void>();
}

}  // namespace firn::migrate
