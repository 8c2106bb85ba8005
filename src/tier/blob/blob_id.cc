#include "tier/blob/blob_id.h"

#include <algorithm>
#include <cstring>

#include "base/hex.h"

namespace firn::tier {

namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string to_hex(const BlobId& id) { return firn::to_hex(name_of(id)); }

Result<BlobId> blob_id_of_hex(std::string_view hex) {
  BlobId id;
  if (hex.size() != 2 * id.bytes.size()) return fail(Code::kInvalid, "a blob's name has 32 hexadecimal digits");
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return fail(Code::kInvalid, "a blob's name has 32 hexadecimal digits");
    id.bytes[i] = static_cast<std::byte>(high << 4 | low);
  }
  return id;
}

std::string name_of(const BlobId& id) { return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()}; }

BlobId blob_id_of_name(std::string_view name) {
  BlobId id;
  std::memcpy(id.bytes.data(), name.data(), std::min(name.size(), id.bytes.size()));
  return id;
}

std::string key_of(const BlobId& id) {
  const std::string hex = to_hex(id);
  return "blob/" + hex.substr(0, 2) + "/" + hex;
}

}  // namespace firn::tier
