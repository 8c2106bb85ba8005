#include "http/file_body.h"

#include <algorithm>
#include <memory>

#include "io/buffer.h"

namespace firn::http {
namespace {

constexpr uint64_t kBufferBytes = 256 << 10;

io::Task<Result<void>> copy_range(Exchange& exchange, vfs::Volume& volume, vfs::Handle* handle, ByteRange range) {
  const uint64_t room = std::min(kBufferBytes, range.count);
  const auto buffer = io::make_buffer(room);
  while (range.count > 0) {
    const std::span<std::byte> part(buffer.get(), std::min(room, range.count));
    const size_t bytes = CO_TRY(co_await volume.read(handle, range.first, part));
    // Truncated meanwhile; closing the connection says so.
    if (bytes == 0) co_return fail(Code::kIo, "the file was cut off meanwhile");
    CO_TRY(co_await exchange.write(part.first(bytes)));
    range.first += bytes;
    range.count -= bytes;
  }
  co_return Result<void>();
}

}  // namespace

// Pages that are on their way to the client, or lie unread in its kernel, are zeroed where the file is cut off, and
// were it evicted. So what the client's kernel may hold, and a little more, is copied at the end of the range, and the
// last byte waits until all but that little is there: the client has read what was not copied then, and the file is
// found to be long enough still, or the client never gets that byte.
io::Task<Result<void>> send_range(Exchange& exchange, vfs::Volume& volume, vfs::Handle* handle, ByteRange range) {
  const uint64_t copied = exchange.most_unread_bytes() + 2 * kBufferBytes;
  const std::shared_ptr<io::File> file =
      range.count >= 2 * copied && exchange.sends_files() ? volume.backing(handle) : nullptr;
  if (!file) co_return co_await copy_range(exchange, volume, handle, range);
  const uint64_t end = range.first + range.count;
  CO_TRY(co_await exchange.write_file(*file, range.first, range.count - copied));
  CO_TRY(co_await copy_range(exchange, volume, handle, {end - copied, copied - 1}));
  CO_TRY(co_await exchange.received(kBufferBytes));
  co_return co_await copy_range(exchange, volume, handle, {end - 1, 1});
}

}  // namespace firn::http
