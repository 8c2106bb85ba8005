#include <algorithm>
#include <mutex>

#include "io/sync.h"
#include "object/wrappers.h"

namespace firn::object {

namespace {

// Hands out the time at which so many bytes may go. Nobody is let ahead of its turn, and nothing is saved up while
// idle.
class Pace {
 public:
  explicit Pace(uint64_t bytes_per_s) : bytes_per_s_(bytes_per_s) {}

  // kTimedOut, kInterrupted: `until` came first.
  io::Task<Result<void>> wait(uint64_t bytes, io::Until until) {
    if (bytes_per_s_ == 0 || bytes == 0) co_return Result<void>();
    const int64_t now = io::Reactor::current()->clock().monotonic_ns();
    int64_t start = now;
    {
      std::lock_guard lock(mutex_);
      start = std::max(now, free_from_ns_);
      if (until.deadline_ns != 0 && start >= until.deadline_ns)
        co_return fail(Code::kTimedOut, "the bandwidth limit leaves no time for the request");
      free_from_ns_ =
          start + static_cast<int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_s_));
    }
    if (start > now && !co_await io::sleep_for(start - now, until.token)) co_return fail(Code::kInterrupted);
    co_return Result<void>();
  }

 private:
  const uint64_t bytes_per_s_;
  std::mutex mutex_;
  int64_t free_from_ns_ = 0;
};

class Permit {
 public:
  explicit Permit(io::Semaphore& semaphore) : semaphore_(semaphore) {}
  Permit(const Permit&) = delete;
  ~Permit() { semaphore_.release(); }

 private:
  io::Semaphore& semaphore_;
};

class LimitedStore final : public ObjectStore {
 public:
  LimitedStore(std::unique_ptr<ObjectStore> inner, LimitOptions options)
      : inner_(std::move(inner)),
        in_flight_(options.requests_in_flight),
        puts_(options.put_bytes_per_s),
        gets_(options.get_bytes_per_s) {}

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    CO_TRY(co_await puts_.wait(content.bytes(), until));
    co_await in_flight_.acquire();
    const Permit permit(in_flight_);
    co_return co_await inner_->put(std::move(key), std::move(content), options, until);
  }

  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    CO_TRY(co_await gets_.wait(bytes, until));
    co_await in_flight_.acquire();
    const Permit permit(in_flight_);
    co_return co_await inner_->get(std::move(key), offset, bytes, until);
  }

  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    co_await in_flight_.acquire();
    const Permit permit(in_flight_);
    co_return co_await inner_->head(std::move(key), until);
  }

  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    co_await in_flight_.acquire();
    const Permit permit(in_flight_);
    co_return co_await inner_->remove(std::move(key), until);
  }

  std::string describe() const override { return inner_->describe(); }
  io::Task<void> close() override { return inner_->close(); }

 private:
  const std::unique_ptr<ObjectStore> inner_;
  io::Semaphore in_flight_;
  Pace puts_, gets_;
};

}  // namespace

std::unique_ptr<ObjectStore> limited(std::unique_ptr<ObjectStore> inner, LimitOptions options) {
  return std::make_unique<LimitedStore>(std::move(inner), options);
}

}  // namespace firn::object
