// New inodes that are copies of others.
#include "meta/keys.h"
#include "meta/new_node.h"
#include "meta/ops/xattr_rules.h"

namespace firn::meta {

namespace {

constexpr uint64_t kAllocationUnit = 512;  // what st_blocks counts

Status add_xattr(Mutation& m, const Credentials& who, Inode& inode, const std::string& name, const std::string& value) {
  TRY(check_xattr_name(name));
  if (value.size() > kMaxXattrValueBytes) return Code::kArgumentTooBig;
  TRY(check_xattr_use(who, inode, name, XattrUse::kWrite));
  if (is_acl_name(name)) return set_acl(who, inode, name, value);
  const uint64_t total = inode.xattr_bytes + name.size() + value.size();
  // Not "no space": that is the disk's.
  if (total > kMaxXattrTotalBytes || inode.attr.xattr_count >= kMaxXattrs) return Code::kArgumentTooBig;
  ++inode.attr.xattr_count;
  inode.xattr_bytes = static_cast<uint32_t>(total);
  m.transaction().put(xattr_key(inode.attr.inode, name), value);
  return {};
}

}  // namespace

Status apply_likeness(Mutation& m, const Credentials& who, const NodeSpec& spec, Inode& inode) {
  if (!spec.like) return {};
  if (!who.privileged()) return Code::kNotPermitted;
  const Likeness& like = *spec.like;
  Attr& attr = inode.attr;
  attr.uid = like.uid;
  attr.gid = like.gid;
  attr.atime = like.atime;
  attr.mtime = like.mtime;
  if (attr.type != FileType::kSymlink) attr.mode = spec.mode & 07777;
  for (const auto& [name, value] : like.xattrs) TRY(add_xattr(m, who, inode, name, value));
  if (like.content.empty()) return {};
  if (attr.type != FileType::kRegular || attr.content.backing) return Code::kInvalid;
  m.transaction().put(inline_key(attr.inode), like.content);
  inode.has_inline = true;
  attr.size = like.content.size();
  attr.allocated_bytes = (attr.size + kAllocationUnit - 1) / kAllocationUnit * kAllocationUnit;
  return {};
}

}  // namespace firn::meta
