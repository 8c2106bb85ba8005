#include "nfs/xdr.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace firn::nfs {

uint32_t XdrReader::u32() {
  const auto bytes = fixed(4);
  return bytes.empty() ? 0 : load_be<uint32_t>(bytes.data());
}

uint64_t XdrReader::u64() {
  const auto bytes = fixed(8);
  return bytes.empty() ? 0 : load_be<uint64_t>(bytes.data());
}

std::span<const std::byte> XdrReader::fixed(size_t bytes) {
  const size_t padded = (bytes + 3) / 4 * 4;
  if (!ok_ || padded > rest_.size()) {
    ok_ = false;
    return {};
  }
  const auto result = rest_.first(bytes);
  rest_ = rest_.subspan(padded);
  return result;
}

std::span<const std::byte> XdrReader::opaque(size_t most) {
  const uint32_t bytes = u32();
  if (bytes > most) ok_ = false;
  return ok_ ? fixed(bytes) : std::span<const std::byte>();
}

std::string_view XdrReader::string(size_t most) {
  const auto bytes = opaque(most);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void XdrWriter::grow(size_t capacity) {
  auto bytes = io::make_buffer(capacity);
  if (size_ > 0) std::memcpy(bytes.get(), bytes_.get(), size_);
  bytes_ = std::move(bytes);
  capacity_ = capacity;
}

std::span<std::byte> XdrWriter::room(size_t bytes) {
  if (size_ + bytes > capacity_) grow(std::max(size_ + bytes, capacity_ * 2));
  const std::span<std::byte> result(bytes_.get() + size_, bytes);
  size_ += bytes;
  return result;
}

void XdrWriter::u32(uint32_t value) { store_be(room(4).data(), value); }
void XdrWriter::u64(uint64_t value) { store_be(room(8).data(), value); }

void XdrWriter::fixed(std::span<const std::byte> bytes) {
  if (!bytes.empty()) std::memcpy(room(bytes.size()).data(), bytes.data(), bytes.size());
  pad();
}

void XdrWriter::opaque(std::span<const std::byte> bytes) {
  u32(static_cast<uint32_t>(bytes.size()));
  fixed(bytes);
}

void XdrWriter::pad() {
  const size_t missing = (4 - size_ % 4) % 4;
  if (missing > 0) std::memset(room(missing).data(), 0, missing);
}

void XdrWriter::patch_u32(size_t at, uint32_t value) {
  CHECK(at + 4 <= size_);
  store_be(bytes_.get() + at, value);
}

}  // namespace firn::nfs
