// A table of the metadata, from the store: every byte verified before it is handed out.
#pragma once

#include <functional>
#include <string>

#include "tier/metadata/bucket.h"

namespace firn::tier {

// Takes what comes next of the table. Called one at a time.
using TableSink = std::function<io::Task<Result<void>>(std::string plain)>;

// In requests of `request_bytes`, so much being held in memory. kNotFound: it is not there. kCorrupt: it is damaged, or
// another table than its root says; what was handed out before is right for all that.
io::Task<Result<void>> fetch_table(Bucket bucket, TableRef table, uint64_t request_bytes, TableSink sink,
                                   io::CancelToken* token);

}  // namespace firn::tier
