#include "io/socket.h"

#include <algorithm>

#include "io/buffer.h"

namespace firn::io {

Task<Result<size_t>> Socket::send_file(File& file, uint64_t offset, size_t bytes, Until until) {
  constexpr size_t kCopiedBytes = 256 << 10;
  const size_t count = std::min(bytes, kCopiedBytes);
  const auto buffer = make_buffer(count);
  const size_t got = CO_TRY(co_await file.read(offset, {buffer.get(), count}));
  if (got > 0) CO_TRY(co_await send({buffer.get(), got}, until));
  co_return got;
}

// What is sent here refers to no file.
Task<Result<void>> Socket::acknowledged(size_t, Until) { co_return {}; }

}  // namespace firn::io
