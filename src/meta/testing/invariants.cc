#include "meta/testing/invariants.h"

#include <map>
#include <set>

#include "kv/testing/engine_host.h"
#include "meta/keys.h"
#include "meta/records.h"
#include "meta/usage.h"

namespace firn::meta::testing {

namespace {

using kv::testing::run;

class Checker {
 public:
  explicit Checker(kv::Engine& engine) : transaction_(engine.begin()) {}

  std::vector<std::string> check() {
    load();
    for (const auto& [id, inode] : inodes_) check_inode(id, inode);
    for (const auto& [id, count] : names_)
      if (!inodes_.contains(id)) complain(id, "is named but missing");
    for (Prefix prefix : {Prefix::kInline, Prefix::kOrphan, Prefix::kLive, Prefix::kXattr, Prefix::kChunk,
                          Prefix::kPending, Prefix::kJournal})
      for (const auto& [id, count] : counts_[prefix])
        if (!inodes_.contains(id)) complain(id, std::string("has a left-over record ") + char(prefix));
    check_usage();
    return std::move(problems_);
  }

 private:
  void load() {
    for (const kv::Pair& pair : *run(transaction_->scan({std::string(1, '\0'), std::string(1, '\xff')}, 10'000'000))) {
      const auto prefix = Prefix(pair.key[0]);
      if (prefix == Prefix::kVolume || prefix == Prefix::kCounter || prefix == Prefix::kBlob ||
          prefix == Prefix::kContent || prefix == Prefix::kEvent)
        continue;
      const InodeId id = *inode_of_key(pair.key);
      if (prefix == Prefix::kInode) {
        inodes_[id] = *decode_inode(id, pair.value);
      } else if (prefix == Prefix::kDirent) {
        load_dirent(id, *decode_dirent(pair.value));
        entries_[{id, std::string(*name_of_key(pair.key))}] = decode_dirent(pair.value)->inode;
      } else {
        ++counts_[prefix][id];
      }
    }
  }

  void load_dirent(InodeId parent, Dirent dirent) {
    ++names_[dirent.inode];
    ++children_[parent];
    if (dirent.type == FileType::kDirectory) {
      ++subdirectories_[parent];
      parents_[dirent.inode] = parent;
    }
  }

  void check_inode(InodeId id, const Inode& inode) {
    const Attr& attr = inode.attr;
    const auto named = entries_.find({attr.parent, inode.name});
    if (!inode.name.empty() && attr.nlink != 0 && (named == entries_.end() || named->second != id))
      complain(id, "is not where it says it is");
    if (inode.is_directory()) {
      check_directory(id, attr);
    } else {
      expect(id, "nlink", attr.nlink, names_[id]);
    }
    expect(id, "orphan record", counts_[Prefix::kOrphan][id], attr.nlink == 0);
    expect(id, "live record", counts_[Prefix::kLive][id], attr.content.live);
    expect(id, "inline record", counts_[Prefix::kInline][id], inode.has_inline);
    const unsigned lists = !inode.access_acl().empty() + !inode.default_acl().empty();
    expect(id, "xattrs", attr.xattr_count, counts_[Prefix::kXattr][id] + lists);
    const UsageShare share = share_of(attr);
    for (size_t k = 0; k < share.size(); ++k) usage_[k] += share[k];
  }

  void check_directory(InodeId id, const Attr& attr) {
    const bool linked = id == kRootInode || names_[id] == 1;
    expect(id, "nlink", attr.nlink, linked ? 2 + subdirectories_[id] : 0);
    if (names_[id] > 1) complain(id, "is a directory with several names");
    if (attr.nlink == 0 && children_[id] != 0) complain(id, "was removed but has children");
    if (id != kRootInode && linked && parents_[id] != attr.parent) complain(id, "has the wrong parent");
  }

  void check_usage() {
    const auto counter = [&](std::string_view name) {
      const auto stored = *run(transaction_->get(counter_key(name)));
      return stored ? *decode_counter(*stored) : 0;
    };
    for (size_t k = 0; k < usage_.size(); ++k)
      expect(InodeId(), std::string(kUsageCounters[k]), counter(kUsageCounters[k]), static_cast<uint64_t>(usage_[k]));
  }

  void expect(InodeId id, const std::string& what, uint64_t stored, uint64_t counted) {
    if (stored != counted)
      complain(id, what + " is " + std::to_string(stored) + ", should be " + std::to_string(counted));
  }
  void complain(InodeId id, const std::string& what) {
    problems_.push_back("inode " + std::to_string(id.value) + ": " + what);
  }

  std::unique_ptr<kv::Transaction> transaction_;
  std::map<InodeId, Inode> inodes_;
  std::map<InodeId, uint64_t> names_, children_, subdirectories_;
  std::map<InodeId, InodeId> parents_;
  std::map<std::pair<InodeId, std::string>, InodeId> entries_;
  std::map<Prefix, std::map<InodeId, uint64_t>> counts_;
  UsageShare usage_ = {};
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> contradictions(kv::Engine& engine) { return Checker(engine).check(); }

}  // namespace firn::meta::testing
