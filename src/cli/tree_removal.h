// Removes what is in a folder of a volume, several names at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

#include "cli/listing.h"
#include "cli/target.h"
#include "cli/transfers.h"

namespace firn::cli {

// Each folder goes by the job that removed the last of what is in it. What others put there meanwhile stays, and its
// folders with it.
class TreeRemoval {
 public:
  // `removed` counts, and outlives it; so does `top`.
  TreeRemoval(const Target& top, size_t jobs, std::atomic<uint64_t>& removed)
      : top_(top), removed_(removed), transfers_({.served = top.served, .jobs = jobs, .what = "removing"}) {}

  // All that `client` lists below the folder. Once. The first failure ends it.
  Status run(Client& client);

 private:
  // Invariant: `left` counts what is in it and not removed yet, and one more until all of it was listed.
  struct Folder {
    Folder(std::string where, Folder* above, bool secret) : path(std::move(where)), parent(above), unreadable(secret) {}

    const std::string path;  // below the top
    Folder* const parent;    // null: the top
    const bool unreadable;
    std::atomic<uint64_t> left = 1;
  };

  Status add(const Entry& entry);
  // False: it is a folder with something in it, for whoever looks again.
  Result<bool> remove(Client& client, const std::string& path);
  // One of what is in it is gone, or all of it was listed.
  Status let_go(Client& client, Folder* folder);

  const Target& top_;
  std::atomic<uint64_t>& removed_;
  std::deque<Folder> folders_;  // each before those in it
  std::unordered_map<std::string, Folder*> by_path_;
  Transfers transfers_;
};

}  // namespace firn::cli
