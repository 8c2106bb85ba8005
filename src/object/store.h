// object::ObjectStore: a place for immutable objects with names: a NAS folder, an S3 bucket, memory.
// Only what every such place can do: put (also only if absent), get (ranges), head, remove.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/task.h"
#include "io/until.h"
#include "object/content.h"

namespace firn::object {

// Limits that every store accepts; beyond them: kInvalid.
inline constexpr size_t kMaxKeyBytes = 512;
inline constexpr uint64_t kMaxObjectBytes = 1ULL << 30;

enum class Kind : uint8_t { kPut, kGet, kHead, kRemove };
inline constexpr std::array<const char*, 4> kKindNames = {"put", "get", "head", "remove"};

struct ObjectInfo {
  uint64_t bytes = 0;
};

struct Fetched {
  std::string bytes;          // shorter than asked only at the object's end
  uint64_t object_bytes = 0;  // of the whole object
};

struct PutOptions {
  bool if_absent = false;  // fail with kExists, changing nothing, when there is such an object
};

// A request that nothing has come of, nor gone into, for so long has failed (kTimedOut), whatever its deadline: so that
// the deadlines of large bodies can be as late as slow lines need them.
inline constexpr int64_t kStallNs = 20'000'000'000;

// Thread-safe. Calls need a current reactor and end by `until`. What fails:
//   kUnavailable, kTimedOut   the store did not answer, or asks to be left alone: trying again may help.
//                             Whether a put or remove took place is then unknown.
//   kInterrupted              `until` was cancelled; the same uncertainty
//   kAccessDenied             the store knows us not, or forbids it, or proves not to be itself: a person must act (or
//                             credentials be renewed)
//   kNoDevice                 the bucket or folder as a whole is not there: a person must act
//   kNoSpace, kIo             the store's own
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // All of `content` under `key`, or nothing; durable, and visible to every later call, once this returned. Replaces.
  virtual io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) = 0;
  // Up to `bytes` bytes from `offset`. At or past the end: none. kNotFound: no such object.
  virtual io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) = 0;
  // kNotFound: no such object.
  virtual io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) = 0;
  // That there is none is no failure.
  virtual io::Task<Result<void>> remove(std::string key, io::Until until) = 0;

  // For messages and status pages: "s3://bucket/prefix at https://host".
  virtual std::string describe() const = 0;
  // Ends what is under way. No call may be made afterwards.
  virtual io::Task<void> close() = 0;
};

// 1 to kMaxKeyBytes of A-Z a-z 0-9 - _ . / in components that are neither empty nor begin with a dot; else kInvalid.
// Such a key is a path in a folder and needs no escapes in a URL.
Status check_key(std::string_view key);

// The whole object in one or two requests; kCorrupt when it is larger than `max_bytes`.
io::Task<Result<std::string>> get_all(ObjectStore& store, std::string key, uint64_t max_bytes, io::Until until);

}  // namespace firn::object
