#include "meta/records.h"

#include "meta.pb.h"
#include "meta/acl.h"

namespace firn::meta {

namespace {

constexpr uint32_t kNanosecondsPerSecond = 1'000'000'000;

bool valid_type(uint32_t type) {
  return type >= uint32_t(FileType::kRegular) && type <= uint32_t(FileType::kBlockDevice);
}

// Messages are reused: their strings keep their capacity.
record::Inode& inode_message() {
  static thread_local record::Inode message;
  return message;
}

record::Dirent& dirent_message() {
  static thread_local record::Dirent message;
  return message;
}

std::unexpected<Status> corrupt_inode(InodeId id, const char* what) {
  return fail(Code::kCorrupt, "record of inode " + std::to_string(id.value) + ": " + what);
}

const char* problem_of(const record::Inode& m) {
  if (!valid_type(m.type())) return "unknown file type";
  if (m.mode() > 07777) return "mode out of range";
  if (m.atime_nanoseconds() >= kNanosecondsPerSecond || m.mtime_nanoseconds() >= kNanosecondsPerSecond ||
      m.ctime_nanoseconds() >= kNanosecondsPerSecond || m.btime_nanoseconds() >= kNanosecondsPerSecond)
    return "nanoseconds out of range";
  if (m.target().size() > kMaxSymlinkBytes) return "symlink target too long";
  if (!m.access_acl().empty() && !parse_acl(m.access_acl())) return "malformed access ACL";
  if (!m.default_acl().empty() && !parse_acl(m.default_acl())) return "malformed default ACL";
  if (m.name().size() > kMaxNameBytes) return "name too long";
  if (m.skip_tiers() > kEveryTier) return "policy of unknown tiers";
  return nullptr;
}

void write_times(const Attr& a, record::Inode& m) {
  m.set_atime_seconds(a.atime.seconds);
  m.set_atime_nanoseconds(a.atime.nanoseconds);
  m.set_mtime_seconds(a.mtime.seconds);
  m.set_mtime_nanoseconds(a.mtime.nanoseconds);
  m.set_ctime_seconds(a.ctime.seconds);
  m.set_ctime_nanoseconds(a.ctime.nanoseconds);
  m.set_btime_seconds(a.btime.seconds);
  m.set_btime_nanoseconds(a.btime.nanoseconds);
}

void write_attr(const Attr& a, record::Inode& m) {
  m.set_type(uint32_t(a.type));
  m.set_mode(a.mode);
  m.set_nlink(a.nlink);
  m.set_uid(a.uid);
  m.set_gid(a.gid);
  m.set_size(a.size);
  m.set_allocated_bytes(a.allocated_bytes);
  write_times(a, m);
  m.set_flags(a.flags);
  m.set_rdev(a.rdev);
  m.set_parent(a.parent.value);
  m.set_xattr_count(a.xattr_count);
  m.set_backing(a.content.backing.value);
  m.set_settled(a.content.settled);
  m.set_live(a.content.live);
  m.set_boot_session(a.content.boot_session);
  m.set_generation(a.content.generation);
  m.set_uploaded_generation(a.content.uploaded_generation);
  m.set_evicted(a.content.evicted);
  m.set_hot_id(a.content.hot_id);
  m.set_access_level(a.content.access_level);
  if (a.content.uploaded_size) m.set_uploaded_size(*a.content.uploaded_size);
  m.set_journal_blocks(a.content.journal_blocks);
  m.set_uploaded_version(a.content.uploaded_version);
  m.set_skip_tiers(a.policy.skip);
  m.set_pinned(a.policy.pinned);
}

Attr read_attr(InodeId id, const record::Inode& m) {
  return {.inode = id,
          .type = FileType(m.type()),
          .mode = m.mode(),
          .nlink = m.nlink(),
          .uid = m.uid(),
          .gid = m.gid(),
          .rdev = m.rdev(),
          .size = m.size(),
          .allocated_bytes = m.allocated_bytes(),
          .atime = {m.atime_seconds(), m.atime_nanoseconds()},
          .mtime = {m.mtime_seconds(), m.mtime_nanoseconds()},
          .ctime = {m.ctime_seconds(), m.ctime_nanoseconds()},
          .btime = {m.btime_seconds(), m.btime_nanoseconds()},
          .flags = m.flags(),
          .xattr_count = m.xattr_count(),
          .parent = InodeId(m.parent()),
          .content = {BackingId(m.backing()), m.settled(), m.live(), m.boot_session(), m.generation(),
                      m.uploaded_generation(), m.evicted(),
                      m.has_uploaded_size() ? std::optional(m.uploaded_size()) : std::nullopt, m.hot_id(),
                      m.journal_blocks(), m.uploaded_version(), m.access_level()},
          .policy = {.skip = m.skip_tiers(), .pinned = m.pinned()}};
}

}  // namespace

std::string_view encode_inode(const Inode& inode) {
  static thread_local std::string bytes;
  record::Inode& m = inode_message();
  m.Clear();
  write_attr(inode.attr, m);
  m.set_xattr_bytes(inode.xattr_bytes);
  m.set_has_inline(inode.has_inline);
  m.set_unnamed(inode.unnamed);
  if (!inode.name.empty()) m.set_name(inode.name);
  if (inode.extras) {
    m.set_target(inode.target());
    m.set_access_acl(inode.access_acl());
    m.set_default_acl(inode.default_acl());
  }
  m.SerializeToString(&bytes);
  return bytes;
}

Result<Inode> decode_inode(InodeId id, std::string_view bytes) {
  record::Inode& m = inode_message();
  if (!m.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return corrupt_inode(id, "does not parse");
  if (const char* problem = problem_of(m)) return corrupt_inode(id, problem);
  Inode inode;
  inode.attr = read_attr(id, m);
  inode.xattr_bytes = m.xattr_bytes();
  inode.has_inline = m.has_inline();
  inode.unnamed = m.unnamed();
  inode.name = m.name();
  if (!m.target().empty() || !m.access_acl().empty() || !m.default_acl().empty())
    inode.extras = std::make_shared<const Extras>(Extras{m.target(), m.access_acl(), m.default_acl()});
  return inode;
}

void forget_foreign_backing(Inode& inode, uint64_t hot_id, bool lost_is_empty) {
  Content& content = inode.attr.content;
  if (!content.backing || content.hot_id == hot_id) return;
  content.backing = BackingId();
  content.hot_id = hot_id;
  if (!content.settled) return;
  content.evicted = true;
  if (content.uploaded_size || lost_is_empty) inode.attr.size = content.uploaded_size.value_or(0);
}

std::string_view encode_dirent(const Dirent& dirent) {
  static thread_local std::string bytes;
  record::Dirent& m = dirent_message();
  m.Clear();
  m.set_inode(dirent.inode.value);
  m.set_type(uint32_t(dirent.type));
  m.SerializeToString(&bytes);
  return bytes;
}

Result<Dirent> decode_dirent(std::string_view bytes) {
  record::Dirent& m = dirent_message();
  if (!m.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || m.inode() == 0 || !valid_type(m.type()))
    return fail(Code::kCorrupt, "malformed directory entry");
  return Dirent{InodeId(m.inode()), FileType(m.type())};
}

}  // namespace firn::meta
