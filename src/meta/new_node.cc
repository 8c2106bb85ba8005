#include "meta/new_node.h"

#include "meta/acl.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

constexpr uint64_t kDirectoryBytes = 4096;  // what stat shows; directories occupy no data

uint32_t requested_mode(const Credentials& who, const Inode& parent, const NodeSpec& spec) {
  switch (spec.type) {
    case FileType::kSymlink:
      return 0777;
    case FileType::kDirectory:
      return spec.mode & 01777;
    default:
      break;
  }
  const uint32_t mode = spec.mode & 07777;
  // A setgid program may not be planted in a group that its maker is not in.
  const bool runs_as_group = (mode & kSetGid) && (mode & kGroupExecute) && (parent.attr.mode & kSetGid);
  return runs_as_group ? setgid_if_allowed(who, mode, parent.attr.gid) : mode;
}

// The parent's default list takes the umask's place.
void inherit_acl(const Inode& parent, Inode& inode, uint32_t& mode) {
  Acl acl = parse_acl(parent.default_acl()).value_or(Acl{});
  acl_inherit(acl, mode);
  if (!acl_is_mode(acl)) {
    inode.set_extra(&Extras::access_acl, encode_acl(acl));
    ++inode.attr.xattr_count;
  }
  if (inode.is_directory()) {
    inode.set_extra(&Extras::default_acl, parent.default_acl());
    ++inode.attr.xattr_count;
  }
}

void set_type_facts(const Inode& parent, const NodeSpec& spec, Inode& inode) {
  Attr& attr = inode.attr;
  switch (spec.type) {
    case FileType::kRegular:
      attr.content = spec.content;
      break;
    case FileType::kDirectory:
      attr.nlink = 2;
      attr.size = kDirectoryBytes;
      attr.parent = parent.attr.inode;
      break;
    case FileType::kSymlink:
      attr.size = spec.target.size();
      inode.set_extra(&Extras::target, spec.target);
      break;
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      attr.rdev = spec.rdev;
      break;
    case FileType::kFifo:
    case FileType::kSocket:
      break;
  }
}

}  // namespace

Inode make_inode(const Credentials& who, const Inode& parent, InodeId id, const NodeSpec& spec, Timestamp now) {
  Inode inode;
  Attr& attr = inode.attr;
  attr.inode = id;
  attr.type = spec.type;
  attr.nlink = 1;
  attr.uid = who.uid;
  attr.gid = parent.attr.mode & kSetGid ? parent.attr.gid : who.gid;
  attr.atime = attr.mtime = attr.ctime = attr.btime = now;
  if (may_have_policy(spec.type)) attr.policy = parent.attr.policy;
  set_type_facts(parent, spec, inode);
  uint32_t mode = requested_mode(who, parent, spec);
  if (spec.type != FileType::kSymlink) {
    if (spec.like) {
      // What it is a copy of says all.
    } else if (parent.default_acl().empty()) {
      mode &= ~(spec.umask & 0777);
    } else {
      inherit_acl(parent, inode, mode);
    }
  }
  if (inode.is_directory()) mode |= parent.attr.mode & kSetGid;
  attr.mode = mode;
  return inode;
}

void stamp_session(const Core& core, Content& content) {
  if (content.backing) content.hot_id = core.options.hot_id;
  if (content.backing && !content.settled && content.boot_session == 0)
    content.boot_session = core.options.boot_session;
}

Status check_spec(const Credentials& who, const NodeSpec& spec) {
  switch (spec.type) {
    case FileType::kSymlink:
      if (spec.target.empty()) return Code::kNotFound;
      return spec.target.size() > kMaxSymlinkBytes ? Code::kNameTooLong : Code::kOk;
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      return who.privileged() || who.kernel_checked ? Code::kOk : Code::kNotPermitted;
    case FileType::kRegular:
    case FileType::kDirectory:
    case FileType::kFifo:
    case FileType::kSocket:
      return {};
  }
  return Code::kInvalid;
}

io::Task<Result<Attr>> add_node(Mutation& m, const Credentials& who, Inode* parent, std::string_view name,
                                const NodeSpec& spec) {
  const InodeId id = CO_TRY(co_await m.core().numbers.next());
  Inode* inode = m.add(make_inode(who, *parent, id, spec, m.now()));
  stamp_session(m.core(), inode->attr.content);
  inode->name_it(parent->attr.inode, name);
  CO_TRY(apply_likeness(m, who, spec, *inode));
  if (inode->is_directory()) ++parent->attr.nlink;
  m.touch(parent);
  m.put_dirent(parent->attr.inode, name, {id, spec.type});
  m.note({.kind = EventKind::kCreated, .inode = inode, .who = &who});
  CO_TRY(co_await m.commit());
  co_return inode->attr;
}

}  // namespace firn::meta
