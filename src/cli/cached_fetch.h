// Reads files of servers by way of the content cache.
#pragma once

#include "cli/client.h"
#include "cli/content_cache.h"
#include "cli/target.h"

namespace firn::cli {

// The cache for what `served` serves; null: it is this machine's, or only found on the network, or there is none.
// kInvalid: FIRN_CACHE_SIZE makes no sense.
Result<ContentCache*> cache_for(const Served& served);

// One GET of the whole file, which the server is asked in any case: whether whoever asks may read it, and whether it is
// still the version that is kept. If so, `sink` gets that from the disk, else what comes is kept on its way there.
// `begin` is called before, with the size and entity tag ("" where the server tells none). Null for `cache`: there is
// none.
struct CachedFetch {
  std::function<Status(uint64_t bytes, const std::string& tag)> begin = {};
  BodySink sink = {};
};
Status fetch_cached(Client& client, ContentCache* cache, const Target& target, const CachedFetch& fetch);

}  // namespace firn::cli
