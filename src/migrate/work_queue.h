// What a migration has still to do. Last in, first out: a tree is walked depth first, so that little waits.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "io/sync.h"

namespace firn::migrate {

struct Folder;

struct Work {
  enum class Kind : uint8_t {
    kOpen,   // a folder in `folder`, by the one name; without `folder`, the source's root
    kNames,  // the next names of `folder`
    kFiles,  // the files in `folder` of these names
  };
  Kind kind = Kind::kOpen;
  std::shared_ptr<Folder> folder;
  std::vector<std::string> names;
  size_t source = 0;  // without `folder`: which
};

// Thread-safe.
class WorkQueue {
 public:
  void push(Work work);
  // Waits for work; nullopt: there is none any more, and none is being done that could make some.
  io::Task<std::optional<Work>> pop();
  // For each that pop() gave.
  void done();
  // Forgets what waits.
  void drop();

 private:
  static constexpr size_t kMany = 1 << 20;  // more than ever wait in pop()

  io::Semaphore ready_{0};
  std::mutex mutex_;  // guards what follows
  std::vector<Work> waiting_;
  size_t unfinished_ = 0;
};

}  // namespace firn::migrate
