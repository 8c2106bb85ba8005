// Opening a volume whose truth is the bucket, to write it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tier/metadata/restore.h"
#include "tier/metadata/shipper.h"
#include "tier/metadata/takeover.h"

namespace firn::tier {

struct OpenOptions {
  TakeOverOptions take_over;
  // Where the log has a gap, the state before it is taken (Restored::given_up).
  bool rewinds = false;
  std::string gap_advice;  // for the end of the message that names a gap, when it does not
};

struct OpenedVolume {
  Writership held;
  Restored restored;

  // What the log gets next counts only with a new root where it has a gap, or a break that no root came after.
  StartFrom start_from() const {
    return restored.given_up.ok() && !restored.position.at_break ? StartFrom::kBucket : StartFrom::kDatabase;
  }
};

// Each call makes one that begins with nothing: what the one before made is closed, and not needed any more.
using MakeRestoreTarget = std::function<std::unique_ptr<kv::RestoreTarget>()>;

// Reads everything that the volume is; takes it over; and reads what was put meanwhile. So what cannot be read whole is
// found while nothing has been taken from a former writer, which may be well and put it right: kCorrupt, "nothing was
// changed". As take_over() and restore_metadata() otherwise.
io::Task<Result<OpenedVolume>> open_volume(Bucket bucket, MakeRestoreTarget make_target, OpenOptions options,
                                           io::CancelToken* token = nullptr);

}  // namespace firn::tier
