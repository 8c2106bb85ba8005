// internal::ReadyQueue: coroutines that are ready to run, first in first out. Not thread-safe.
#pragma once

#include <coroutine>
#include <cstddef>
#include <utility>
#include <vector>

namespace firn::io::internal {

// A ring that doubles when full and never shrinks: its size is the largest number of coroutines ready at once.
class ReadyQueue {
 public:
  bool empty() const { return head_ == tail_; }
  size_t size() const { return tail_ - head_; }

  void push(std::coroutine_handle<> handle) {
    if (size() == slots_.size()) [[unlikely]]
      grow();
    slots_[tail_++ & (slots_.size() - 1)] = handle;
  }
  // Requires !empty().
  std::coroutine_handle<> pop() { return slots_[head_++ & (slots_.size() - 1)]; }
  // Takes the entry `position` places from the front; the front one moves into its place.
  std::coroutine_handle<> pop_at(size_t position) {
    auto& chosen = slots_[(head_ + position) & (slots_.size() - 1)];
    std::swap(chosen, slots_[head_ & (slots_.size() - 1)]);
    return pop();
  }

 private:
  void grow() {
    std::vector<std::coroutine_handle<>> larger(slots_.size() * 2);
    const size_t count = size();
    for (size_t i = 0; i < count; ++i) larger[i] = slots_[(head_ + i) & (slots_.size() - 1)];
    slots_.swap(larger);
    head_ = 0;
    tail_ = count;
  }

  std::vector<std::coroutine_handle<>> slots_ = std::vector<std::coroutine_handle<>>(256);
  size_t head_ = 0;
  size_t tail_ = 0;
};

}  // namespace firn::io::internal
