#include "http/file_body.h"

#include <algorithm>
#include <memory>

namespace firn::http {
namespace {

constexpr uint64_t kBufferBytes = 256 << 10;
constexpr uint64_t kUncopiedBytes = 1 << 20;  // less is not worth the wait at its end

io::Task<Result<void>> copy_range(Exchange& exchange, vfs::Volume& volume, vfs::Handle* handle, ByteRange range) {
  const uint64_t room = std::min(kBufferBytes, range.count);
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(room);
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

// Pages that are on their way to the client are zeroed where the file is cut off. So the end of the range is copied,
// and its last byte waits until the client's kernel has all that was not: the file is found to be as long then, or the
// client never gets that byte. It waits for no more than that, since what is copied makes the client acknowledge the
// rest at once.
io::Task<Result<void>> send_range(Exchange& exchange, vfs::Volume& volume, vfs::Handle* handle, ByteRange range) {
  const std::shared_ptr<io::File> file =
      range.count >= kUncopiedBytes && exchange.sends_files() ? volume.backing(handle) : nullptr;
  if (!file) co_return co_await copy_range(exchange, volume, handle, range);
  const uint64_t end = range.first + range.count, copied_from = end - kBufferBytes;
  CO_TRY(co_await exchange.write_file(*file, range.first, copied_from - range.first));
  CO_TRY(co_await copy_range(exchange, volume, handle, {copied_from, kBufferBytes - 1}));
  CO_TRY(co_await exchange.received(kBufferBytes - 1));
  co_return co_await copy_range(exchange, volume, handle, {end - 1, 1});
}

}  // namespace firn::http
