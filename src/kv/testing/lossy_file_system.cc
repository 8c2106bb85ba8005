#include "kv/testing/lossy_file_system.h"

#include <algorithm>
#include <cstring>

namespace firn::kv::testing {

using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr size_t kSectorBytes = 512;

// What a power cut leaves of contents that were `now` in memory and `synced` on the disk.
std::string survivor(const std::string& now, const std::string& synced, std::mt19937_64& random) {
  const auto [low, high] = std::minmax({now.size(), synced.size()});  // by value
  std::string bytes = synced;
  bytes.resize(low + random() % (high - low + 1));
  const uint64_t loss = random() % 4;  // 0: none of the sectors, 3: all of them survived
  for (size_t offset = 0; offset < std::min(bytes.size(), now.size()); offset += kSectorBytes) {
    if (loss == 0 || (loss < 3 && random() % 3 >= loss)) continue;
    const size_t count = std::min({kSectorBytes, bytes.size() - offset, now.size() - offset});
    std::memcpy(bytes.data() + offset, now.data() + offset, count);
  }
  return bytes;
}

}  // namespace

void LossyFileSystem::cut() {
  std::lock_guard lock(state_mutex_);
  down_ = true;
  tables_held_ = false;
  released_.notify_all();
}

void LossyFileSystem::hold_tables() {
  std::lock_guard lock(state_mutex_);
  tables_held_ = true;
}

void LossyFileSystem::sync_everything() {
  std::lock_guard lock(state_mutex_);
  unsynced_.clear();
  synced_names_ = names_;
  for (auto& [path, file] : names_) file->synced = file->bytes;
}

std::string LossyFileSystem::contents(const std::string& path) {
  std::lock_guard lock(state_mutex_);
  return names_.at(path)->bytes;
}

void LossyFileSystem::cut_after(uint64_t writes) {
  std::lock_guard lock(state_mutex_);
  writes_left_ = writes;
}

void LossyFileSystem::restart(uint64_t seed) {
  std::lock_guard lock(state_mutex_);
  std::mt19937_64 random(seed);
  down_ = false;
  writes_left_ = ~uint64_t{0};
  ++life_;
  const size_t kept = random() % (unsynced_.size() + 1);
  for (size_t i = 0; i < kept; ++i) apply(unsynced_[i], synced_names_);
  unsynced_.clear();
  locked_.clear();
  // New files, so that what is still open cannot touch them.
  for (auto& [path, file] : synced_names_) {
    const std::string bytes = survivor(file->bytes, file->synced, random);
    file = std::make_shared<File>(File{bytes, bytes});
  }
  names_ = synced_names_;
}

uint64_t LossyFileSystem::total_bytes() const {
  uint64_t sum = 0;
  for (const auto& [path, file] : names_) sum += file->bytes.size();
  return sum;
}

uint64_t LossyFileSystem::used_bytes() {
  std::lock_guard lock(state_mutex_);
  return total_bytes();
}

void LossyFileSystem::damage(const std::string& path, uint64_t offset) {
  std::lock_guard lock(state_mutex_);
  File& file = *names_.at(path);
  for (std::string* bytes : {&file.bytes, &file.synced})
    if (offset < bytes->size()) (*bytes)[offset] = static_cast<char>((*bytes)[offset] ^ 0x10);
}

void LossyFileSystem::zero(const std::string& path, uint64_t offset, uint64_t bytes) {
  std::lock_guard lock(state_mutex_);
  File& file = *names_.at(path);
  for (std::string* content : {&file.bytes, &file.synced})
    for (uint64_t i = offset; i < std::min<uint64_t>(offset + bytes, content->size()); ++i) (*content)[i] = '\0';
}

void LossyFileSystem::shorten(const std::string& path, uint64_t bytes) {
  std::lock_guard lock(state_mutex_);
  File& file = *names_.at(path);
  for (std::string* content : {&file.bytes, &file.synced}) content->resize(std::min<uint64_t>(content->size(), bytes));
}

std::vector<std::string> LossyFileSystem::names() {
  std::lock_guard lock(state_mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, file] : names_) paths.push_back(path);
  return paths;
}

uint64_t LossyFileSystem::size(const std::string& path) {
  std::lock_guard lock(state_mutex_);
  return names_.at(path)->bytes.size();
}

LossyFileSystem::Ref LossyFileSystem::find(const std::string& path) {
  std::lock_guard lock(state_mutex_);
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : found->second;
}

void LossyFileSystem::apply(const Change& change, Names& names) {
  if (!change.removed.empty()) names.erase(change.removed);
  if (!change.set.empty()) names[change.set] = change.file;
}

IOStatus LossyFileSystem::change(Change change) {
  std::lock_guard lock(state_mutex_);
  if (down_) return IOStatus::IOError("power is off");
  apply(change, names_);
  unsynced_.push_back(std::move(change));
  return IOStatus::OK();
}

IOStatus LossyFileSystem::write(const Ref& file, uint64_t life, uint64_t offset, const Slice& data) {
  std::lock_guard lock(state_mutex_);
  if (writes_left_ == 0) down_ = true;
  if (down_ || life != life_) return IOStatus::IOError("power is off");
  --writes_left_;
  const uint64_t end = offset + data.size();
  if (end > file->bytes.size()) {
    if (total_bytes() + (end - file->bytes.size()) > capacity_) return IOStatus::NoSpace("the disk is full");
    file->bytes.resize(end);
  }
  std::memcpy(file->bytes.data() + offset, data.data(), data.size());
  return IOStatus::OK();
}

IOStatus LossyFileSystem::read(const Ref& file, uint64_t offset, size_t bytes, Slice* result, char* scratch) {
  std::lock_guard lock(state_mutex_);
  const size_t count = offset >= file->bytes.size() ? 0 : std::min(bytes, file->bytes.size() - offset);
  if (count > 0) std::memcpy(scratch, file->bytes.data() + offset, count);
  *result = Slice(scratch, count);
  return IOStatus::OK();
}

IOStatus LossyFileSystem::truncate(const Ref& file, uint64_t life, uint64_t bytes) {
  std::lock_guard lock(state_mutex_);
  if (down_ || life != life_) return IOStatus::IOError("power is off");
  file->bytes.resize(bytes);
  return IOStatus::OK();
}

IOStatus LossyFileSystem::sync(const Ref& file, uint64_t life) {
  std::lock_guard lock(state_mutex_);
  if (down_ || life != life_) return IOStatus::IOError("power is off");
  file->synced = file->bytes;
  return IOStatus::OK();
}

IOStatus LossyFileSystem::sync_names(uint64_t life) {
  std::lock_guard lock(state_mutex_);
  if (down_ || life != life_) return IOStatus::IOError("power is off");
  unsynced_.clear();
  synced_names_ = names_;
  return IOStatus::OK();
}

uint64_t LossyFileSystem::size(const Ref& file) {
  std::lock_guard lock(state_mutex_);
  return file->bytes.size();
}

}  // namespace firn::kv::testing
