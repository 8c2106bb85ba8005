// READ.
#include <unistd.h>

#include <algorithm>

#include "nfs/ops/common.h"

namespace firn::nfs::ops {
namespace {

constexpr size_t kUncopiedBytes = 64 << 10;  // less is copied sooner than sent in a part of its own

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

// The bytes as a part of the reply, where they are in the page cache; reading them copies them, but brings them there.
io::Task<Result<FilePart>> uncopied(Service& service, const std::shared_ptr<OpenFile>& file, uint64_t offset,
                                    size_t bytes) {
  if (bytes < kUncopiedBytes) co_return FilePart();
  std::shared_ptr<io::File> backing = service.volume().backing(file->handle());
  if (!backing || !backing->in_memory(offset, bytes)) co_return FilePart();
  // Promised is only what is there.
  if (CO_TRY(co_await backing->stat()).bytes < offset + bytes) co_return FilePart();
  co_return FilePart{file, std::move(backing), offset, static_cast<uint32_t>(bytes)};
}

// The bytes as a part of the reply, or read to where they are sent from. How many: less than wanted where the file
// ends.
io::Task<Result<size_t>> append_data(Service& service, InodeId inode, uint64_t offset, size_t wanted,
                                     Request& request) {
  if (wanted == 0) co_return size_t{0};
  const auto file = CO_TRY(co_await service.files().get(inode, Purpose::kRead));
  // Pages take less of the processor's time, but reach a client that waits for nothing else later than a copy.
  if (request.waiting == Waiting::kBusy) request.part = CO_TRY(co_await uncopied(service, file, offset, wanted));
  if (request.part.bytes > 0) co_return wanted;
  const size_t begin = request.out.size();
  const auto room = request.out.room(wanted);
  const size_t bytes = CO_TRY(co_await fill(service.volume(), file->handle(), offset, room));
  request.out.truncate(begin + bytes);
  request.out.pad();
  co_return bytes;
}

// Appends READ3resok.
io::Task<Result<void>> append(Service& service, const Target& target, const ReadArguments& arguments,
                              Request& request) {
  CO_TRY(co_await check_readable(service, target));
  const uint64_t size = target.attr.size;
  const uint64_t left = arguments.offset < size ? size - arguments.offset : 0;
  const auto wanted = static_cast<size_t>(std::min<uint64_t>({arguments.count, kMaxTransferBytes, left}));
  XdrWriter& out = request.out;
  put_status(out, NfsStatus::kOk);
  put_optional_attributes(out, target.attr, service.volume_id());
  const size_t head = out.size();
  (void)out.room(3 * 4);
  const size_t bytes = CO_TRY(co_await append_data(service, target.inode(), arguments.offset, wanted, request));
  count_read(bytes);
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
  const Result<void> done = target ? co_await append(service, *target, arguments, request) : fail(target.error());
  if (!done) {
    request.out.truncate(begin);
    put_status(request.out, done);
    put_optional_attributes(request.out, target ? std::optional(target->attr) : std::nullopt, service.volume_id());
  }
  co_return Accepted::kSuccess;
}

}  // namespace firn::nfs::ops
