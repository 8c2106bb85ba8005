#include "migrate/work_queue.h"

namespace firn::migrate {

void WorkQueue::push(Work work) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
    ++unfinished_;
  }
  ready_.release();
}

io::Task<std::optional<Work>> WorkQueue::pop() {
  for (;;) {
    co_await ready_.acquire();
    const std::lock_guard lock(mutex_);
    if (!waiting_.empty()) {
      Work work = std::move(waiting_.back());
      waiting_.pop_back();
      co_return std::move(work);
    }
    if (unfinished_ == 0) co_return std::nullopt;
  }
}

void WorkQueue::done() {
  bool ended = false;
  {
    const std::lock_guard lock(mutex_);
    ended = --unfinished_ == 0;
  }
  if (ended) ready_.release(kMany);
}

void WorkQueue::drop() {
  std::vector<Work> dropped;
  bool ended = false;
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(waiting_);
    unfinished_ -= dropped.size();
    ended = unfinished_ == 0;
  }
  if (ended) ready_.release(kMany);
}

}  // namespace firn::migrate
