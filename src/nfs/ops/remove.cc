// REMOVE and RMDIR.
#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

// What is about to lose its last name had better not be open: then it goes at once.
io::Task<void> forget(Service& service, const Target& directory, std::string_view name) {
  if (service.files().empty()) co_return;
  const Result<vfs::Attr> victim = co_await service.volume().lookup(directory.who, directory.inode(), name);
  if (victim && victim->nlink == 1) co_await service.files().forget(victim->inode);
}

enum class What : uint8_t { kName, kDirectory };

io::Task<Result<void>> take_away(Service& service, const Request& request, const DirectoryName& where, What what,
                                 WeakCache& cache) {
  const Target directory = CO_TRY(co_await directory_to_change(service, request, where, cache));
  if (what == What::kName && !request.done) co_await forget(service, directory, where.name);
  vfs::Volume& volume = service.volume();
  meta::Witness witness(request.id);
  const meta::Credentials who = witnessed(directory, witness);
  Result<void> removed;
  if (!request.done) {
    removed = co_await (what == What::kName ? volume.unlink(who, directory.inode(), where.name)
                                            : volume.rmdir(who, directory.inode(), where.name));
  }
  cache = co_await service.weak_cache(directory.inode(), witness);
  CO_TRY(std::move(removed));
  co_return co_await service.settle(directory.inode());
}

io::Task<Accepted> answer(Service& service, Request& request, What what) {
  const DirectoryName where = read_directory_name(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  WeakCache cache;
  put_status(request.out, co_await take_away(service, request, where, what, cache));
  put_weak_cache(request.out, cache, service.volume_id());
  co_return Accepted::kSuccess;
}

}  // namespace

io::Task<Accepted> remove(Service& service, Request& request) { return answer(service, request, What::kName); }
io::Task<Accepted> rmdir(Service& service, Request& request) { return answer(service, request, What::kDirectory); }

}  // namespace firn::nfs::ops
