#include "io/disk.h"

#include <bit>

#include "io/buffer.h"

namespace firn::io {

Task<Result<void>> File::write_direct(uint64_t offset, std::span<const std::byte> data) {
  const bool at_pages = offset % kPageBytes == 0 && std::bit_cast<uintptr_t>(data.data()) % kPageBytes == 0;
  const size_t pages = at_pages ? data.size() / kPageBytes * kPageBytes : 0;
  size_t done = 0;
  if (pages > 0) done = CO_TRY(co_await write_pages(offset, data.first(pages)));
  if (done < data.size()) CO_TRY(co_await write(offset + done, data.subspan(done)));
  co_return {};
}

}  // namespace firn::io
