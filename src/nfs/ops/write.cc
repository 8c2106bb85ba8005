// WRITE and COMMIT. Writes to one file run side by side, so that none can tell what was there right before it: the weak
// cache data is without it.
#include <sys/stat.h>
#include <unistd.h>

#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

enum class Stable : uint32_t { kUnstable = 0, kDataSync = 1, kFileSync = 2 };

struct WriteArguments {
  std::span<const std::byte> handle;
  uint64_t offset;
  uint32_t count;
  uint32_t stable;
  std::span<const std::byte> data;

  explicit WriteArguments(XdrReader& in)
      : handle(read_handle(in)),
        offset(in.u64()),
        count(in.u32()),
        stable(in.u32()),
        data(in.opaque(kMaxTransferBytes)) {}
  bool valid() const { return stable <= static_cast<uint32_t>(Stable::kFileSync) && data.size() == count; }
};

Status check_regular(const Target& target) {
  if (target.attr.type == meta::FileType::kDirectory) return Code::kIsDirectory;
  return target.attr.type == meta::FileType::kRegular ? Code::kOk : Code::kInvalid;
}

bool has_set_ids(const vfs::Attr& attr) { return (attr.mode & (S_ISUID | S_ISGID)) != 0; }

io::Task<void> write_back(vfs::Volume& volume, std::shared_ptr<OpenFile> file, UnstableWrites::Range range) {
  co_await volume.start_writeback(file->handle(), range.offset, range.bytes);
  file->unstable().asked();
}

io::Task<Result<void>> store(Service& service, const Request& request, const WriteArguments& arguments,
                             WeakCache& cache) {
  const Target target = CO_TRY(co_await service.resolve_to_change(request, arguments.handle));
  cache.after = target.attr;
  CO_TRY(check_regular(target));
  CO_TRY(co_await service.check(target, W_OK));
  if (arguments.offset > INT64_MAX - arguments.data.size()) co_return fail(Code::kFileTooBig);
  const auto file = CO_TRY(co_await service.files().get(target.inode(), Purpose::kWrite));
  const vfs::WriteOptions options{.kill_set_ids = !target.who.privileged() && has_set_ids(target.attr)};
  for (size_t done = 0; done < arguments.data.size();)
    done += CO_TRY(co_await service.volume().write(file->handle(), arguments.offset + done,
                                                   arguments.data.subspan(done), options));
  count_written(arguments.data.size());
  const auto stable = static_cast<Stable>(arguments.stable);
  if (stable != Stable::kUnstable) {
    CO_TRY(co_await service.volume().fsync(file->handle(), stable == Stable::kDataSync));
  } else if (const auto range = file->unstable().note(arguments.offset, arguments.data.size())) {
    io::detach(write_back(service.volume(), file, *range));
  }
  cache.after = co_await service.attributes(target.inode());
  co_return {};
}

io::Task<Result<void>> make_durable(Service& service, const Request& request, std::span<const std::byte> handle,
                                    WeakCache& cache) {
  const Target target = CO_TRY(co_await service.resolve_to_change(request, handle));
  cache.after = target.attr;
  CO_TRY(check_regular(target));
  CO_TRY(co_await service.check(target, W_OK));
  const auto file = CO_TRY(co_await service.files().get(target.inode(), Purpose::kRead));
  CO_TRY(co_await service.volume().fsync(file->handle(), false));
  // Of a file that was closed since, the volume may not know any more which commit was its last.
  CO_TRY(co_await service.volume().fsync_directory(target.inode()));
  cache.after = co_await service.attributes(target.inode());
  co_return {};
}

}  // namespace

io::Task<Accepted> write(Service& service, Request& request) {
  const WriteArguments arguments(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  WeakCache cache;
  // As it was before: what is lost from now on concerns these bytes.
  const uint64_t verifier = service.write_verifier();
  const Result<void> done =
      arguments.valid() ? co_await store(service, request, arguments, cache) : fail(Code::kInvalid);
  put_status(request.out, done);
  put_weak_cache(request.out, cache, service.volume_id());
  if (done) {
    request.out.u32(arguments.count);
    request.out.u32(arguments.stable);
    request.out.u64(verifier);
  }
  co_return Accepted::kSuccess;
}

io::Task<Accepted> commit(Service& service, Request& request) {
  const auto handle = read_handle(request.in);
  (void)request.in.u64();  // which part of the file: all of it is made durable
  (void)request.in.u32();
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  WeakCache cache;
  const Result<void> done = co_await make_durable(service, request, handle, cache);
  put_status(request.out, done);
  put_weak_cache(request.out, cache, service.volume_id());
  if (done) request.out.u64(service.write_verifier());
  co_return Accepted::kSuccess;
}

}  // namespace firn::nfs::ops
