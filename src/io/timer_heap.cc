#include "io/timer_heap.h"

#include <utility>

namespace firn::io::internal {

uint64_t TimerHeap::add(int64_t deadline_ns, std::coroutine_handle<> handle) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot].handle = handle;
  heap_.emplace_back();
  sift_up(heap_.size() - 1, {deadline_ns, next_sequence_++, slot});
  return (uint64_t{slots_[slot].generation} << 32) | (slot + 1);
}

bool TimerHeap::cancel(uint64_t id) {
  const auto slot = static_cast<uint32_t>(id) - 1;
  if (slot >= slots_.size() || !slots_[slot].handle || slots_[slot].generation != id >> 32) return false;
  remove_at(slots_[slot].position);
  return true;
}

std::coroutine_handle<> TimerHeap::pop_due(int64_t now_ns) {
  if (next_deadline_ns() > now_ns || heap_.empty()) return nullptr;
  return remove_at(0);
}

void TimerHeap::place(size_t position, Entry entry) {
  heap_[position] = entry;
  slots_[entry.slot].position = position;
}

void TimerHeap::sift_up(size_t position, Entry entry) {
  while (position > 0) {
    const size_t parent = (position - 1) / 2;
    if (!entry.before(heap_[parent])) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, entry);
}

void TimerHeap::sift_down(size_t position, Entry entry) {
  for (;;) {
    size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child])) ++child;
    if (!heap_[child].before(entry)) break;
    place(position, heap_[child]);
    position = child;
  }
  place(position, entry);
}

std::coroutine_handle<> TimerHeap::remove_at(size_t position) {
  Slot& slot = slots_[heap_[position].slot];
  free_slots_.push_back(heap_[position].slot);
  ++slot.generation;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (position < heap_.size()) {
    if (position > 0 && last.before(heap_[(position - 1) / 2])) {
      sift_up(position, last);
    } else {
      sift_down(position, last);
    }
  }
  return std::exchange(slot.handle, nullptr);
}

}  // namespace firn::io::internal
