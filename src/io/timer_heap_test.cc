#include "io/timer_heap.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace firn::io::internal {
namespace {

std::coroutine_handle<> fake_handle(uint64_t number) {
  return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(number * 8));
}

TEST(TimerHeap, AgreesWithASortedMap) {
  const uint64_t seed = 20261;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  SeededRandom random(seed);
  TimerHeap heap;
  std::map<std::pair<int64_t, uint64_t>, uint64_t> expected;  // (deadline, order) to id
  std::map<uint64_t, std::pair<int64_t, uint64_t>> by_id;
  for (uint64_t step = 1; step < 20'000; ++step) {
    const uint64_t choice = random.below(4);
    if (choice < 2) {
      const auto deadline_ns = static_cast<int64_t>(random.below(1000));
      const uint64_t id = heap.add(deadline_ns, fake_handle(step));
      ASSERT_NE(id, 0u);
      ASSERT_TRUE(by_id.emplace(id, std::pair{deadline_ns, step}).second);
      expected[{deadline_ns, step}] = id;
    } else if (choice == 2 && !by_id.empty()) {
      const auto victim = std::next(by_id.begin(), static_cast<ptrdiff_t>(random.below(by_id.size())));
      EXPECT_TRUE(heap.cancel(victim->first));
      EXPECT_FALSE(heap.cancel(victim->first));
      expected.erase(victim->second);
      by_id.erase(victim);
    } else if (!expected.empty()) {
      const auto first = expected.begin();
      ASSERT_EQ(heap.next_deadline_ns(), first->first.first);
      EXPECT_FALSE(heap.pop_due(first->first.first - 1));
      EXPECT_EQ(heap.pop_due(first->first.first), fake_handle(first->first.second));
      EXPECT_FALSE(heap.cancel(first->second));
      by_id.erase(first->second);
      expected.erase(first);
    }
    ASSERT_EQ(heap.size(), expected.size());
  }
}

TEST(TimerHeap, EmptyHasNoDeadline) {
  TimerHeap heap;
  EXPECT_EQ(heap.next_deadline_ns(), TimerHeap::kNever);
  EXPECT_FALSE(heap.pop_due(TimerHeap::kNever));
  EXPECT_FALSE(heap.cancel(0));
  EXPECT_FALSE(heap.cancel(77));
}

}  // namespace
}  // namespace firn::io::internal
