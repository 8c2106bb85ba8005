#include "names.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

namespace firn::crash {
namespace {

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

void move_tree(Names& names, const std::string& from, const std::string& to) {
  Names moved;
  for (auto it = names.begin(); it != names.end();) {
    if (it->first == from || is_below(it->first, from)) {
      moved[to + it->first.substr(from.size())] = it->second;
      it = names.erase(it);
    } else {
      ++it;
    }
  }
  for (auto& [path, entry] : moved) names[path] = entry;
}

std::vector<std::string> differences(const Names& expected, const Names& found) {
  std::vector<std::string> out;
  for (const auto& [path, entry] : expected) {
    auto it = found.find(path);
    if (it == found.end())
      out.push_back(fmt::format("{} (inode {}) is missing", path, entry.inode));
    else if (!(it->second == entry))
      out.push_back(fmt::format("{} is inode {}, not {}", path, it->second.inode, entry.inode));
  }
  for (const auto& [path, entry] : found)
    if (!expected.contains(path)) out.push_back(fmt::format("{} (inode {}) should not be there", path, entry.inode));
  return out;
}

}  // namespace

std::string_view parent_of(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string to_string(const Event& event) {
  static constexpr const char* kNames[] = {"make", "remove", "rename", "exchange"};
  return fmt::format("{} {} {}{}", kNames[static_cast<size_t>(event.kind)], event.path, event.new_path,
                     event.in_flight ? " (in flight)" : "");
}

void apply(Names& names, const Event& event) {
  switch (event.kind) {
    case Event::Kind::kMake:
      names[event.path] = event.entry;
      break;
    case Event::Kind::kRemove:
      names.erase(event.path);
      break;
    case Event::Kind::kRename:
      move_tree(names, event.path, event.new_path);
      break;
    case Event::Kind::kExchange:
      std::swap(names[event.path], names[event.new_path]);  // files only
      break;
  }
}

void NameHistory::finish(bool happened, uint64_t inode) {
  if (!happened) {
    events_.pop_back();
    return;
  }
  Event& event = events_.back();
  event.in_flight = false;
  event.done = std::chrono::steady_clock::now();
  if (event.kind == Event::Kind::kMake) event.entry.inode = inode;
  crash::apply(now_, event);
}

void NameHistory::settle(size_t count) {
  size_t folded = std::min(count - std::min(count, settled_count_), events_.size());
  for (size_t i = 0; i < folded; ++i) crash::apply(base_, events_[i]);
  events_.erase(events_.begin(), events_.begin() + static_cast<ptrdiff_t>(folded));
  settled_count_ += folded;
}

void NameHistory::settle_older(Instant cutoff) {
  size_t count = 0;
  while (count < events_.size() && !events_[count].in_flight && events_[count].done < cutoff) ++count;
  settle(settled_count_ + count);
}

void NameHistory::settle_inode(uint64_t inode) {
  Names names = base_;
  size_t last = 0;
  auto inode_at = [&](const std::string& path) {
    auto it = names.find(path);
    return it == names.end() ? 0 : it->second.inode;
  };
  for (size_t i = 0; i < events_.size(); ++i) {
    bool touched = inode_at(events_[i].path) == inode || inode_at(events_[i].new_path) == inode;
    crash::apply(names, events_[i]);
    if (touched || inode_at(events_[i].path) == inode) last = i + 1;
  }
  settle(settled_count_ + last);
}

void NameHistory::settle_directory(std::string_view path) {
  size_t last = 0;
  for (size_t i = 0; i < events_.size(); ++i)
    if (parent_of(events_[i].path) == path || (!events_[i].new_path.empty() && parent_of(events_[i].new_path) == path))
      last = i + 1;
  settle(settled_count_ + last);
}

int64_t NameHistory::check_and_adopt(const Names& found, std::string& why) {
  Names names = base_;
  int64_t first = -1;
  bool matched = names == found;
  if (matched) first = static_cast<int64_t>(settled_count_);
  for (size_t i = 0; i < events_.size() && !matched; ++i) {
    crash::apply(names, events_[i]);
    matched = names == found;
    if (matched) first = static_cast<int64_t>(settled_count_ + i + 1);
  }
  if (!matched) {
    why = explain(found);
    return -1;
  }
  settled_count_ += events_.size();
  events_.clear();
  base_ = now_ = found;
  return first;
}

// Compares with the nearest prefix, and says whether single names are wrong or only their order.
std::string NameHistory::explain(const Names& found) const {
  Names names = base_;
  std::map<std::string, std::vector<Entry>> allowed;
  std::set<std::string> may_be_absent;
  auto note = [&] {
    for (const auto& [path, entry] : names) allowed[path].push_back(entry);
    for (const auto& [path, entries] : allowed)
      if (!names.contains(path)) may_be_absent.insert(path);
  };
  note();
  std::vector<std::string> nearest = differences(names, found);
  size_t nearest_at = 0;
  for (size_t i = 0; i < events_.size(); ++i) {
    const std::string& target = events_[i].new_path.empty() ? events_[i].path : events_[i].new_path;
    if (!allowed.contains(target)) may_be_absent.insert(target);
    crash::apply(names, events_[i]);
    note();
    if (auto now = differences(names, found); now.size() <= nearest.size()) nearest = now, nearest_at = i + 1;
  }
  std::string why =
      fmt::format("names: no prefix of {} later events gives this tree; nearest is {}:", events_.size(), nearest_at);
  for (size_t i = 0; i < std::min<size_t>(nearest.size(), 6); ++i) why += "\n      " + nearest[i];
  for (size_t i = nearest_at - std::min<size_t>(nearest_at, 4); i < std::min(events_.size(), nearest_at + 4); ++i)
    why += fmt::format("\n      event {}: {}", i, to_string(events_[i]));
  for (const auto& [path, entries] : allowed) {
    auto it = found.find(path);
    if (it == found.end() && !may_be_absent.contains(path)) why += "\n      LOST durable name " + path;
    if (it != found.end() && std::ranges::find(entries, it->second) == entries.end())
      why += "\n      FOREIGN inode at " + path;
  }
  return why;
}

}  // namespace firn::crash
