#include "object/mem/mem_store.h"

namespace firn::object {

MemStore::Bytes MemStore::find(const std::string& key) const {
  std::lock_guard lock(objects_mutex_);
  const auto found = objects_.find(key);
  return found == objects_.end() ? nullptr : found->second;
}

io::Task<Result<void>> MemStore::put(std::string key, Content content, PutOptions options, io::Until) {
  CO_TRY(check_key(key));
  if (content.bytes() > kMaxObjectBytes) co_return fail(Code::kInvalid, "the object is too large");
  auto bytes = std::make_shared<const std::string>(content.flatten());
  std::lock_guard lock(objects_mutex_);
  if (options.if_absent && objects_.contains(key)) co_return fail(Code::kExists, "the object " + key + " exists");
  objects_[std::move(key)] = std::move(bytes);
  co_return Result<void>();
}

io::Task<Result<Fetched>> MemStore::get(std::string key, uint64_t offset, uint64_t bytes, io::Until) {
  CO_TRY(check_key(key));
  const Bytes object = find(key);
  if (!object) co_return fail(Code::kNotFound, "no object " + key);
  Fetched fetched{.object_bytes = object->size()};
  if (offset < object->size()) fetched.bytes = object->substr(offset, bytes);
  co_return fetched;
}

io::Task<Result<ObjectInfo>> MemStore::head(std::string key, io::Until) {
  CO_TRY(check_key(key));
  const Bytes object = find(key);
  if (!object) co_return fail(Code::kNotFound, "no object " + key);
  co_return ObjectInfo{.bytes = object->size()};
}

io::Task<Result<void>> MemStore::remove(std::string key, io::Until) {
  CO_TRY(check_key(key));
  std::lock_guard lock(objects_mutex_);
  objects_.erase(key);
  co_return Result<void>();
}

std::map<std::string, uint64_t> MemStore::sizes() const {
  std::lock_guard lock(objects_mutex_);
  std::map<std::string, uint64_t> sizes;
  for (const auto& [key, bytes] : objects_) sizes[key] = bytes->size();
  return sizes;
}

bool MemStore::overwrite(const std::string& key, std::string bytes) {
  std::lock_guard lock(objects_mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return false;
  found->second = std::make_shared<const std::string>(std::move(bytes));
  return true;
}

}  // namespace firn::object
