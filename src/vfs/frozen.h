// Frozen: a file's bytes stay as they are.
#pragma once

#include <utility>

#include "vfs/node.h"

namespace firn::vfs {

// Holds the shut gate for writes, and opens it again. Node::mutex is held meanwhile.
class Frozen {
 public:
  explicit Frozen(Node& node) : node_(&node) {}
  Frozen(Frozen&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Frozen& operator=(Frozen&&) = delete;
  ~Frozen() {
    if (node_) node_->writes.open();
  }

 private:
  Node* node_;
};

// Waits for the writes that have begun.
inline io::Task<Frozen> shut_writes(Node& node) {
  co_await node.writes.shut();
  co_return Frozen(node);
}

// Whether a program may write past this process, so that nobody can tell what the bytes are, or when they change.
inline bool is_written_past(const Node& node) {
  return node.open && node.open->live && (node.open->passthrough_writers > 0 || node.open->lingering);
}

}  // namespace firn::vfs
