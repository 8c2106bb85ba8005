// Witness: what a call has changed, for a door that tells its client what was there right before and right after.
#pragma once

#include <vector>

#include "meta/types.h"

namespace firn::meta {

// Goes along with a call's Credentials, and says for which request it is: the log of events has that with the change.
// Its transactions fill it, one after the other, each under the locks of the inodes that it changes. Not thread-safe.
class Witness {
 public:
  struct Seen {
    InodeId inode;
    Version before;     // of the first transaction that changed it
    Attr after;         // the last one's
    bool alone = true;  // nobody else has changed it between the two
  };

  Witness() = default;
  explicit Witness(const RequestId& request) : request_(request) {}
  const RequestId& request() const { return request_; }

  void note(const Version& before, const Attr& after);
  // Null: the call has not changed it.
  const Seen* find(InodeId inode) const;

 private:
  RequestId request_{};
  std::vector<Seen> seen_;  // a handful
};

}  // namespace firn::meta
