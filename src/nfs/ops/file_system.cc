// FSSTAT, FSINFO and PATHCONF.
#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

using Body = io::Task<Result<void>> (*)(Service&, XdrWriter&);

io::Task<Result<void>> put_usage(Service& service, XdrWriter& out) {
  const vfs::StatFs usage = CO_TRY(co_await service.volume().statfs());
  out.u64(usage.blocks * usage.block_bytes);
  out.u64(usage.free_blocks * usage.block_bytes);
  out.u64(usage.available_blocks * usage.block_bytes);
  out.u64(usage.inodes);
  out.u64(usage.free_inodes);
  out.u64(usage.free_inodes);
  out.u32(0);  // it may change at any time
  co_return {};
}

io::Task<Result<void>> put_limits(Service& service, XdrWriter& out) {
  const vfs::StatFs volume = CO_TRY(co_await service.volume().statfs());
  constexpr uint32_t kBlock = 4096, kListing = 64 << 10;
  constexpr uint32_t kHardLinks = 1, kSymlinks = 2, kHomogeneous = 8, kCanSetTime = 16;
  for (int i = 0; i < 2; ++i) {  // of reading, and of writing: most, preferred, a multiple of
    out.u32(kMaxTransferBytes);
    out.u32(kMaxTransferBytes);
    out.u32(kBlock);
  }
  out.u32(kListing);
  out.u64(volume.most_file_bytes);
  put_time(out, {.seconds = 0, .nanoseconds = 1});
  out.u32(kHardLinks | kSymlinks | kHomogeneous | kCanSetTime);
  co_return {};
}

io::Task<Result<void>> put_path_limits(Service&, XdrWriter& out) {
  out.u32(meta::kMaxLinks);
  out.u32(meta::kMaxNameBytes);
  out.boolean(true);   // longer names are refused, not cut
  out.boolean(true);   // only root gives files away
  out.boolean(false);  // case matters,
  out.boolean(true);   // and is kept
  co_return {};
}

io::Task<Accepted> answer(Service& service, Request& request, Body body) {
  const auto handle = read_handle(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  const size_t begin = request.out.size();
  const Result<Target> target = co_await service.resolve(request, handle);
  const std::optional<vfs::Attr> attr = target ? std::optional(target->attr) : std::nullopt;
  put_status(request.out, target);
  put_optional_attributes(request.out, attr, service.volume_id());
  if (!target) co_return Accepted::kSuccess;
  if (const Result<void> done = co_await body(service, request.out); !done) {
    request.out.truncate(begin);
    put_status(request.out, done);
    put_optional_attributes(request.out, attr, service.volume_id());
  }
  co_return Accepted::kSuccess;
}

}  // namespace

io::Task<Accepted> fsstat(Service& service, Request& request) { return answer(service, request, put_usage); }
io::Task<Accepted> fsinfo(Service& service, Request& request) { return answer(service, request, put_limits); }
io::Task<Accepted> pathconf(Service& service, Request& request) { return answer(service, request, put_path_limits); }

}  // namespace firn::nfs::ops
