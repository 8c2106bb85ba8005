// READ.
#include <unistd.h>

#include <algorithm>

#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

struct ReadArguments {
  std::span<const std::byte> handle;
  uint64_t offset;
  uint32_t count;

  explicit ReadArguments(XdrReader& in) : handle(read_handle(in)), offset(in.u64()), count(in.u32()) {}
};

io::Task<Result<void>> check_readable(Service& service, const Target& target) {
  if (target.attr.type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory);
  if (target.attr.type != meta::FileType::kRegular) co_return fail(Code::kInvalid);
  Result<void> allowed = co_await service.check(target, R_OK);
  // To run a program is to read it.
  if (!allowed) allowed = co_await service.check(target, X_OK);
  co_return allowed;
}

// Reads until the room is full or the file ends. How much.
io::Task<Result<size_t>> fill(vfs::Volume& volume, vfs::Handle* file, uint64_t offset, std::span<std::byte> room) {
  size_t filled = 0;
  while (filled < room.size()) {
    const size_t bytes = CO_TRY(co_await volume.read(file, offset + filled, room.subspan(filled)));
    if (bytes == 0) break;
    filled += bytes;
  }
  co_return filled;
}

// Appends READ3resok. The bytes are read to where they are sent from.
io::Task<Result<void>> append(Service& service, const Target& target, const ReadArguments& arguments, XdrWriter& out) {
  CO_TRY(co_await check_readable(service, target));
  const uint64_t size = target.attr.size;
  const uint64_t left = arguments.offset < size ? size - arguments.offset : 0;
  const auto wanted = static_cast<size_t>(std::min<uint64_t>({arguments.count, kMaxTransferBytes, left}));
  put_status(out, NfsStatus::kOk);
  put_optional_attributes(out, target.attr, service.volume_id());
  const size_t head = out.size();
  const auto room = out.room(3 * 4 + wanted);
  size_t bytes = 0;
  if (wanted > 0) {
    const auto file = CO_TRY(co_await service.files().get(target.inode(), Purpose::kRead));
    bytes = CO_TRY(co_await fill(service.volume(), file->handle(), arguments.offset, room.subspan(3 * 4)));
    count_read(bytes);
  }
  out.truncate(head + 3 * 4 + bytes);
  out.pad();
  out.patch_u32(head, static_cast<uint32_t>(bytes));
  out.patch_u32(head + 4, bytes < wanted || arguments.offset + bytes >= size);  // the end, as the attributes have it
  out.patch_u32(head + 8, static_cast<uint32_t>(bytes));
  co_return {};
}

}  // namespace

io::Task<Accepted> read(Service& service, Request& request) {
  const ReadArguments arguments(request.in);
  if (!request.in.ok()) co_return Accepted::kGarbageArguments;
  const size_t begin = request.out.size();
  const Result<Target> target = co_await service.resolve(request, arguments.handle);
  const Result<void> done = target ? co_await append(service, *target, arguments, request.out) : fail(target.error());
  if (!done) {
    request.out.truncate(begin);
    put_status(request.out, done);
    put_optional_attributes(request.out, target ? std::optional(target->attr) : std::nullopt, service.volume_id());
  }
  co_return Accepted::kSuccess;
}

}  // namespace firn::nfs::ops
