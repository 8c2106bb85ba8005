#include "meta/ops/apply_update.h"

#include <algorithm>

namespace firn::meta {

void apply_sizes(const ContentUpdate& update, Attr& attr) {
  if (update.size) attr.size = *update.size;
  if (update.allocated_bytes) attr.allocated_bytes = *update.allocated_bytes;
}

void apply_times(const ContentUpdate& update, Attr& attr) {
  if (update.atime) attr.atime = *update.atime;
  if (update.mtime) attr.mtime = *update.mtime;
  if (update.ctime) attr.ctime = std::max(attr.ctime, *update.ctime);
}

}  // namespace firn::meta
