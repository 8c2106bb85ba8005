#include "nfs/access_record.h"

#include "base/time.h"
#include "nfs/ops/common.h"

namespace firn::nfs {
namespace {

// RFC 1813's numbers.
enum Procedure3 : uint32_t {
  kLookup = 3,
  kRead = 6,
  kWrite = 7,
  kCreate = 8,
  kMknod = 11,
  kRemove = 12,
  kRmdir = 13,
  kRename = 14,
  kLink = 15,
  kReaddir = 16,
  kReaddirplus = 17,
  kCommit = 21,
};
constexpr uint32_t kMnt = 1, kUmnt = 3;  // of MOUNT

bool takes_name(uint32_t procedure) {
  return procedure == kLookup || (procedure >= kCreate && procedure <= kMknod) ||
         (procedure >= kRemove && procedure <= kRename);
}

class ArgumentNotes {
 public:
  ArgumentNotes(const Service& service, const Request& request, vfs::AccessRecord& record)
      : service_(service), request_(request), in_(request.in), record_(record) {}

  void note() {
    const uint32_t procedure = request_.call.procedure;
    record_.inode = next_inode();
    if (takes_name(procedure)) record_.name = in_.string(ops::kMaxNameArgument);
    if (procedure == kRename) {
      record_.other_inode = next_inode();
      record_.new_name = in_.string(ops::kMaxNameArgument);
    } else if (procedure == kLink) {
      // As through other doors: the folder, the name, and what it is made to.
      record_.other_inode = std::exchange(record_.inode, next_inode());
      record_.name = in_.string(ops::kMaxNameArgument);
    } else if (procedure == kRead || procedure == kWrite || procedure == kCommit) {
      note_range(0);
    } else if (procedure == kReaddir || procedure == kReaddirplus) {
      note_range(procedure == kReaddirplus ? 3 : 2);
    }
  }

 private:
  // 0: a handle that nobody gave out. The last that is one says as whom the caller acts.
  uint64_t next_inode() {
    const std::optional<FileHandle> handle = service_.open(ops::read_handle(in_));
    if (!handle) return 0;
    const Export* exported = service_.exports().find(handle->exported);
    const Access* access = exported ? exported->access_of(request_.peer) : nullptr;
    if (access) {
      const meta::Credentials who = service_.credentials(*access, request_.call.caller);
      record_.uid = who.uid;
      record_.gid = who.gid;
    }
    return handle->inode.value;
  }

  // An offset, or a cookie and `skipped` words, and a number of bytes.
  void note_range(int skipped) {
    vfs::AccessRecord::Range range{.offset = in_.u64()};
    for (int i = 0; i < skipped; ++i) (void)in_.u32();
    range.bytes = in_.u32();
    if (in_.ok()) record_.asked = range;
  }

  const Service& service_;
  const Request& request_;
  XdrReader in_;  // a copy: the procedure reads on from where the call's head ends
  vfs::AccessRecord& record_;
};

std::string_view name_of(NfsStatus status) {
  switch (status) {
    case NfsStatus::kOk:
      return "OK";
    case NfsStatus::kPermission:
      return "NFS3ERR_PERM";
    case NfsStatus::kNoEntry:
      return "NFS3ERR_NOENT";
    case NfsStatus::kIo:
      return "NFS3ERR_IO";
    case NfsStatus::kNoDevice:
      return "NFS3ERR_NODEV";
    case NfsStatus::kAccess:
      return "NFS3ERR_ACCES";
    case NfsStatus::kExists:
      return "NFS3ERR_EXIST";
    case NfsStatus::kCrossDevice:
      return "NFS3ERR_XDEV";
    case NfsStatus::kNotDirectory:
      return "NFS3ERR_NOTDIR";
    case NfsStatus::kIsDirectory:
      return "NFS3ERR_ISDIR";
    case NfsStatus::kInvalid:
      return "NFS3ERR_INVAL";
    case NfsStatus::kFileTooBig:
      return "NFS3ERR_FBIG";
    case NfsStatus::kNoSpace:
      return "NFS3ERR_NOSPC";
    case NfsStatus::kReadOnly:
      return "NFS3ERR_ROFS";
    case NfsStatus::kTooManyLinks:
      return "NFS3ERR_MLINK";
    case NfsStatus::kNameTooLong:
      return "NFS3ERR_NAMETOOLONG";
    case NfsStatus::kNotEmpty:
      return "NFS3ERR_NOTEMPTY";
    case NfsStatus::kQuota:
      return "NFS3ERR_DQUOT";
    case NfsStatus::kStale:
      return "NFS3ERR_STALE";
    case NfsStatus::kBadHandle:
      return "NFS3ERR_BADHANDLE";
    case NfsStatus::kNotSynchronised:
      return "NFS3ERR_NOT_SYNC";
    case NfsStatus::kBadCookie:
      return "NFS3ERR_BAD_COOKIE";
    case NfsStatus::kNotSupported:
      return "NFS3ERR_NOTSUPP";
    case NfsStatus::kTooSmall:
      return "NFS3ERR_TOOSMALL";
    case NfsStatus::kServerFault:
      return "NFS3ERR_SERVERFAULT";
    case NfsStatus::kBadType:
      return "NFS3ERR_BADTYPE";
    case NfsStatus::kJukebox:
      return "NFS3ERR_JUKEBOX";
  }
  return "NFS3ERR_SERVERFAULT";
}

// READ3resok's count, behind the attributes.
uint64_t read_bytes(XdrReader result) {
  if (result.boolean()) (void)result.fixed(kAttributesBytes);
  return result.u32();
}

}  // namespace

vfs::AccessRecord access_record_of(const Service& service, const Request& request, std::string_view op) {
  const Call& call = request.call;
  vfs::AccessRecord record{.started_ns = system_clock().monotonic_ns(),
                           .door = "nfs",
                           .op = std::string(op),
                           .uid = call.caller.known ? call.caller.uid : kNobody,
                           .gid = call.caller.known ? call.caller.gid : kNobody,
                           .client = request.peer.name};
  if (call.program == kNfsProgram) {
    if (call.procedure != 0) ArgumentNotes(service, request, record).note();
  } else if (call.procedure == kMnt || call.procedure == kUmnt) {
    XdrReader in = request.in;
    record.path = in.string(kMaxPathBytes);
  }
  return record;
}

std::string_view note_result(const Request& request, vfs::AccessRecord& record) {
  const Call& call = request.call;
  const std::span<const std::byte> bytes = reply_result(request.out);
  // These answer without a status.
  if (call.program == kNfsProgram ? call.procedure == 0 : call.procedure != kMnt) return "OK";
  if (bytes.size() < 4) return "EBADRPC";
  XdrReader result(bytes);
  const auto status = static_cast<NfsStatus>(result.u32());
  const bool ok = status == NfsStatus::kOk;
  if (record.asked && call.procedure == kRead) record.bytes = ok ? read_bytes(result) : 0;
  if (record.asked && call.procedure == kWrite) record.bytes = ok ? record.asked->bytes : 0;
  if (call.procedure == kReaddir || call.procedure == kReaddirplus) record.bytes = ok ? bytes.size() : 0;
  return name_of(status);
}

}  // namespace firn::nfs
