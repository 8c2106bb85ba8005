// The types of NFS version 3 (RFC 1813) that procedures share.
#pragma once

#include <cstdint>
#include <optional>

#include "nfs/file_handle.h"
#include "nfs/xdr.h"
#include "vfs/volume.h"

namespace firn::nfs {

inline constexpr uint32_t kNfsProgram = 100003;
inline constexpr uint32_t kNfsVersion = 3;
inline constexpr uint32_t kMaxTransferBytes = 1 << 20;  // of one READ or WRITE
inline constexpr size_t kMaxPathBytes = 4096;
inline constexpr size_t kVerifierBytes = 8;

// RFC 1813's nfsstat3.
enum class NfsStatus : uint32_t {
  kOk = 0,
  kPermission = 1,
  kNoEntry = 2,
  kIo = 5,
  kNoDevice = 6,
  kAccess = 13,
  kExists = 17,
  kCrossDevice = 18,
  kNotDirectory = 20,
  kIsDirectory = 21,
  kInvalid = 22,
  kFileTooBig = 27,
  kNoSpace = 28,
  kReadOnly = 30,
  kTooManyLinks = 31,
  kNameTooLong = 63,
  kNotEmpty = 66,
  kQuota = 69,
  kStale = 70,
  kBadHandle = 10001,
  kNotSynchronised = 10002,
  kBadCookie = 10003,
  kNotSupported = 10004,
  kTooSmall = 10005,
  kServerFault = 10006,
  kBadType = 10007,
  kJukebox = 10008,  // not now; the client tries again by itself
};

NfsStatus nfs_status_of(Code code);

enum class NfsType : uint32_t {
  kRegular = 1,
  kDirectory = 2,
  kBlockDevice = 3,
  kCharDevice = 4,
  kSymlink = 5,
  kSocket = 6,
  kFifo = 7,
};

NfsType nfs_type_of(meta::FileType type);
std::optional<meta::FileType> file_type_of(uint32_t nfs_type);

// wcc_data: what a call found and what it left behind. A client takes all that differs between the two for its own
// doing: `before` is there only where both were taken with the change, and nobody else's is in between.
struct WeakCache {
  std::optional<meta::Version> before;
  std::optional<vfs::Attr> after;
};

// Writes the attributes of a volume's inodes; `volume_id` becomes their fsid.
void put_attributes(XdrWriter& out, const vfs::Attr& attr, uint64_t volume_id);
inline constexpr size_t kAttributesBytes = 84;
void put_optional_attributes(XdrWriter& out, const std::optional<vfs::Attr>& attr, uint64_t volume_id);
void put_weak_cache(XdrWriter& out, const WeakCache& cache, uint64_t volume_id);

// sattr3.
struct NewAttributes {
  std::optional<uint32_t> mode, uid, gid;
  std::optional<uint64_t> size;
  std::optional<Timestamp> atime, mtime;
  bool atime_now = false, mtime_now = false;

  // All but the size.
  meta::SetAttr to_set() const;
  bool sets_more_than_size() const { return mode || uid || gid || atime || mtime || atime_now || mtime_now; }
};

NewAttributes read_new_attributes(XdrReader& in);
Timestamp read_time(XdrReader& in);
void put_time(XdrWriter& out, Timestamp time);

}  // namespace firn::nfs
