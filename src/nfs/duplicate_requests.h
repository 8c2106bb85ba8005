// DuplicateRequests: answers to calls that must not be carried out twice. A client that got no answer asks again with
// the same xid, perhaps on another connection: it is told what came of the first time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "io/sync.h"
#include "meta/types.h"
#include "nfs/exports.h"

namespace firn::nfs {

// Thread-safe. In memory. After a crash, what was done is known from the log of events, which has the key beside each
// change of a name: recall().
class DuplicateRequests {
 public:
  // What tells calls apart: 128 bits of a hash over the client's address and all of the call, its xid included.
  using Key = meta::RequestId;
  static Key key_of(const Address& client, std::span<const std::byte> record);

  struct Options {
    size_t most = 4096;                     // calls; the oldest ones are forgotten
    int64_t lifetime_ns = 120'000'000'000;  // after which a client may use the xid for a new call
    size_t most_reply_bytes = 1024;         // of one; a longer one is not kept
  };
  explicit DuplicateRequests(Options options) : options_(options) {}
  DuplicateRequests() : DuplicateRequests(Options()) {}

  struct Entry {
    io::Event answered;
    std::string reply;  // once answered; empty: it was not kept
    int64_t begun_ns = 0;
    // By the server that died: the inode that was made, or given or taken a name. What is left is to answer.
    std::optional<InodeId> done;
    bool answering = true;  // somebody is, or was; guarded by the mutex of all
  };
  struct Begun {
    std::shared_ptr<Entry> entry;
    bool first = false;  // carry it out, then call finish(); otherwise wait for `answered`
  };
  Begun begin(const Key& key, int64_t now_ns);
  void finish(Entry& entry, std::span<const std::byte> reply);

  // A call of before the crash; older ones follow. False: there are as many as may be.
  bool recall(const Key& key, InodeId done, int64_t now_ns);
  int64_t lifetime_ns() const { return options_.lifetime_ns; }

  size_t size() const;

 private:
  struct Hash {
    size_t operator()(const Key& key) const { return static_cast<size_t>(key[0]); }
  };
  using Order = std::list<std::pair<Key, std::shared_ptr<Entry>>>;

  const Options options_;
  mutable std::mutex mutex_;  // guards the two below; a few instructions
  Order order_;               // oldest first
  std::unordered_map<Key, Order::iterator, Hash> known_;
};

}  // namespace firn::nfs
