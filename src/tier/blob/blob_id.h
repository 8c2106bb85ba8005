// The name of a blob: 128 random bits, never used twice.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <string>

#include "base/random.h"
#include "base/status.h"

namespace firn::tier {

struct BlobId {
  std::array<std::byte, 16> bytes{};

  static BlobId make(Random& random) {
    BlobId id;
    random.fill(id.bytes);
    return id;
  }
  friend auto operator<=>(const BlobId&, const BlobId&) = default;
};

// 32 lower-case hexadecimal digits, and back (kInvalid: something else).
std::string to_hex(const BlobId& id);
Result<BlobId> blob_id_of_hex(std::string_view hex);
// Its name in the metadata: the 16 bytes themselves (meta::kBlobNameBytes), and back.
std::string name_of(const BlobId& id);
BlobId blob_id_of_name(std::string_view name);
// The object that holds it: "blob/ab/abcdef…", spread over 256 folders.
std::string key_of(const BlobId& id);

}  // namespace firn::tier
