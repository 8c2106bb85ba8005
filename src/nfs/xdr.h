// XDR (RFC 4506): the basic types that RPC, MOUNT and NFS are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "io/buffer.h"

namespace firn::nfs {

// Reads from bytes that outlive it, and what it returns points into them. A failure sticks: whoever reads on gets zeros
// and empty strings, and asks ok() once at the end. Padding is skipped whatever it holds.
class XdrReader {
 public:
  explicit XdrReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  uint32_t u32();
  uint64_t u64();
  bool boolean() { return u32() != 0; }
  // `bytes` bytes, without a length before them.
  std::span<const std::byte> fixed(size_t bytes);
  // With a length of at most `most` before them.
  std::span<const std::byte> opaque(size_t most);
  std::string_view string(size_t most);

  bool ok() const { return ok_; }
  // What has not been read.
  std::span<const std::byte> rest() const { return rest_; }

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

// Appends to a buffer that it owns. Move-only.
class XdrWriter {
 public:
  explicit XdrWriter(size_t capacity = 512) { grow(capacity); }

  void u32(uint32_t value);
  void u64(uint64_t value);
  void boolean(bool value) { u32(value ? 1 : 0); }
  void fixed(std::span<const std::byte> bytes);
  void opaque(std::span<const std::byte> bytes);
  void string(std::string_view text) { opaque(std::as_bytes(std::span(text))); }

  // `bytes` more bytes, which the caller fills (they are not zeroed). Valid until the next call of anything here.
  std::span<std::byte> room(size_t bytes);
  // Takes back what is beyond `size`.
  void truncate(size_t size) { size_ = size; }
  // Zeros until the size is a multiple of four.
  void pad();
  void patch_u32(size_t at, uint32_t value);

  size_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {bytes_.get(), size_}; }
  std::byte* at(size_t offset) { return bytes_.get() + offset; }

 private:
  void grow(size_t capacity);

  io::Buffer bytes_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// With the zeros that make it a multiple of four.
constexpr size_t xdr_padded_bytes(size_t bytes) { return (bytes + 3) / 4 * 4; }
// So many bytes does an opaque of `bytes` take, its length included.
constexpr size_t xdr_opaque_bytes(size_t bytes) { return 4 + xdr_padded_bytes(bytes); }

}  // namespace firn::nfs
