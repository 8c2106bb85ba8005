// How the operations on blobs read their records.
#pragma once

#include <string_view>
#include <vector>

#include "kv/kv.h"
#include "meta/tiering.h"

namespace firn::meta {

// With its counter; both conflict. kNotFound: no such blob.
io::Task<Result<Blob>> load_blob(kv::Transaction& transaction, std::string_view name);
// Up to `limit` above `after`, in order.
io::Task<Result<std::vector<Blob>>> load_blobs(kv::Transaction& transaction, std::string_view after, size_t limit);

// Whether chunks may come to refer to it.
inline bool takes_chunks(const Blob& blob) { return !blob.dead_since && !blob.damaged; }

}  // namespace firn::meta
