// LOOKUP and READLINK.
#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

// Nobody climbs out of what was exported.
io::Task<Result<vfs::Attr>> parent_of(Service& service, const Target& target) {
  if (target.exported->path != "/") {
    const vfs::Attr top = CO_TRY(co_await service.walk(target.exported->path));
    if (top.inode == target.inode()) co_return target.attr;
  }
  co_return co_await service.volume().getattr(target.attr.parent);
}

io::Task<Result<vfs::Attr>> find(Service& service, const Target& target, std::string_view name) {
  if (target.attr.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  if (name == "." || name == "..") {
    CO_TRY(co_await service.volume().access(target.who, target.inode(), 1 /* X_OK */));
    if (name == ".") co_return target.attr;
    co_return co_await parent_of(service, target);
  }
  CO_TRY(check_name(name));
  co_return co_await service.volume().lookup(target.who, target.inode(), name);
}

io::Task<Result<std::string>> target_of(Service& service, const Target& link) {
  if (link.attr.type != meta::FileType::kSymlink) co_return fail(Code::kInvalid);
  co_return co_await service.volume().readlink(link.inode());
}

}  // namespace

io::Task<Accepted> lookup(Service& service, Request& request) {
  const DirectoryName what = read_directory_name(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  const Result<Target> directory = co_await service.resolve(request, what.directory);
  Result<vfs::Attr> found = directory ? co_await find(service, *directory, what.name) : fail(directory.error());
  put_status(request.out, found);
  if (found) {
    put_handle(service, request.out, directory->exported->id, *found);
    put_optional_attributes(request.out, *found, service.volume_id());
  }
  put_optional_attributes(request.out, directory ? std::optional(directory->attr) : std::nullopt, service.volume_id());
  co_return Accepted::kSuccess;
}

io::Task<Accepted> readlink(Service& service, Request& request) {
  const auto handle = read_handle(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  const Result<Target> link = co_await service.resolve(request, handle);
  const Result<std::string> path = link ? co_await target_of(service, *link) : fail(link.error());
  put_status(request.out, path);
  put_optional_attributes(request.out, link ? std::optional(link->attr) : std::nullopt, service.volume_id());
  if (path) request.out.string(*path);
  co_return Accepted::kSuccess;
}

}  // namespace firn::nfs::ops
