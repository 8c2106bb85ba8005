// What a file contains, as SHA-256 says it, while the file is read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "migrate/source.h"

using EVP_MD_CTX = struct evp_md_ctx_st;

namespace firn::migrate {

using ContentHash = std::array<uint8_t, 32>;

// Takes a file extent by extent, from front to back. Holes count by where they lie, not as the zeros that they read as:
// one of exabytes costs nothing. So two files are equal when their bytes are, and their holes.
// Not thread-safe; may change threads.
class ContentHasher {
 public:
  ContentHasher();

  // What add() gets from now on lies there.
  void begin(Extent extent);
  void add(std::span<const std::byte> bytes);
  // Once, at the end of a file of so many bytes.
  ContentHash finish(uint64_t size);

 private:
  void add_number(uint64_t number);

  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace firn::migrate
