// RENAME and LINK.
#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

struct RenameCaches {
  WeakCache from, to;
};

// What the new name names now, and will no more.
io::Task<void> forget_replaced(Service& service, const Target& directory, std::string_view name) {
  if (service.files().empty()) co_return;
  const Result<vfs::Attr> victim = co_await service.volume().lookup(directory.who, directory.inode(), name);
  if (victim && victim->nlink == 1 && victim->type == meta::FileType::kRegular)
    co_await service.files().forget(victim->inode);
}

io::Task<Result<void>> move(Service& service, const Request& request, const DirectoryName& from,
                            const DirectoryName& to, RenameCaches& caches) {
  const Target source = CO_TRY(co_await directory_to_change(service, request, from, caches.from));
  const Target target = CO_TRY(co_await directory_to_change(service, request, to, caches.to));
  if (source.exported != target.exported) co_return fail(Code::kCrossDevice);
  meta::Witness witness(request.id);
  const meta::Credentials who = witnessed(source, witness);
  Result<void> moved;
  if (!request.done) {
    if (source.inode() != target.inode() || from.name != to.name) co_await forget_replaced(service, target, to.name);
    moved = co_await service.volume().rename(who, source.inode(), from.name, target.inode(), to.name,
                                             meta::RenameOptions());
  }
  caches.from = co_await service.weak_cache(source.inode(), witness);
  caches.to = co_await service.weak_cache(target.inode(), witness);
  CO_TRY(std::move(moved));
  co_return co_await service.settle(target.inode());
}

struct Linked {
  std::optional<vfs::Attr> file;
  WeakCache directory;
};

io::Task<Result<void>> give_name(Service& service, const Request& request, std::span<const std::byte> handle,
                                 const DirectoryName& where, Linked& linked) {
  const Target file = CO_TRY(co_await service.resolve_to_change(request, handle));
  linked.file = file.attr;
  const Target directory = CO_TRY(co_await directory_to_change(service, request, where, linked.directory));
  if (file.exported != directory.exported) co_return fail(Code::kCrossDevice);
  meta::Witness witness(request.id);
  const meta::Credentials who = witnessed(directory, witness);
  Result<vfs::Attr> made = file.attr;
  if (!request.done) made = co_await service.volume().link(who, file.inode(), directory.inode(), where.name);
  linked.file = co_await service.attributes(file.inode());
  linked.directory = co_await service.weak_cache(directory.inode(), witness);
  if (!made) co_return fail(made.error());
  co_return co_await service.settle(directory.inode());
}

}  // namespace

io::Task<Accepted> rename(Service& service, Request& request) {
  const DirectoryName from = read_directory_name(request.in);
  const DirectoryName to = read_directory_name(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  RenameCaches caches;
  put_status(request.out, co_await move(service, request, from, to, caches));
  put_weak_cache(request.out, caches.from, service.volume_id());
  put_weak_cache(request.out, caches.to, service.volume_id());
  co_return Accepted::kSuccess;
}

io::Task<Accepted> link(Service& service, Request& request) {
  const auto file = read_handle(request.in);
  const DirectoryName where = read_directory_name(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  Linked linked;
  put_status(request.out, co_await give_name(service, request, file, where, linked));
  put_optional_attributes(request.out, linked.file, service.volume_id());
  put_weak_cache(request.out, linked.directory, service.volume_id());
  co_return Accepted::kSuccess;
}

}  // namespace firn::nfs::ops
