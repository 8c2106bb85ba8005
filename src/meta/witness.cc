#include "meta/witness.h"

#include <algorithm>

namespace firn::meta {

void Witness::note(const Version& before, const Attr& after) {
  const auto known = std::ranges::find(seen_, after.inode, &Seen::inode);
  if (known == seen_.end()) {
    seen_.push_back({.inode = after.inode, .before = before, .after = after});
    return;
  }
  known->alone &= version_of(known->after) == before;
  known->after = after;
}

const Witness::Seen* Witness::find(InodeId inode) const {
  const auto known = std::ranges::find(seen_, inode, &Seen::inode);
  return known == seen_.end() ? nullptr : &*known;
}

}  // namespace firn::meta
