// The invariants. Findings that change a record carry no fix yet: repair() writes every field of an inode at once.
#include <algorithm>

#include "meta/keys.h"
#include "vfs/fsck/census.h"

namespace firn::vfs::internal {
namespace {

std::string number(uint64_t value) { return std::to_string(value); }

// Marks every directory from which the root is reached; what remains is cut off or in a cycle.
std::unordered_set<InodeId> connected_directories(const Census& census) {
  std::unordered_set<InodeId> connected{kRootInode};
  for (const auto& [start, facts] : census.inodes) {
    if (facts.type != meta::FileType::kDirectory || facts.undecodable) continue;
    std::vector<InodeId> walked;
    std::unordered_set<InodeId> seen;
    for (InodeId at = start; at && !connected.contains(at) && seen.insert(at).second;) {
      walked.push_back(at);
      auto it = census.inodes.find(at);
      at = it == census.inodes.end() ? InodeId{} : it->second.named_in;
      if (at && connected.contains(at)) {
        connected.insert(walked.begin(), walked.end());
        break;
      }
    }
  }
  return connected;
}

void adopt(Census& census, InodeId inode, std::string what, std::vector<Fix> fixes = {}) {
  census.report(inode, std::move(what), std::move(fixes));
  census.findings.back().adopt = true;
  census.findings.back().problem.repairable = true;
}

void check_directory(Census& census, InodeId id, InodeFacts& facts) {
  const uint32_t links = 2 + facts.subdirectories;
  if (facts.nlink != links && facts.nlink != 0) {
    census.report(id, "has link count " + number(facts.nlink) + " but " + number(links) + " links");
    census.findings.back().problem.repairable = true;
  }
  const InodeId parent = id == kRootInode ? kRootInode : facts.named_in;
  if (parent && facts.parent != parent) {
    census.report(id, "says that its parent is inode " + number(facts.parent.value) + " but is named in inode " +
                          number(parent.value));
    census.findings.back().problem.repairable = true;
  }
}

void check_links(Census& census, InodeId id, InodeFacts& facts) {
  if (facts.names == 0 && facts.nlink == 0) {
    if (!facts.orphan_record)
      census.report(id, "was removed but is on no list of orphans", {{meta::orphan_key(id).str(), std::string()}});
    return;
  }
  if (facts.orphan_record)
    census.report(id, "is on the list of orphans although it has a name or a link count",
                  {{meta::orphan_key(id).str(), std::nullopt}});
  if (facts.names == 0 && id != kRootInode) return adopt(census, id, "has no name that leads to it");
  if (facts.type == meta::FileType::kDirectory) return check_directory(census, id, facts);
  if (facts.nlink != facts.names) {
    census.report(id, "has link count " + number(facts.nlink) + " but " + number(facts.names) + " names");
    census.findings.back().problem.repairable = true;
  }
}

void check_content(Census& census, InodeId id, InodeFacts& facts) {
  if (facts.inline_found != facts.has_inline) {
    census.report(id, facts.inline_found ? "has an inline value that its record does not know of"
                                         : "says that it has an inline value, but there is none");
    census.findings.back().problem.repairable = true;
  }
  if (facts.inline_found && facts.content.settled)
    census.report(id, "has both a backing file and a stale inline value", {{meta::inline_key(id).str(), std::nullopt}});
  if (facts.inline_found && !facts.content.backing && facts.inline_bytes != facts.size) {
    census.report(id, "has size " + number(facts.size) + " but " + number(facts.inline_bytes) + " bytes of content");
    census.findings.back().problem.repairable = true;
  }
  if (facts.content.live != facts.live_record) {
    Fix fix{meta::live_key(id).str(), std::nullopt};
    if (facts.content.live) fix.value = "";
    census.report(id,
                  facts.content.live ? "is open for writing but not on the list of open files"
                                     : "is on the list of open files but is closed",
                  {std::move(fix)});
  }
}

// What it says otherwise has been reported already, if it is a directory.
void check_known_name(Census& census, InodeId id, const InodeFacts& facts) {
  const bool directory = facts.type == meta::FileType::kDirectory;
  if (facts.known_as == 0 || facts.known_name_found || facts.names == 0 || id == kRootInode) return;
  if (directory && facts.parent != facts.named_in) return;
  census.report(id, "says that it has a name which leads elsewhere or nowhere");
  census.findings.back().problem.repairable = true;
}

}  // namespace

void check_tree(Census& census) {
  if (!census.find(kRootInode)) return census.report(kRootInode, "the root directory is missing");
  for (const Name& extra : census.extra_names)
    census.report(extra.target,
                  "is a directory with a second name, '" + extra.name + "' in inode " + number(extra.parent.value),
                  {{meta::dirent_key(extra.parent, extra.name).str(), std::nullopt}});
  const auto connected = connected_directories(census);
  for (auto& [id, facts] : census.inodes) {
    if (facts.type != meta::FileType::kDirectory || facts.undecodable || connected.contains(id) || facts.names == 0)
      continue;
    // One of a cycle is enough to bring the rest back: only a directory that leads to itself is cut loose.
    InodeId at = facts.named_in;
    for (size_t steps = 0; at && at != id && steps < census.inodes.size() && steps < 4096; ++steps) {
      const InodeFacts* next = census.find(at);
      at = next ? next->named_in : InodeId{};
    }
    if (at == id)
      adopt(census, id, "is a directory inside itself",
            {{meta::dirent_key(facts.named_in, facts.name).str(), std::nullopt}});
  }
}

void check_inodes(Census& census) {
  for (auto& [id, facts] : census.inodes) {
    if (facts.undecodable) continue;
    check_links(census, id, facts);
    check_known_name(census, id, facts);
    if (facts.type == meta::FileType::kRegular) check_content(census, id, facts);
    if (facts.xattr_count != facts.xattrs_found + facts.acl_count) {
      census.report(id, "counts " + number(facts.xattr_count) + " extended attributes but has " +
                            number(facts.xattrs_found + facts.acl_count));
      census.findings.back().problem.repairable = true;
    }
  }
}

void check_counters(Census& census) {
  constexpr std::array<std::string_view, meta::kUsageCounters.size()> kWhat = {"inodes",
                                                                               "allocated bytes",
                                                                               "pinned files",
                                                                               "bytes of pinned files",
                                                                               "files that skip every tier",
                                                                               "bytes of files that skip every tier"};
  meta::UsageShare found = {};
  for (auto& [id, facts] : census.inodes) {
    meta::Attr attr{.type = facts.type, .allocated_bytes = facts.allocated_bytes, .content = facts.content};
    attr.policy = facts.policy;
    const meta::UsageShare share = meta::share_of(attr);
    for (size_t i = 0; i < found.size(); ++i) found[i] += share[i];
  }
  for (size_t i = 0; i < found.size(); ++i) {
    if (census.counted[i] == found[i]) continue;
    const auto bytes = static_cast<uint64_t>(found[i]);
    census.report({},
                  "the volume counts " + std::to_string(census.counted[i]) + " " + std::string(kWhat[i]) + " but has " +
                      number(bytes),
                  {{meta::counter_key(meta::kUsageCounters[i]).str(), meta::encode_counter(bytes)}});
  }
}

}  // namespace firn::vfs::internal
