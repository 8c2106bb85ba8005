#include "ledger.h"

#include <fmt/format.h>

#include <atomic>

namespace firn::crash {

uint32_t new_file_id() {
  static std::atomic<uint32_t> next{1};
  return next++;
}

void Ledger::file_synced(uint64_t inode) {
  files.at(inode).settle_all();
  names.settle_inode(inode);
}

void Ledger::all_synced() {
  names.settle(names.count());
  for (auto& [inode, file] : files) file.settle_all();
}

void Ledger::age_out(Instant cutoff) {
  names.settle_older(cutoff);
  for (auto& [inode, file] : files) file.settle_older(cutoff);
}

void Ledger::replaced_by(uint64_t inode) {
  if (auto it = files.find(inode); it != files.end()) floors_.push_back({names.count(), inode, it->second.op_count()});
}

void Ledger::check_links(const FoundTree& found, std::vector<std::string>& wrong) const {
  std::map<uint64_t, uint64_t> links;
  for (const auto& [path, node] : found) {
    if (node.type == NodeType::kDirectory) links[node.inode] += 2;
    if (node.type != NodeType::kDirectory) ++links[node.inode];
    if (node.type == NodeType::kDirectory)
      if (auto parent = found.find(std::string(parent_of(path))); parent != found.end()) ++links[parent->second.inode];
  }
  for (const auto& [path, node] : found)
    if (links[node.inode] != node.links)
      wrong.push_back(fmt::format("{}: link count {}, but {} by its names", path, node.links, links[node.inode]));
}

std::vector<std::string> Ledger::check_and_adopt(const FoundTree& found, const ReadFile& read, uint64_t& checked) {
  std::vector<std::string> wrong;
  Names seen;
  for (const auto& [path, node] : found) seen[path] = {node.inode, node.type};
  std::string why;
  int64_t happened = names.check_and_adopt(seen, why);
  if (happened < 0) wrong.push_back(why);
  checked += found.size() + 1;
  for (const Floor& floor : floors_)
    if (happened >= static_cast<int64_t>(floor.events))
      if (auto it = files.find(floor.inode); it != files.end()) it->second.settle(floor.ops);
  floors_.clear();
  check_links(found, wrong);

  std::unordered_map<uint64_t, FileModel> kept;
  for (const auto& [path, node] : found) {
    if (node.type != NodeType::kFile || kept.contains(node.inode)) continue;
    auto known = files.find(node.inode);
    FileModel model = known == files.end() ? FileModel(new_file_id()) : known->second;
    std::vector<std::byte> content;
    if (!read(path, content)) {
      wrong.push_back(path + ": cannot be read");
      continue;
    }
    checked += 1 + content.size() / 4096;
    if (content.size() != node.size)
      wrong.push_back(fmt::format("{}: stat says {} bytes, reading gives {}", path, node.size, content.size()));
    if (std::string bad = model.check_and_adopt(content); !bad.empty())
      wrong.push_back(fmt::format("{} (inode {}, file {}): {}", path, node.inode, model.id(), bad));
    kept.emplace(node.inode, std::move(model));
  }
  files = std::move(kept);
  return wrong;
}

}  // namespace firn::crash
