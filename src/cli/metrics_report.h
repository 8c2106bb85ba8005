// What a daemon's metrics tell besides what is counted where it happens: read from the running volume when asked.
#pragma once

#include "base/metrics.h"
#include "cli/running_volume.h"
#include "fuse/session.h"

namespace firn::cli {

// `session`: null where the volume is not mounted. On a reactor. docs/observability.md lists the names.
io::Task<metrics::Samples> sample_metrics(RunningVolume& running, const fuse::Session* session);

}  // namespace firn::cli
