#include "kv/rocksdb/status.h"

#include <string>

namespace firn::kv::rocks {

namespace {

Code io_code(const rocksdb::Status& status, std::string_view text) {
  if (status.IsNoSpace()) return Code::kNoSpace;
  const auto says = [&](std::string_view words) { return text.find(words) != std::string_view::npos; };
  if (says("lock hold by current process") || says("While lock file")) return Code::kBusy;
  if (says("Read-only file system")) return Code::kReadOnly;
  if (says("Permission denied")) return Code::kAccessDenied;
  if (says("Too many open files")) return Code::kTooManyOpen;
  return Code::kIo;
}

Code code_of(const rocksdb::Status& status, std::string_view text) {
  if (status.IsNotFound() || status.IsPathNotFound()) return Code::kNotFound;
  if (status.IsCorruption()) return Code::kCorrupt;
  if (status.IsIOError()) return io_code(status, text);
  if (status.IsInvalidArgument()) return Code::kInvalid;
  if (status.IsNotSupported()) return Code::kNotSupported;
  if (status.IsMemoryLimit()) return Code::kNoMemory;
  if (status.IsTimedOut()) return Code::kTimedOut;
  if (status.IsBusy()) return Code::kBusy;
  if (status.IsIncomplete()) return Code::kWouldBlock;
  if (status.IsShutdownInProgress() || status.IsAborted()) return Code::kUnavailable;
  return Code::kIo;
}

}  // namespace

Status to_status(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) return {};
  const std::string text = status.ToString();
  return Status(code_of(status, text), std::string(what) + ": " + text);
}

}  // namespace firn::kv::rocks
