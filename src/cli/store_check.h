// Whether the store of a volume's last tier keeps two writers apart. Each one is asked once: the volume's folder has a
// file `tier.checked`, which names the one that was asked last.
#pragma once

#include <string>

#include "base/status.h"
#include "cli/place.h"
#include "cli/volume_folder.h"
#include "io/blocking_pool.h"
#include "io/cancel.h"
#include "object/store.h"

namespace firn::cli {

// kNotSupported, with the tier's name and what to do: it does not. Other failures are the store's, explained likewise.
// `token` may be null.
io::Task<Result<void>> ask_last_tier(object::ObjectStore& store, Place place, io::CancelToken* token);

// The same, unless the folder says that this store has been asked; afterwards it does.
io::Task<Result<void>> check_last_tier(object::ObjectStore& store, Place place, VolumePaths paths,
                                       io::BlockingPool& pool, io::CancelToken* token);

// `store`: its describe(). It has been asked.
Status remember_checked(const VolumePaths& paths, const std::string& store);

}  // namespace firn::cli
