#include "base/status.h"

#include <cerrno>
#include <cstring>

namespace firn {
namespace {

struct Row {
  Code code;
  int error;
  std::string_view name;
};

// Order matters where two codes share an errno: the first is what code_of_errno returns.
constexpr Row kRows[] = {
    {Code::kOk, 0, "ok"},
    {Code::kNotFound, ENOENT, "not found"},
    {Code::kExists, EEXIST, "already exists"},
    {Code::kNotDirectory, ENOTDIR, "not a directory"},
    {Code::kIsDirectory, EISDIR, "is a directory"},
    {Code::kNotEmpty, ENOTEMPTY, "directory not empty"},
    {Code::kNotPermitted, EPERM, "operation not permitted"},
    {Code::kAccessDenied, EACCES, "permission denied"},
    {Code::kInvalid, EINVAL, "invalid argument"},
    {Code::kNameTooLong, ENAMETOOLONG, "name too long"},
    {Code::kTooManyLinks, EMLINK, "too many links"},
    {Code::kCrossDevice, EXDEV, "crosses devices"},
    {Code::kLoop, ELOOP, "too many symbolic links"},
    {Code::kNoAttribute, ENODATA, "no such attribute"},
    {Code::kRange, ERANGE, "out of range"},
    {Code::kArgumentTooBig, E2BIG, "argument too big"},
    {Code::kFileTooBig, EFBIG, "file too big"},
    {Code::kOverflow, EOVERFLOW, "overflow"},
    {Code::kBusy, EBUSY, "busy"},
    {Code::kTextBusy, ETXTBSY, "text file busy"},
    {Code::kNotSupported, EOPNOTSUPP, "not supported"},
    {Code::kNotImplemented, ENOSYS, "not implemented"},
    {Code::kStale, ESTALE, "stale handle"},
    {Code::kBadHandle, EBADF, "bad handle"},
    {Code::kNoDevice, ENXIO, "no such device or address"},
    {Code::kNotTerminal, ENOTTY, "inappropriate ioctl"},
    {Code::kDeadlock, EDEADLK, "would deadlock"},
    {Code::kNoSpace, ENOSPC, "no space left"},
    {Code::kQuotaExceeded, EDQUOT, "quota exceeded"},
    {Code::kReadOnly, EROFS, "read-only"},
    {Code::kNoMemory, ENOMEM, "out of memory"},
    {Code::kTooManyOpen, EMFILE, "too many open files"},
    {Code::kWouldBlock, EAGAIN, "would block"},
    {Code::kInterrupted, EINTR, "interrupted"},
    {Code::kInterrupted, ECANCELED, "interrupted"},
    {Code::kTimedOut, ETIMEDOUT, "timed out"},
    {Code::kUnavailable, EHOSTDOWN, "unavailable"},
    {Code::kUnavailable, ECONNREFUSED, "unavailable"},
    {Code::kUnavailable, ECONNRESET, "unavailable"},
    {Code::kUnavailable, EPIPE, "unavailable"},
    {Code::kIo, EIO, "input/output error"},
    {Code::kCorrupt, EIO, "corrupt"},
    {Code::kConflict, EAGAIN, "conflict"},
    {Code::kMaybeCommitted, EIO, "outcome unknown"},
    {Code::kInternal, EIO, "internal error"},
    {Code::kTooManyOpen, ENFILE, "too many open files"},
};

}  // namespace

std::string_view code_name(Code code) {
  for (const Row& row : kRows)
    if (row.code == code) return row.name;
  return "unknown";
}

int errno_of(Code code) {
  for (const Row& row : kRows)
    if (row.code == code) return row.error;
  return EIO;
}

Code code_of_errno(int error) {
  for (const Row& row : kRows)
    if (row.error == error) return row.code;
  return Code::kIo;
}

Status Status::from_errno(int error, std::string_view what) {
  char buffer[128];
  const char* text = strerror_r(error, buffer, sizeof buffer);
  return Status(code_of_errno(error), std::string(what) + ": " + text);
}

std::string Status::to_string() const {
  if (message_.empty()) return std::string(code_name(code_));
  return message_;
}

Status Status::with_context(std::string_view context) && {
  std::string text(context);
  text += ": ";
  text += message_.empty() ? std::string(code_name(code_)) : message_;
  message_ = std::move(text);
  return std::move(*this);
}

}  // namespace firn
