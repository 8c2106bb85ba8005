// internal::TimerHeap: the timers of one reactor. Not thread-safe.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace firn::io::internal {

// A binary heap by (deadline, order of addition), each entry reachable by its id so that cancelling removes it at once:
// most timers are deadlines that do not come to pass.
class TimerHeap {
 public:
  static constexpr int64_t kNever = INT64_MAX;

  // Never returns 0. O(log n).
  uint64_t add(int64_t deadline_ns, std::coroutine_handle<> handle);
  // False when it has been popped or cancelled already. O(log n).
  bool cancel(uint64_t id);
  // kNever when there is none.
  int64_t next_deadline_ns() const { return heap_.empty() ? kNever : heap_.front().deadline_ns; }
  // Removes and returns the first timer due at `now_ns`; null when there is none.
  std::coroutine_handle<> pop_due(int64_t now_ns);
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    int64_t deadline_ns;
    uint64_t sequence;
    uint32_t slot;
    bool before(const Entry& other) const {
      return deadline_ns != other.deadline_ns ? deadline_ns < other.deadline_ns : sequence < other.sequence;
    }
  };
  // An id is (generation << 32 | slot + 1); the generation tells a slot's tenants apart.
  struct Slot {
    std::coroutine_handle<> handle;
    size_t position = 0;
    uint32_t generation = 0;
  };

  void place(size_t position, Entry entry);
  void sift_up(size_t position, Entry entry);
  void sift_down(size_t position, Entry entry);
  std::coroutine_handle<> remove_at(size_t position);

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  uint64_t next_sequence_ = 0;
};

}  // namespace firn::io::internal
