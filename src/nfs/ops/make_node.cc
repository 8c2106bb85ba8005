// MKDIR, SYMLINK and MKNOD.
#include <sys/sysmacros.h>

#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

constexpr uint32_t kDefaultMode = 0700;

io::Task<Result<vfs::Attr>> make(Service& service, const Target& directory, std::string_view name,
                                 const meta::NodeSpec& spec, const NewAttributes& wanted, std::optional<InodeId> done,
                                 meta::Witness& witness) {
  const meta::Credentials who = witnessed(directory, witness);
  vfs::Attr made = CO_TRY(co_await (done ? service.volume().getattr(*done)
                                         : service.volume().make_node(who, directory.inode(), name, spec)));
  co_return co_await set_new_attributes(service, directory, std::move(made), wanted);
}

io::Task<Accepted> make_and_answer(Service& service, Request& request, DirectoryName where, meta::NodeSpec spec,
                                   NewAttributes wanted) {
  WeakCache cache;
  const Result<Target> directory = co_await directory_to_change(service, request, where, cache);
  Result<vfs::Attr> made = fail(directory ? Code::kIo : directory.error().code());
  if (directory) {
    meta::Witness witness(request.id);
    made = co_await make(service, *directory, where.name, spec, wanted, request.done, witness);
    cache = co_await service.weak_cache(directory->inode(), witness);
    const Result<void> settled = co_await service.settle(directory->inode());
    if (made && !settled) made = fail(settled.error());
  }
  put_made(service, request.out, directory ? directory->exported->id : 0, made, cache);
  co_return Accepted::kSuccess;
}

}  // namespace

io::Task<Accepted> mkdir(Service& service, Request& request) {
  const DirectoryName where = read_directory_name(request.in);
  NewAttributes wanted = read_new_attributes(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  wanted.size.reset();
  const meta::NodeSpec spec{.type = meta::FileType::kDirectory, .mode = wanted.mode.value_or(kDefaultMode) & 07777};
  co_return co_await make_and_answer(service, request, where, spec, wanted);
}

io::Task<Accepted> symlink(Service& service, Request& request) {
  const DirectoryName where = read_directory_name(request.in);
  NewAttributes wanted = read_new_attributes(request.in);
  const std::string_view target = request.in.string(kMaxPathBytes);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  wanted.size.reset();
  const meta::NodeSpec spec{.type = meta::FileType::kSymlink, .mode = 0777, .target = std::string(target)};
  co_return co_await make_and_answer(service, request, where, spec, wanted);
}

io::Task<Accepted> mknod(Service& service, Request& request) {
  const DirectoryName where = read_directory_name(request.in);
  const std::optional<meta::FileType> type = file_type_of(request.in.u32());
  const bool device = type == meta::FileType::kCharDevice || type == meta::FileType::kBlockDevice;
  const bool possible = device || type == meta::FileType::kSocket || type == meta::FileType::kFifo;
  NewAttributes wanted;
  if (possible) wanted = read_new_attributes(request.in);
  meta::NodeSpec spec{.type = type.value_or(meta::FileType::kFifo), .mode = wanted.mode.value_or(kDefaultMode) & 07777};
  if (device) {
    const uint32_t major_number = request.in.u32();
    spec.rdev = makedev(major_number, request.in.u32());
  }
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  if (!possible) {
    put_status(request.out, NfsStatus::kBadType);
    put_weak_cache(request.out, {}, service.volume_id());
    co_return Accepted::kSuccess;
  }
  wanted.size.reset();
  co_return co_await make_and_answer(service, request, where, spec, wanted);
}

}  // namespace firn::nfs::ops
