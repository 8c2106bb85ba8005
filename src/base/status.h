// Status and Result: how every fallible call in firn reports failure.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace firn {

// A code exists only if a caller acts on it. Codes above kInternal map one to one to an errno
// (status.cc holds the table; doors for NFS and HTTP keep theirs beside their own protocol).
enum class Code : uint8_t {
  kOk = 0,
  // Namespace and file semantics: the errno of the same name is what POSIX asks for.
  kNotFound,        // ENOENT
  kExists,          // EEXIST
  kNotDirectory,    // ENOTDIR
  kIsDirectory,     // EISDIR
  kNotEmpty,        // ENOTEMPTY
  kNotPermitted,    // EPERM
  kAccessDenied,    // EACCES
  kInvalid,         // EINVAL
  kNameTooLong,     // ENAMETOOLONG
  kTooManyLinks,    // EMLINK
  kCrossDevice,     // EXDEV
  kLoop,            // ELOOP
  kNoAttribute,     // ENODATA
  kRange,           // ERANGE
  kArgumentTooBig,  // E2BIG
  kFileTooBig,      // EFBIG
  kOverflow,        // EOVERFLOW
  kBusy,            // EBUSY
  kTextBusy,        // ETXTBSY
  kNotSupported,    // EOPNOTSUPP
  kNotImplemented,  // ENOSYS
  kStale,           // ESTALE
  kBadHandle,       // EBADF
  kNoDevice,        // ENXIO
  kNotTerminal,     // ENOTTY
  kDeadlock,        // EDEADLK
  // Resources and environment.
  kNoSpace,        // ENOSPC
  kQuotaExceeded,  // EDQUOT
  kReadOnly,       // EROFS
  kNoMemory,       // ENOMEM
  kTooManyOpen,    // EMFILE
  kWouldBlock,     // EAGAIN
  kInterrupted,    // EINTR: the caller cancelled the operation
  kTimedOut,       // ETIMEDOUT
  kUnavailable,    // EHOSTDOWN: a peer or a store does not answer; trying later may help
  kIo,             // EIO: the device or the peer failed
  kCorrupt,        // EIO: stored bytes fail verification; never retried
  // Transactions (kv). kMaybeCommitted: the outcome is unknown; the caller must read to find out.
  kConflict,
  kMaybeCommitted,
  kInternal,
};

// The short name of a code, such as "not found".
std::string_view code_name(Code code);
// The positive errno for a code (EIO where no closer one exists).
int errno_of(Code code);
// The code for a positive errno; kIo for one that firn does not distinguish.
Code code_of_errno(int error);

// A code and, where a person will read it, a message: what failed, on what, why.
// The message is empty on hot paths; it costs nothing there.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code) : code_(code) {}  // NOLINT: codes convert, so that `return Code::kNotFound` reads well
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  // From errno, with "what: strerror" as the message.
  static Status from_errno(int error, std::string_view what);
  // From errno, without a message, for hot paths.
  static Status from_errno(int error) { return Status(code_of_errno(error)); }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  // The message, or the code's name where there is none.
  std::string to_string() const;
  // The same code with "context: " before the message.
  Status with_context(std::string_view context) &&;

  friend bool operator==(const Status& status, Code code) { return status.code_ == code; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

template <class T>
using Result = std::expected<T, Status>;

inline std::unexpected<Status> fail(Code code) { return std::unexpected(Status(code)); }
inline std::unexpected<Status> fail(Code code, std::string message) {
  return std::unexpected(Status(code, std::move(message)));
}
inline std::unexpected<Status> fail(Status status) { return std::unexpected(std::move(status)); }

namespace internal {
inline Status status_of(Status&& status) { return std::move(status); }
template <class T>
Status status_of(Result<T>&& result) {
  return result ? Status() : std::move(result).error();
}
inline void value_of(Status&&) {}
template <class T>
T value_of(Result<T>&& result) {
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}
inline bool is_ok(const Status& status) { return status.ok(); }
template <class T>
bool is_ok(const Result<T>& result) {
  return result.has_value();
}
// Converts to Status and to any Result<T>, so that one macro serves functions of both kinds.
struct Failure {
  Status status;
  operator Status() && { return std::move(status); }
  template <class T>
  operator Result<T>() && {
    return std::unexpected(std::move(status));
  }
};
}  // namespace internal

// The two propagation macros. `auto x = TRY(f());` yields the value or returns the failure;
// inside a coroutine, `auto x = CO_TRY(co_await g());`. Both take a Status or a Result<T>.
#define TRY(expression)                                                                    \
  __extension__({                                                                          \
    auto firn_try_ = (expression);                                                         \
    if (!::firn::internal::is_ok(firn_try_)) [[unlikely]]                                  \
      return ::firn::internal::Failure{::firn::internal::status_of(std::move(firn_try_))}; \
    ::firn::internal::value_of(std::move(firn_try_));                                      \
  })
#define CO_TRY(expression)                                                                    \
  __extension__({                                                                             \
    auto firn_try_ = (expression);                                                            \
    if (!::firn::internal::is_ok(firn_try_)) [[unlikely]]                                     \
      co_return ::firn::internal::Failure{::firn::internal::status_of(std::move(firn_try_))}; \
    ::firn::internal::value_of(std::move(firn_try_));                                         \
  })

}  // namespace firn
