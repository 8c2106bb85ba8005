// Whether a store does what firn relies on; asked when a volume is made, and of another store once it is put there.
#pragma once

#include "base/random.h"
#include "object/store.h"

namespace firn::object {

// Puts, reads, replaces and removes an object "probe/…", and puts another one twice only if absent. kNotSupported,
// saying what is missing, when the store accepts a request and does something else: it would lose data later. Other
// failures are the store's (no access, no bucket, no answer). Leaves nothing behind, unless removing fails.
io::Task<Result<void>> probe(ObjectStore& store, Random& random, io::Until until);

// The part of it that keeps two writers apart, for a store that holds a volume. Its object is its own, so that nothing
// of the volume's is touched, whatever the store does. A store that does not let it be removed keeps that: a few bytes.
io::Task<Result<void>> probe_condition(ObjectStore& store, Random& random, io::Until until);

}  // namespace firn::object
