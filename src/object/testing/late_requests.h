// Requests that arrive when their caller has long been told something: what a network may keep for a while.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "io/task.h"

namespace firn::object::testing {

// For one thread. They outlive whoever has sent them, the process too.
class LateRequests : public std::enable_shared_from_this<LateRequests> {
 public:
  using Request = std::function<io::Task<void>()>;

  // Arrives so much later on the current reactor. `key`: of a put; "" of others.
  void send(std::string key, Request request, int64_t in_ns);
  // The process has ended, and its reactor with it: what is under way arrives on the current one, when it was to.
  void resume();
  // Waits until nothing is under way.
  io::Task<void> all_arrive();

  // Keys that a put has reached late: what was removed in between is there again, and nobody knows.
  const std::set<std::string>& late_puts() const { return late_puts_; }

 private:
  struct UnderWay {
    int64_t due_ns = 0;  // wall time, which goes on over a restart
    std::string key;
    Request request;
  };
  static io::Task<void> arrive(std::shared_ptr<LateRequests> self, uint64_t id, int64_t in_ns);

  std::map<uint64_t, UnderWay> under_way_;
  uint64_t last_id_ = 0;
  std::set<std::string> late_puts_;
};

}  // namespace firn::object::testing
