// Whether a store does what firn relies on; asked once, when a volume is made.
#pragma once

#include "base/random.h"
#include "object/store.h"

namespace firn::object {

// Puts, reads, replaces and removes an object "probe/…", and puts another one twice only if absent. kNotSupported,
// saying what is missing, when the store accepts a request and does something else: it would lose data later. Other
// failures are the store's (no access, no bucket, no answer). Leaves nothing behind, unless removing fails.
io::Task<Result<void>> probe(ObjectStore& store, Random& random, io::Until until);

}  // namespace firn::object
