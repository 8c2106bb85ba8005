#define XXH_INLINE_ALL
#include "kv/key_hash.h"

#include <xxhash.h>

namespace firn::kv {

uint64_t hash_key(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

}  // namespace firn::kv
