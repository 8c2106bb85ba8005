#include "io/sim/sim_tree.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace firn::io::internal {
namespace {

using Names = std::map<std::string, SimNodeRef>;
using NameKey = std::pair<const SimNode*, std::string>;

NameKey key_of(const SimNodeRef& directory, const std::string& name) { return {directory.get(), name}; }

std::vector<std::string> components(const std::string& path) {
  std::vector<std::string> parts;
  std::string_view rest = path;
  while (!rest.empty()) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  return parts;
}

void set_name(Names& names, const std::string& name, const SimNodeRef& node) {
  if (node) {
    names[name] = node;
  } else {
    names.erase(name);
  }
}

template <class Visit>
void for_each_node(const SimNodeRef& node, const Visit& visit) {
  visit(*node);
  for (const auto& [name, child] : node->now.names) for_each_node(child, visit);
}

bool contains(const SimNodeRef& tree, const SimNodeRef& wanted) {
  if (tree == wanted) return true;
  return std::ranges::any_of(tree->now.names, [&](const auto& entry) { return contains(entry.second, wanted); });
}

// Builds the tree that is left below one directory. `names` are the surviving names of every directory.
class Survivors {
 public:
  Survivors(std::unordered_map<const SimNode*, Names> names, Random& random, SimTree& tree)
      : names_(std::move(names)), random_(random), tree_(tree) {}

  SimNodeRef build(const SimNodeRef& old) {
    const SimNodeRef node = old->is_directory ? tree_.new_directory() : std::make_shared<SimNode>(false);
    node->named = true;
    node->durable = old->after_crash(random_);
    const auto found = names_.find(old.get());
    const Names& names = found != names_.end() ? found->second : old->durable.names;
    for (const auto& [name, child] : names) node->durable.names[name] = build(child);
    node->now = node->durable;
    return node;
  }

 private:
  std::unordered_map<const SimNode*, Names> names_;
  Random& random_;
  SimTree& tree_;
};

}  // namespace

SimTree::SimTree() : root_(new_directory()) {}

SimTree::~SimTree() {
  for (const auto& directory : directories_) {
    directory->now.names.clear();
    directory->durable.names.clear();
  }
}

SimNodeRef SimTree::new_directory() {
  directories_.push_back(std::make_shared<SimNode>(true));
  return directories_.back();
}

Result<SimNodeRef> SimTree::find(const std::string& path) const {
  SimNodeRef node = root_;
  for (const std::string& part : components(path)) {
    if (!node->is_directory) return fail(Code::kNotDirectory, path);
    const auto found = node->now.names.find(part);
    if (found == node->now.names.end()) return fail(Code::kNotFound, path);
    node = found->second;
  }
  return node;
}

Result<SimTree::Place> SimTree::place(const std::string& path) const {
  auto parts = components(path);
  if (parts.empty()) return fail(Code::kExists, path);
  const std::string name = std::move(parts.back());
  parts.pop_back();
  std::string folder;
  for (const std::string& part : parts) folder += "/" + part;
  SimNodeRef directory = TRY(find(folder));
  if (!directory->is_directory) return fail(Code::kNotDirectory, path);
  const auto found = directory->now.names.find(name);
  return Place{directory, name, found == directory->now.names.end() ? nullptr : found->second};
}

void SimTree::link(const Place& place, SimNodeRef node) { apply({{place.directory, place.name, std::move(node)}}); }

void SimTree::unlink(const Place& place) { apply({{place.directory, place.name, nullptr}}); }

Result<void> SimTree::rename(const Place& from, const Place& to) {
  if (contains(from.node, to.directory)) return fail(Code::kInvalid);
  apply({{from.directory, from.name, nullptr}, {to.directory, to.name, from.node}});
  return {};
}

void SimTree::apply(Record record) {
  for (const Change& change : record) set_name(change.directory->now.names, change.name, change.node);
  unsynced_.push_back(std::move(record));
}

void SimTree::make_durable(const Record& record) {
  for (const Change& change : record) set_name(change.directory->durable.names, change.name, change.node);
}

void SimTree::sync_directory(const SimNodeRef& directory) {
  // From the newest back: what touches the directory, and what came before that under the same names.
  std::set<NameKey> names;
  std::vector<bool> chosen(unsynced_.size());
  for (size_t i = unsynced_.size(); i-- > 0;) {
    chosen[i] = std::ranges::any_of(unsynced_[i], [&](const Change& change) {
      return change.directory == directory || names.contains(key_of(change.directory, change.name));
    });
    if (!chosen[i]) continue;
    for (const Change& change : unsynced_[i]) names.insert(key_of(change.directory, change.name));
  }
  std::vector<Record> left;
  for (size_t i = 0; i < unsynced_.size(); ++i) {
    if (chosen[i]) {
      make_durable(unsynced_[i]);
    } else {
      left.push_back(std::move(unsynced_[i]));
    }
  }
  unsynced_ = std::move(left);
}

void SimTree::sync_all() {
  for (const Record& record : unsynced_) make_durable(record);
  unsynced_.clear();
  for_each_node(root_, [](SimNode& node) { node.sync(); });
}

uint64_t SimTree::allocated_sectors() const {
  uint64_t count = 0;
  for_each_node(root_, [&count](const SimNode& node) { count += node.now.sectors.size(); });
  return count;
}

SimTree SimTree::after_crash(Random& random) const {
  std::unordered_map<const SimNode*, Names> left;
  std::set<NameKey> lost;
  for (const Record& record : unsynced_) {
    const bool depends_on_lost = std::ranges::any_of(
        record, [&](const Change& change) { return lost.contains(key_of(change.directory, change.name)); });
    const bool survives = !depends_on_lost && random.below(2) == 0;
    for (const Change& change : record) {
      if (survives) {
        auto& names = left.try_emplace(change.directory.get(), change.directory->durable.names).first->second;
        set_name(names, change.name, change.node);
      } else {
        lost.insert(key_of(change.directory, change.name));
      }
    }
  }
  SimTree tree;
  tree.root_ = Survivors(std::move(left), random, tree).build(root_);
  return tree;
}

}  // namespace firn::io::internal
