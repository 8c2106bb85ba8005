#include "object/store.h"

#include <algorithm>

namespace firn::object {

namespace {

constexpr uint64_t kFirstGuessBytes = 256 << 10;

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

}  // namespace

Status check_key(std::string_view key) {
  if (key.empty() || key.size() > kMaxKeyBytes) return Status(Code::kInvalid, "an object's key has 1 to 512 bytes");
  bool component_begins = true;
  for (const char c : key) {
    if (component_begins ? c == '/' || c == '.' : false)
      return Status(Code::kInvalid, "a component of an object's key is empty or begins with a dot");
    if (c != '/' && !plain(c)) return Status(Code::kInvalid, "an object's key has a character that it may not have");
    component_begins = c == '/';
  }
  if (component_begins) return Status(Code::kInvalid, "an object's key ends with a slash");
  return {};
}

io::Task<Result<std::string>> get_all(ObjectStore& store, std::string key, uint64_t max_bytes, io::Until until) {
  Fetched first = CO_TRY(co_await store.get(key, 0, std::min(max_bytes, kFirstGuessBytes), until));
  if (first.object_bytes > max_bytes)
    co_return fail(Code::kCorrupt, "the object " + key + " has " + std::to_string(first.object_bytes) +
                                       " bytes, more than the " + std::to_string(max_bytes) + " that it may have");
  if (first.bytes.size() == first.object_bytes) co_return std::move(first.bytes);
  const uint64_t have = first.bytes.size();
  const Fetched rest = CO_TRY(co_await store.get(key, have, first.object_bytes - have, until));
  if (rest.object_bytes != first.object_bytes || have + rest.bytes.size() != first.object_bytes)
    co_return fail(Code::kUnavailable, "the object " + key + " changed while it was read");
  co_return std::move(first.bytes) + rest.bytes;
}

}  // namespace firn::object
