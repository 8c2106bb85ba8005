#include "base/page_bytes.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

namespace firn {

namespace {

constexpr size_t kLargeBytes = 1 << 20;

size_t whole_pages(size_t bytes) { return (bytes + PageBytes::kPage - 1) / PageBytes::kPage * PageBytes::kPage; }

// Memory that nobody uses, by size. Thread-safe. Never destroyed: threads may end after it.
class Kept {
 public:
  static Kept& instance() {
    static Kept& kept = *new Kept;
    return kept;
  }

  // Null: there is none of that size.
  char* take(size_t bytes) {
    std::lock_guard lock(mutex_);
    const auto found = by_bytes_.find(bytes);
    if (found == by_bytes_.end()) return nullptr;
    char* const memory = found->second;
    by_bytes_.erase(found);
    bytes_ -= bytes;
    return memory;
  }
  // False: there is enough.
  bool put(char* memory, size_t bytes) {
    std::lock_guard lock(mutex_);
    if (bytes_ + bytes > PageBytes::kKeptBytes) return false;
    by_bytes_.emplace(bytes, memory);
    bytes_ += bytes;
    return true;
  }

 private:
  std::mutex mutex_;  // guards what follows
  std::multimap<size_t, char*> by_bytes_;
  size_t bytes_ = 0;
};

}  // namespace

PageBytes::PageBytes(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const size_t pages = whole_pages(bytes);
  if (pages >= kLargeBytes) memory_ = Kept::instance().take(pages);
  if (memory_ == nullptr) memory_ = static_cast<char*>(std::aligned_alloc(kPage, pages));
  if (memory_ == nullptr) throw std::bad_alloc();
}

PageBytes::~PageBytes() {
  if (memory_ == nullptr) return;
  const size_t pages = whole_pages(bytes_);
  if (pages < kLargeBytes || !Kept::instance().put(memory_, pages)) std::free(memory_);
}

}  // namespace firn
