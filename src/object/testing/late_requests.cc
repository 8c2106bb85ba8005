#include "object/testing/late_requests.h"

#include <algorithm>

#include "io/reactor.h"
#include "io/until.h"

namespace firn::object::testing {

namespace {

int64_t wall_ns() {
  const Timestamp now = io::Reactor::current()->clock().now();
  return now.seconds * 1'000'000'000 + now.nanoseconds;
}

}  // namespace

void LateRequests::send(std::string key, Request request, int64_t in_ns) {
  under_way_[++last_id_] = {wall_ns() + in_ns, std::move(key), std::move(request)};
  io::detach(arrive(shared_from_this(), last_id_, in_ns));
}

void LateRequests::resume() {
  for (const auto& [id, one] : under_way_)
    io::detach(arrive(shared_from_this(), id, std::max<int64_t>(one.due_ns - wall_ns(), 0)));
}

io::Task<void> LateRequests::arrive(std::shared_ptr<LateRequests> self, uint64_t id, int64_t in_ns) {
  co_await io::sleep_for(in_ns);
  const auto found = self->under_way_.find(id);
  const UnderWay due = std::move(found->second);
  self->under_way_.erase(found);
  if (!due.key.empty()) self->late_puts_.insert(due.key);
  co_await due.request();
}

io::Task<void> LateRequests::all_arrive() {
  while (!under_way_.empty()) co_await io::sleep_for(1'000'000'000);
}

}  // namespace firn::object::testing
