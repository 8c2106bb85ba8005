#include "nfs/nfs3_types.h"

#include <sys/sysmacros.h>

#include <algorithm>

namespace firn::nfs {

NfsStatus nfs_status_of(Code code) {
  switch (code) {
    case Code::kOk:
      return NfsStatus::kOk;
    case Code::kNotPermitted:
      return NfsStatus::kPermission;
    case Code::kNotFound:
      return NfsStatus::kNoEntry;
    case Code::kNoDevice:
      return NfsStatus::kNoDevice;
    case Code::kAccessDenied:
      return NfsStatus::kAccess;
    case Code::kExists:
      return NfsStatus::kExists;
    case Code::kCrossDevice:
      return NfsStatus::kCrossDevice;
    case Code::kNotDirectory:
      return NfsStatus::kNotDirectory;
    case Code::kIsDirectory:
      return NfsStatus::kIsDirectory;
    case Code::kInvalid:
    case Code::kLoop:
      return NfsStatus::kInvalid;
    case Code::kFileTooBig:
      return NfsStatus::kFileTooBig;
    case Code::kNoSpace:
      return NfsStatus::kNoSpace;
    case Code::kReadOnly:
      return NfsStatus::kReadOnly;
    case Code::kTooManyLinks:
      return NfsStatus::kTooManyLinks;
    case Code::kNameTooLong:
      return NfsStatus::kNameTooLong;
    case Code::kNotEmpty:
      return NfsStatus::kNotEmpty;
    case Code::kQuotaExceeded:
      return NfsStatus::kQuota;
    case Code::kStale:
      return NfsStatus::kStale;
    case Code::kBadHandle:
      return NfsStatus::kBadHandle;
    case Code::kNotSupported:
      return NfsStatus::kNotSupported;
    case Code::kBusy:
    case Code::kWouldBlock:
    case Code::kTimedOut:
    case Code::kUnavailable:
    case Code::kConflict:
    case Code::kNoMemory:
    case Code::kTooManyOpen:
      return NfsStatus::kJukebox;
    default:
      return NfsStatus::kIo;
  }
}

NfsType nfs_type_of(meta::FileType type) {
  switch (type) {
    case meta::FileType::kRegular:
      return NfsType::kRegular;
    case meta::FileType::kDirectory:
      return NfsType::kDirectory;
    case meta::FileType::kSymlink:
      return NfsType::kSymlink;
    case meta::FileType::kFifo:
      return NfsType::kFifo;
    case meta::FileType::kSocket:
      return NfsType::kSocket;
    case meta::FileType::kCharDevice:
      return NfsType::kCharDevice;
    case meta::FileType::kBlockDevice:
      return NfsType::kBlockDevice;
  }
  return NfsType::kRegular;
}

std::optional<meta::FileType> file_type_of(uint32_t nfs_type) {
  switch (static_cast<NfsType>(nfs_type)) {
    case NfsType::kRegular:
      return meta::FileType::kRegular;
    case NfsType::kDirectory:
      return meta::FileType::kDirectory;
    case NfsType::kSymlink:
      return meta::FileType::kSymlink;
    case NfsType::kFifo:
      return meta::FileType::kFifo;
    case NfsType::kSocket:
      return meta::FileType::kSocket;
    case NfsType::kCharDevice:
      return meta::FileType::kCharDevice;
    case NfsType::kBlockDevice:
      return meta::FileType::kBlockDevice;
  }
  return std::nullopt;
}

Timestamp read_time(XdrReader& in) {
  Timestamp time;
  time.seconds = in.u32();
  time.nanoseconds = std::min(in.u32(), uint32_t{999'999'999});
  return time;
}

void put_time(XdrWriter& out, Timestamp time) {
  // Seconds are unsigned and 32 bits: from 1970 to 2106.
  out.u32(static_cast<uint32_t>(std::clamp<int64_t>(time.seconds, 0, UINT32_MAX)));
  out.u32(time.nanoseconds);
}

void put_attributes(XdrWriter& out, const vfs::Attr& attr, uint64_t volume_id) {
  out.u32(static_cast<uint32_t>(nfs_type_of(attr.type)));
  out.u32(attr.mode & 07777);
  out.u32(attr.nlink);
  out.u32(attr.uid);
  out.u32(attr.gid);
  out.u64(attr.size);
  out.u64(attr.allocated_bytes);
  out.u32(major(attr.rdev));
  out.u32(minor(attr.rdev));
  out.u64(volume_id);
  out.u64(attr.inode.value);
  put_time(out, attr.atime);
  put_time(out, attr.mtime);
  put_time(out, attr.ctime);
}

void put_optional_attributes(XdrWriter& out, const std::optional<vfs::Attr>& attr, uint64_t volume_id) {
  out.boolean(attr.has_value());
  if (attr) put_attributes(out, *attr, volume_id);
}

void put_weak_cache(XdrWriter& out, const WeakCache& cache, uint64_t volume_id) {
  out.boolean(cache.before.has_value());
  if (cache.before) {
    out.u64(cache.before->size);
    put_time(out, cache.before->mtime);
    put_time(out, cache.before->ctime);
  }
  put_optional_attributes(out, cache.after, volume_id);
}

meta::SetAttr NewAttributes::to_set() const {
  meta::SetAttr set;
  if (mode) set.mode = *mode & 07777;
  set.uid = uid;
  set.gid = gid;
  set.atime = atime;
  set.mtime = mtime;
  set.atime_now = atime_now;
  set.mtime_now = mtime_now;
  return set;
}

NewAttributes read_new_attributes(XdrReader& in) {
  constexpr uint32_t kServerTime = 1, kClientTime = 2;
  NewAttributes set;
  if (in.boolean()) set.mode = in.u32();
  if (in.boolean()) set.uid = in.u32();
  if (in.boolean()) set.gid = in.u32();
  if (in.boolean()) set.size = in.u64();
  const uint32_t atime = in.u32();
  set.atime_now = atime == kServerTime;
  if (atime == kClientTime) set.atime = read_time(in);
  const uint32_t mtime = in.u32();
  set.mtime_now = mtime == kServerTime;
  if (mtime == kClientTime) set.mtime = read_time(in);
  return set;
}

}  // namespace firn::nfs
