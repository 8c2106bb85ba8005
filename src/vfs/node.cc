#include "vfs/node.h"

#include <algorithm>

namespace firn::vfs {

NodeRef::~NodeRef() {
  if (node_) table_->drop(node_);
}

NodeRef NodeRef::clone() const { return node_ ? table_->acquire(node_->inode) : NodeRef(); }

NodeRef NodeTable::acquire(InodeId inode) {
  Shard& s = shard(inode);
  std::lock_guard lock(s.mutex);
  auto& slot = s.nodes[inode];
  if (!slot) slot = std::make_unique<Node>(inode);
  ++slot->refs;
  return {this, slot.get()};
}

NodeRef NodeTable::find(InodeId inode) {
  Shard& s = shard(inode);
  std::lock_guard lock(s.mutex);
  auto it = s.nodes.find(inode);
  if (it == s.nodes.end()) return {};
  ++it->second->refs;
  return {this, it->second.get()};
}

void NodeTable::pin(InodeId inode) {
  Shard& s = shard(inode);
  std::lock_guard lock(s.mutex);
  auto& slot = s.nodes[inode];
  if (!slot) slot = std::make_unique<Node>(inode);
  ++slot->pins;
}

NodeRef NodeTable::unpin(InodeId inode, uint64_t count) {
  Shard& s = shard(inode);
  std::lock_guard lock(s.mutex);
  auto it = s.nodes.find(inode);
  if (it == s.nodes.end()) return {};
  Node& node = *it->second;
  node.pins -= std::min(node.pins, count);
  if (node.pins > 0 || node.refs > 0 || node.open) return {};
  if (node.orphan) {
    ++node.refs;
    return {this, &node};
  }
  s.nodes.erase(it);
  return {};
}

bool NodeTable::unused_but_for_caller(const Node& node) {
  Shard& s = shard(node.inode);
  std::lock_guard lock(s.mutex);
  return node.pins == 0 && node.refs == 1;
}

void NodeTable::drop(Node* node) {
  Shard& s = shard(node->inode);
  std::unique_ptr<Node> last;  // destroyed after the lock
  std::lock_guard lock(s.mutex);
  // With open state left, the last close is still to be finished.
  if (--node->refs > 0 || node->pins > 0 || node->open) return;
  auto it = s.nodes.find(node->inode);
  last = std::move(it->second);
  s.nodes.erase(it);
}

size_t NodeTable::size() const {
  size_t count = 0;
  for (const Shard& s : shards_) {
    std::lock_guard lock(s.mutex);
    count += s.nodes.size();
  }
  return count;
}

}  // namespace firn::vfs
