#include "vfs/fsck/census.h"

#include <algorithm>

#include "kv/key_hash.h"
#include "meta/event.h"
#include "meta/keys.h"
#include "meta/records.h"
#include "vfs/fsck/walk.h"

namespace firn::vfs::internal {
namespace {

using meta::Prefix;

InodeFacts facts_of(const meta::Inode& inode) {
  InodeFacts facts;
  facts.type = inode.attr.type;
  facts.nlink = inode.attr.nlink;
  facts.size = inode.attr.size;
  facts.allocated_bytes = inode.attr.allocated_bytes;
  facts.parent = inode.attr.parent;
  facts.content = inode.attr.content;
  facts.policy = inode.attr.policy;
  facts.has_inline = inode.has_inline;
  facts.xattr_count = inode.attr.xattr_count;
  facts.acl_count = (inode.access_acl().empty() ? 0u : 1u) + (inode.default_acl().empty() ? 0u : 1u);
  if (!inode.name.empty()) facts.known_as = kv::hash_key(meta::dirent_key(inode.attr.parent, inode.name));
  return facts;
}

struct InodeVisitor {
  Census& census;
  void operator()(const kv::Pair& pair) const {
    Result<InodeId> id = meta::inode_of_key(pair.key);
    if (!id) return census.report({}, "a key of the inode table is malformed", {{pair.key, std::nullopt}});
    Result<meta::Inode> inode = meta::decode_inode(*id, pair.value);
    InodeFacts& facts = census.inodes[*id];
    if (inode) {
      meta::forget_foreign_backing(*inode, census.hot_id);
      facts = facts_of(*inode);
    } else {
      facts.undecodable = true;
      census.report(*id, inode.error().message());
    }
  }
};

struct NameVisitor {
  Census& census;
  void operator()(const kv::Pair& pair) const {
    Result<InodeId> parent = meta::inode_of_key(pair.key);
    Result<std::string_view> name = meta::name_of_key(pair.key);
    Result<meta::Dirent> dirent = meta::decode_dirent(pair.value);
    if (!parent || !name) return census.report({}, "a key of a directory is malformed", {{pair.key, std::nullopt}});
    ++census.names;
    const std::string entry = "entry '" + std::string(*name) + "'";
    if (!dirent) return census.report(*parent, entry + " cannot be decoded");
    InodeFacts* directory = census.find(*parent);
    if (!directory || (!directory->undecodable && directory->type != meta::FileType::kDirectory))
      return census.report(*parent, entry + " is in something that is no directory", {{pair.key, std::nullopt}});
    InodeFacts* target = census.find(dirent->inode);
    if (!target)
      return census.report(*parent,
                           entry + " names inode " + std::to_string(dirent->inode.value) + ", which does not exist",
                           {{pair.key, std::nullopt}});
    add(*parent, *name, *dirent, *directory, *target, pair.key);
  }

  void add(InodeId parent, std::string_view name, const meta::Dirent& dirent, InodeFacts& directory, InodeFacts& target,
           const std::string& key) const {
    if (!target.undecodable && dirent.type != target.type)
      census.report(parent, "entry '" + std::string(name) + "' has another file type than its inode",
                    {{key, std::string(meta::encode_dirent({dirent.inode, target.type}))}});
    const bool is_directory = target.type == meta::FileType::kDirectory && !target.undecodable;
    if (is_directory && target.names > 0) {
      census.extra_names.push_back({parent, std::string(name), dirent.inode, target.type});
      return;
    }
    ++target.names;
    if (target.known_as != 0 && kv::hash_key(key) == target.known_as) target.known_name_found = true;
    if (is_directory) ++directory.subdirectories;
    if (target.names > 1) return;
    target.named_in = parent;
    target.name = std::string(name);
  }
};

// Records that belong to an inode: X, N, O, L, J.
struct BelongingVisitor {
  Census& census;
  Prefix prefix;
  void operator()(const kv::Pair& pair) const {
    Result<InodeId> id = meta::inode_of_key(pair.key);
    InodeFacts* facts = id ? census.find(*id) : nullptr;
    if (!facts)
      return census.report(id ? *id : InodeId{},
                           std::string("a record (") + static_cast<char>(prefix) + ") belongs to no inode",
                           {{pair.key, std::nullopt}});
    switch (prefix) {
      case Prefix::kXattr:
        ++facts->xattrs_found;
        break;
      case Prefix::kOrphan:
        facts->orphan_record = true;
        break;
      case Prefix::kLive:
        facts->live_record = true;
        break;
      case Prefix::kInline:
        facts->inline_found = true;
        facts->inline_bytes = pair.value.size();
        break;
      case Prefix::kJournal:
        ++facts->journal_found;
        if (facts->content.journal_blocks == 0 && !facts->undecodable)
          census.report(*id, "has a block in its journal although it has none", {{pair.key, std::nullopt}});
        break;
      default:
        break;
    }
  }
};

struct EventVisitor {
  Census& census;
  void operator()(const kv::Pair& pair) const {
    if (!meta::sequence_of_event_key(pair.key) || !meta::decode_event(pair.value))
      census.report({}, "a logged event cannot be decoded", {{pair.key, std::nullopt}});
  }
};

io::Task<Result<uint64_t>> counter(kv::Engine& engine, std::string_view name) {
  auto transaction = engine.begin();
  auto value = CO_TRY(co_await transaction->get(meta::counter_key(name)));
  co_return value ? meta::decode_counter(*value).value_or(0) : 0;
}

}  // namespace

void Census::report(InodeId inode, std::string what, std::vector<Fix> fixes) {
  Finding finding;
  finding.problem.inode = inode;
  finding.problem.what = std::move(what);
  finding.problem.repairable = !fixes.empty();
  finding.fixes = std::move(fixes);
  findings.push_back(std::move(finding));
}

std::string Census::path_of(InodeId inode) const {
  constexpr int kMaxDepth = 4096;
  std::vector<std::string_view> parts;
  for (int depth = 0; inode != kRootInode; ++depth) {
    auto it = inodes.find(inode);
    if (it == inodes.end() || !it->second.named_in || depth == kMaxDepth) return "";
    parts.push_back(it->second.name);
    inode = it->second.named_in;
  }
  if (parts.empty()) return "/";
  std::string path;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) path.append("/").append(*part);
  return path;
}

io::Task<Result<void>> take_census(kv::Engine& engine, const FsckOptions& options, Census& census) {
  InodeVisitor inodes{census};
  CO_TRY(co_await for_each(engine, Prefix::kInode, options, "inodes", inodes));
  NameVisitor names{census};
  CO_TRY(co_await for_each(engine, Prefix::kDirent, options, "names", names));
  for (auto [prefix, phase] : {std::pair{Prefix::kXattr, "extended attributes"},
                               {Prefix::kInline, "small files"},
                               {Prefix::kOrphan, "orphans"},
                               {Prefix::kLive, "open files"},
                               {Prefix::kJournal, "journals"}}) {
    BelongingVisitor visitor{census, prefix};
    CO_TRY(co_await for_each(engine, prefix, options, phase, visitor));
  }
  EventVisitor events{census};
  CO_TRY(co_await for_each(engine, Prefix::kEvent, options, "events", events));
  for (size_t i = 0; i < census.counted.size(); ++i)
    census.counted[i] = static_cast<int64_t>(CO_TRY(co_await counter(engine, meta::kUsageCounters[i])));
  co_return Result<void>();
}

}  // namespace firn::vfs::internal
