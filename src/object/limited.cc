#include <algorithm>
#include <mutex>
#include <utility>

#include "io/sync.h"
#include "object/wrappers.h"

namespace firn::object {

namespace {

// A large body holds up others for long; a small one is what somebody waits for: a log, a root, a small file.
constexpr uint64_t kSmallBytes = 256 << 10;

// So many bytes a second. Large bodies go one after another, in order of arrival; small ones pass them, and put off
// those that have not begun. Nothing is saved up while idle.
class Lane {
 public:
  class Ticket {
   public:
    explicit Ticket(io::Semaphore* held) : held_(held) {}
    Ticket(Ticket&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
    ~Ticket() {
      if (held_) held_->release();
    }

   private:
    io::Semaphore* held_;
  };

  explicit Lane(uint64_t bytes_per_s) : bytes_per_s_(bytes_per_s) {}

  // Waits for the turn of so many bytes, which lasts as long as the ticket, and puts the deadline off by the wait and
  // by what the limit makes of the transfer. kInterrupted: cancelled.
  io::Task<Result<Ticket>> enter(uint64_t bytes, io::Until* until) {
    if (bytes_per_s_ == 0 || bytes == 0) co_return Ticket(nullptr);
    const auto clock_ns = [] { return io::Reactor::current()->clock().monotonic_ns(); };
    const int64_t arrived_ns = clock_ns();
    const auto body_ns = static_cast<int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_s_));
    const bool large = bytes > kSmallBytes;
    if (large) co_await one_at_a_time_.acquire();
    Ticket ticket(large ? &one_at_a_time_ : nullptr);
    const int64_t now_ns = clock_ns();
    const int64_t start_ns = large ? start_large(now_ns, body_ns) : start_small(now_ns, body_ns);
    if (start_ns > now_ns && !co_await io::sleep_for(start_ns - now_ns, until->token))
      co_return fail(Code::kInterrupted);
    if (until->token != nullptr && until->token->cancelled()) co_return fail(Code::kInterrupted);
    if (until->deadline_ns != 0) until->deadline_ns += clock_ns() - arrived_ns + 2 * body_ns;
    co_return ticket;
  }

 private:
  int64_t start_large(int64_t now_ns, int64_t body_ns) {
    std::lock_guard lock(mutex_);
    const int64_t start_ns = std::max(now_ns, large_from_ns_);
    large_from_ns_ = start_ns + body_ns;
    return start_ns;
  }
  int64_t start_small(int64_t now_ns, int64_t body_ns) {
    std::lock_guard lock(mutex_);
    const int64_t start_ns = std::max(now_ns, small_from_ns_);
    small_from_ns_ = start_ns + body_ns;
    large_from_ns_ = std::max(now_ns, large_from_ns_) + body_ns;
    return start_ns;
  }

  const uint64_t bytes_per_s_;
  io::Semaphore one_at_a_time_{1};
  std::mutex mutex_;  // guards what follows: when the next may begin
  int64_t large_from_ns_ = 0, small_from_ns_ = 0;
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
    const Lane::Ticket turn = CO_TRY(co_await puts_.enter(content.bytes(), &until));
    co_await in_flight_.acquire();
    const Permit permit(in_flight_);
    co_return co_await inner_->put(std::move(key), std::move(content), options, until);
  }

  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    const Lane::Ticket turn = CO_TRY(co_await gets_.enter(bytes, &until));
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
  Lane puts_, gets_;
};

}  // namespace

std::unique_ptr<ObjectStore> limited(std::unique_ptr<ObjectStore> inner, LimitOptions options) {
  return std::make_unique<LimitedStore>(std::move(inner), options);
}

}  // namespace firn::object
