// internal::SimTree: the names of a simulated disk, and which of them a power cut would leave.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/sim/sim_node.h"

namespace firn::io::internal {

// Every change of names is a record of what it sets in which directory. Records are kept until a sync of one of their
// directories makes them durable; a power cut keeps a random subset of the rest. A rename is one record: it happens
// in both directories or in neither, as in a file system with a journal. Records of one name keep their order:
// a later one survives only when the earlier ones did.
class SimTree {
 public:
  SimTree();
  SimTree(SimTree&&) = default;
  SimTree& operator=(SimTree&&) = delete;
  ~SimTree();

  SimNodeRef new_directory();

  // kNotFound, kNotDirectory.
  Result<SimNodeRef> find(const std::string& path) const;

  struct Place {
    SimNodeRef directory;
    std::string name;
    SimNodeRef node;  // null when nothing has that name
  };
  // Where `path`'s last component is, or would be. kExists for the root.
  Result<Place> place(const std::string& path) const;

  void link(const Place& place, SimNodeRef node);
  void unlink(const Place& place);
  // Replaces what `to` names. kInvalid: a directory into itself.
  Result<void> rename(const Place& from, const Place& to);

  void sync_directory(const SimNodeRef& directory);
  // All names, and the content of everything that has one.
  void sync_all();

  uint64_t allocated_sectors() const;

  // The tree that a power cut leaves, in new nodes.
  SimTree after_crash(Random& random) const;

 private:
  struct Change {
    SimNodeRef directory;
    std::string name;
    SimNodeRef node;  // null: the name goes
  };
  using Record = std::vector<Change>;

  void apply(Record record);
  static void make_durable(const Record& record);

  // Every directory ever made. What is durable and what is now may refer to each other in a circle, so that
  // the destructor has to undo it.
  std::vector<SimNodeRef> directories_;
  SimNodeRef root_;
  std::vector<Record> unsynced_;
};

}  // namespace firn::io::internal
