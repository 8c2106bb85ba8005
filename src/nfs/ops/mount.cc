// MOUNT version 3 (RFC 1813, appendix I).
#include "base/log.h"
#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

struct Mount {
  const Export* exported = nullptr;
  vfs::Attr top;
};

io::Task<Result<Mount>> find(Service& service, const Request& request, const std::optional<std::string>& path) {
  if (!path) co_return fail(Code::kInvalid);
  Mount mount;
  mount.exported = service.exports().holding(*path);
  if (!mount.exported || !mount.exported->access_of(request.peer)) co_return fail(Code::kAccessDenied);
  mount.top = CO_TRY(co_await service.walk(*path));
  co_return mount;
}

}  // namespace

io::Task<Accepted> mount(Service& service, Request& request) {
  const std::string_view text = request.in.string(kMaxPathBytes);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  const std::optional<std::string> path = plain_path(text);
  const Result<Mount> found = co_await find(service, request, path);
  put_status(request.out, found);
  if (!found) {
    log::info("nfs: {} may not mount {}: {}", request.peer.name, text, found.error().to_string());
    co_return Accepted::kSuccess;
  }
  put_handle(service, request.out, found->exported->id, found->top);
  request.out.u32(2);  // flavours of authentication
  request.out.u32(static_cast<uint32_t>(AuthFlavor::kSys));
  request.out.u32(static_cast<uint32_t>(AuthFlavor::kNone));
  log::info("nfs: {} mounts {}", request.peer.name, *path);
  service.mounted().add({request.peer.name, *path});
  co_return Accepted::kSuccess;
}

io::Task<Accepted> dump(Service& service, Request& request) {
  for (const Mounted::Entry& entry : service.mounted().all()) {
    request.out.boolean(true);
    request.out.string(entry.host);
    request.out.string(entry.path);
  }
  request.out.boolean(false);
  co_return Accepted::kSuccess;
}

io::Task<Accepted> unmount(Service& service, Request& request) {
  const std::string_view text = request.in.string(kMaxPathBytes);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  service.mounted().remove({request.peer.name, plain_path(text).value_or("")});
  co_return Accepted::kSuccess;
}

io::Task<Accepted> unmount_all(Service& service, Request& request) {
  service.mounted().remove_host(request.peer.name);
  co_return Accepted::kSuccess;
}

io::Task<Accepted> exports(Service& service, Request& request) {
  for (const Export& exported : service.exports().all()) {
    request.out.boolean(true);
    request.out.string(exported.path);
    for (const Access& access : exported.clients) {
      request.out.boolean(true);
      request.out.string(access.from.text);
    }
    request.out.boolean(false);
  }
  request.out.boolean(false);
  co_return Accepted::kSuccess;
}

}  // namespace firn::nfs::ops
