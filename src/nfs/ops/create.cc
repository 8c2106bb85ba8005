// CREATE.
#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

enum class How : uint32_t { kUnchecked = 0, kGuarded = 1, kExclusive = 2 };

// Of files whose client gives no mode: it will.
constexpr uint32_t kDefaultMode = 0600;

struct CreateArguments {
  DirectoryName where;
  uint32_t how;
  NewAttributes wanted;
  std::span<const std::byte> verifier;

  explicit CreateArguments(XdrReader& in) : where(read_directory_name(in)), how(in.u32()) {
    if (how == static_cast<uint32_t>(How::kExclusive)) {
      verifier = in.fixed(kVerifierBytes);
    } else {
      wanted = read_new_attributes(in);
    }
  }
  bool valid() const { return how <= static_cast<uint32_t>(How::kExclusive); }
};

// An exclusive create's verifier is kept as the file's times until the client sets them: a client that asks again,
// after a restart too, is told that it made the file.
struct VerifierTimes {
  Timestamp atime, mtime;
  explicit VerifierTimes(std::span<const std::byte> verifier)
      : atime{load_be<uint32_t>(verifier.data()), 0}, mtime{load_be<uint32_t>(verifier.data() + 4), 0} {}
  bool of(const vfs::Attr& attr) const { return attr.atime == atime && attr.mtime == mtime; }
};

// The file gets its name when all else is done, so that no crash leaves one without the verifier.
io::Task<Result<vfs::Attr>> make_exclusive(Service& service, const Target& directory, const CreateArguments& arguments,
                                           meta::Witness& witness) {
  const VerifierTimes times(arguments.verifier);
  const FilePlace place = CO_TRY(co_await service.files().enter());
  vfs::Volume& volume = service.volume();
  Result<vfs::Attr> there = co_await volume.lookup(directory.who, directory.inode(), arguments.where.name);
  if (there) co_return times.of(*there) ? std::move(there) : fail(Code::kExists);
  if (there.error().code() != Code::kNotFound) co_return there;
  CO_TRY(co_await volume.access(directory.who, directory.inode(), W_OK | X_OK));
  const vfs::Opened opened = CO_TRY(
      co_await volume.create_unnamed(directory.who, directory.inode(), {.mode = kDefaultMode}, {.flags = O_RDWR}));
  vfs::Change change;
  change.attributes.atime = times.atime;
  change.attributes.mtime = times.mtime;
  Result<vfs::Attr> made = co_await volume.setattr(directory.who, opened.attr.inode, change, opened.handle);
  const meta::Credentials who = witnessed(directory, witness);
  if (made) made = co_await volume.link(who, opened.attr.inode, directory.inode(), arguments.where.name);
  const Result<void> released = co_await volume.release(opened.handle);
  if (!made) co_return made;
  CO_TRY(Result<void>(released));
  co_return co_await volume.getattr(opened.attr.inode);
}

// Of a file that is there, UNCHECKED changes the size and nothing else.
io::Task<Result<vfs::Attr>> reuse(Service& service, const Target& directory, const CreateArguments& arguments) {
  vfs::Volume& volume = service.volume();
  Target file = directory;
  file.attr = CO_TRY(co_await volume.lookup(directory.who, directory.inode(), arguments.where.name));
  if (file.attr.type != meta::FileType::kRegular) co_return fail(Code::kExists);
  if (!arguments.wanted.size) co_return file.attr;
  CO_TRY(co_await service.check(file, W_OK));
  meta::Credentials who = directory.who;
  who.kernel_checked = true;
  co_return co_await volume.setattr(who, file.inode(), {.attributes = {}, .size = arguments.wanted.size}, nullptr);
}

// What a server that died has made: perhaps without the attributes, and others may have written to it since.
io::Task<Result<vfs::Attr>> finish_making(Service& service, const Target& directory, const CreateArguments& arguments,
                                          InodeId done) {
  vfs::Attr made = CO_TRY(co_await service.volume().getattr(done));
  NewAttributes wanted = arguments.wanted;
  if (made.size != 0) wanted.size.reset();
  co_return co_await set_new_attributes(service, directory, std::move(made), wanted);
}

io::Task<Result<vfs::Attr>> make(Service& service, const Target& directory, const CreateArguments& arguments,
                                 meta::Witness& witness) {
  const meta::NodeSpec spec{.mode = arguments.wanted.mode.value_or(kDefaultMode) & 07777};
  const meta::Credentials who = witnessed(directory, witness);
  FilePlace place = CO_TRY(co_await service.files().enter());
  Result<vfs::Opened> opened =
      co_await service.volume().create(who, directory.inode(), arguments.where.name, spec, {.flags = O_RDWR | O_EXCL});
  if (!opened && opened.error().code() == Code::kExists && arguments.how == static_cast<uint32_t>(How::kUnchecked))
    co_return co_await reuse(service, directory, arguments);
  if (!opened) co_return fail(std::move(opened).error());
  // It will be written next.
  service.files().adopt(opened->attr.inode, opened->handle, std::move(place));
  co_return co_await set_new_attributes(service, directory, opened->attr, arguments.wanted);
}

}  // namespace

io::Task<Accepted> create(Service& service, Request& request) {
  const CreateArguments arguments(request.in);
  if (!request.in.ok() || !arguments.valid()) co_return Accepted::kGarbageArguments;
  WeakCache cache;
  const Result<Target> directory = co_await directory_to_change(service, request, arguments.where, cache);
  Result<vfs::Attr> made = fail(directory ? Code::kIo : directory.error().code());
  if (directory) {
    const bool exclusive = arguments.how == static_cast<uint32_t>(How::kExclusive);
    meta::Witness witness(request.id);
    made = co_await (request.done ? finish_making(service, *directory, arguments, *request.done)
                     : exclusive  ? make_exclusive(service, *directory, arguments, witness)
                                  : make(service, *directory, arguments, witness));
    cache = co_await service.weak_cache(directory->inode(), witness);
    const Result<void> settled = co_await service.settle(directory->inode());
    if (made && !settled) made = fail(settled.error());
  }
  put_made(service, request.out, directory ? directory->exported->id : 0, made, cache);
  co_return Accepted::kSuccess;
}

}  // namespace firn::nfs::ops
