// A vector of trivially copyable values whose first kInline elements need no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>

namespace firn::kv {

template <class T, size_t kInline>
class SmallVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  SmallVector() = default;
  SmallVector(const SmallVector&) = delete;
  SmallVector& operator=(const SmallVector&) = delete;

  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t index) { return data_[index]; }
  const T& operator[](size_t index) const { return data_[index]; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() { size_ = 0; }

  void push_back(const T& value) { insert(size_, value); }

  void insert(size_t index, const T& value) {
    if (size_ == capacity_) grow();
    std::memmove(static_cast<void*>(data_ + index + 1), data_ + index, (size_ - index) * sizeof(T));
    data_[index] = value;
    ++size_;
  }

 private:
  void grow() {
    auto larger = std::make_unique<T[]>(capacity_ * 2);
    std::memcpy(static_cast<void*>(larger.get()), data_, size_ * sizeof(T));
    heap_ = std::move(larger);
    data_ = heap_.get();
    capacity_ *= 2;
  }

  std::array<T, kInline> inline_;
  std::unique_ptr<T[]> heap_;
  T* data_ = inline_.data();
  size_t size_ = 0;
  size_t capacity_ = kInline;
};

}  // namespace firn::kv
