#include <unistd.h>

#include "meta/acl.h"
#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/ops/kill_set_ids.h"
#include "meta/ops/remove.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

bool is_owner(const Credentials& who, const Attr& attr) { return who.privileged() || who.uid == attr.uid; }

// Times given by the caller, or one of the two left alone: the owner's right. Both "now": a writer's.
bool sets_times(const SetAttr& c) { return c.atime || c.mtime || (c.atime_now != c.mtime_now); }
bool touches(const SetAttr& c) { return c.atime_now && c.mtime_now; }

Status check_flags(const Credentials& who, const Attr& attr, const SetAttr& c) {
  if (c.flags) {
    if (!is_owner(who, attr)) return Code::kNotPermitted;
    const uint32_t changed = (*c.flags ^ attr.flags) & (kFlagImmutable | kFlagAppend);
    if (changed && !who.privileged()) return Code::kNotPermitted;
  }
  if ((c.mode || c.uid || c.gid || sets_times(c)) && (attr.flags & (kFlagImmutable | kFlagAppend)))
    return Code::kNotPermitted;
  if (touches(c) && (attr.flags & kFlagImmutable)) return Code::kNotPermitted;
  return {};
}

Status check_ownership(const Credentials& who, const Attr& attr, const SetAttr& c) {
  if (who.privileged()) return {};
  const bool owner = who.uid == attr.uid;
  if (c.uid && !(owner && *c.uid == attr.uid)) return Code::kNotPermitted;
  if (c.gid && !(owner && (*c.gid == attr.gid || who.in_group(*c.gid)))) return Code::kNotPermitted;
  return {};
}

Status check_setattr(const Credentials& who, const Inode& inode, const SetAttr& c) {
  const Attr& attr = inode.attr;
  TRY(check_flags(who, attr, c));
  if (c.mode && attr.type == FileType::kSymlink) return Code::kNotSupported;
  if (who.kernel_checked) return {};
  TRY(check_ownership(who, attr, c));
  if (c.mode && !is_owner(who, attr)) return Code::kNotPermitted;
  if (sets_times(c) && !is_owner(who, attr)) return Code::kNotPermitted;
  if (touches(c) && !is_owner(who, attr) && !permits(who, inode, W_OK)) return Code::kAccessDenied;
  return {};
}

void apply_mode(const Credentials& who, const SetAttr& c, Inode& inode) {
  Attr& attr = inode.attr;
  attr.mode = setgid_if_allowed(who, *c.mode & 07777, attr.gid);
  if (inode.access_acl().empty()) return;
  Acl acl = parse_acl(inode.access_acl()).value_or(Acl{});
  acl_chmod(acl, attr.mode);
  inode.set_extra(&Extras::access_acl, encode_acl(acl));
}

void apply_owner(const Credentials& who, const SetAttr& c, Attr& attr) {
  // A file that stays setgid without group execute (mandatory locking) does so only in its changer's group.
  const bool changes = (c.uid || c.gid) && attr.type != FileType::kDirectory;
  if (changes && !c.mode) attr.mode = setgid_if_allowed(who, without_set_ids(attr.mode), attr.gid);
  if (c.uid) attr.uid = *c.uid;
  if (c.gid) attr.gid = *c.gid;
}

void apply_times(const SetAttr& c, Timestamp now, Attr& attr) {
  if (c.atime) attr.atime = *c.atime;
  if (c.mtime) attr.mtime = *c.mtime;
  if (c.atime_now) attr.atime = now;
  if (c.mtime_now) attr.mtime = now;
  attr.ctime = c.ctime.value_or(now);
}

io::Task<Result<Attr>> attempt(Mutation& m, const Credentials& who, InodeId id, const SetAttr& change) {
  co_await m.lock({id});
  Inode* inode = CO_TRY(co_await m.inode(id));
  CO_TRY(check_version(change.expected, *inode));
  CO_TRY(check_setattr(who, *inode, change));
  if (change.only_checks) co_return inode->attr;
  apply_owner(who, change, inode->attr);
  if (change.mode) apply_mode(who, change, *inode);
  if (change.flags) inode->attr.flags = *change.flags;
  if (change.kill_set_ids) inode->attr.mode = without_set_ids(inode->attr.mode);
  if (change.uid || change.gid || change.kill_set_ids) CO_TRY(co_await drop_capabilities(m, *inode));
  if (change.told_ctime) m.come_after(*change.told_ctime);
  apply_times(change, m.now(), inode->attr);
  m.update(inode);
  m.note({.kind = EventKind::kAttributes, .inode = inode, .who = &who});
  CO_TRY(co_await m.commit());
  co_return inode->attr;
}

}  // namespace

io::Task<Result<Attr>> LocalService::setattr(const Credentials& who, InodeId inode, const SetAttr& change) {
  return mutate(*core_, [&who, inode, &change](Mutation& m) { return attempt(m, who, inode, change); });
}

}  // namespace firn::meta
