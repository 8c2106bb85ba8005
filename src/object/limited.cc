#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "object/wrappers.h"

namespace firn::object {

namespace {

// A large body holds up others for long; a small one is what somebody waits for: a log, a root, a small file.
constexpr uint64_t kSmallBytes = 256 << 10;

int64_t clock_ns() { return io::Reactor::current()->clock().monotonic_ns(); }

// So many at a time, in order of arrival.
class Turns {
 public:
  class Turn {
   public:
    explicit Turn(Turns* turns) : turns_(turns) {}
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)) {}
    ~Turn() {
      if (turns_) turns_->end_turn();
    }
    // What was done in it went well.
    void note_success() const { turns_->success_ns_ = clock_ns(); }

   private:
    Turns* turns_;
  };

  explicit Turns(size_t count) : free_(count) {}

  // Puts the deadline off by the wait. kInterrupted: cancelled. kTimedOut: for as long as there was left, nobody's turn
  // ended well; as long as one does now and then, the line moves.
  io::Task<Result<Turn>> take(io::Until* until) {
    const auto cancelled = [until] { return until->token != nullptr && until->token->cancelled(); };
    const int64_t arrived_ns = clock_ns();
    const int64_t patience_ns = until->deadline_ns == 0 ? io::kForeverNs : until->deadline_ns - arrived_ns;
    const auto mine = queue();
    const io::CancelToken::Scope passed_on(until->token, [mine] { mine->woken.cancel(); });
    int64_t moved_ns = arrived_ns;
    while (!mine->has_turn.load() && !cancelled()) {
      const int64_t left_ns = moved_ns + patience_ns - clock_ns();
      const int64_t success_ns = success_ns_.load();
      if (left_ns <= 0 && success_ns <= moved_ns) break;
      if (left_ns <= 0)
        moved_ns = success_ns;
      else
        co_await io::sleep_for(left_ns, &mine->woken);
    }
    if (!has_turn_or_leaves(mine)) {
      if (cancelled()) co_return fail(Code::kInterrupted);
      co_return fail(Code::kTimedOut, "none of the requests before this one was answered");
    }
    Turn turn(this);
    if (cancelled()) co_return fail(Code::kInterrupted);
    if (until->deadline_ns != 0) until->deadline_ns += clock_ns() - arrived_ns;
    co_return turn;
  }

 private:
  struct Waiter {
    io::CancelToken woken;
    std::atomic<bool> has_turn = false;
  };

  std::shared_ptr<Waiter> queue() {
    auto waiter = std::make_shared<Waiter>();
    std::lock_guard lock(mutex_);
    if (free_ > 0) {
      --free_;
      waiter->has_turn = true;
    } else {
      waiting_.push_back(waiter);
    }
    return waiter;
  }
  bool has_turn_or_leaves(const std::shared_ptr<Waiter>& waiter) {
    std::lock_guard lock(mutex_);
    if (!waiter->has_turn) std::erase(waiting_, waiter);
    return waiter->has_turn;
  }
  void end_turn() {
    std::shared_ptr<Waiter> next;
    {
      std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        ++free_;
        return;
      }
      next = std::move(waiting_.front());
      waiting_.pop_front();
      next->has_turn = true;
    }
    next->woken.cancel();
  }

  std::mutex mutex_;  // guards the next two; that some are free means that nobody waits
  size_t free_;
  std::deque<std::shared_ptr<Waiter>> waiting_;
  std::atomic<int64_t> success_ns_ = 0;  // when a turn last ended well
};

// So many bytes a second. Large bodies go one after another, in order of arrival; small ones pass them, and put off
// those that have not begun. Nothing is saved up while idle.
class Lane {
 public:
  explicit Lane(uint64_t bytes_per_s) : bytes_per_s_(bytes_per_s) {}

  // Waits for the turn of so many bytes, which is returned if they are many, and puts the deadline off by the wait and
  // by what the limit makes of the transfer. kInterrupted: cancelled.
  io::Task<Result<std::optional<Turns::Turn>>> enter(uint64_t bytes, io::Until* until) {
    std::optional<Turns::Turn> turn;
    if (bytes_per_s_ == 0 || bytes == 0) co_return turn;
    const int64_t arrived_ns = clock_ns();
    const auto body_ns = static_cast<int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_s_));
    const bool large = bytes > kSmallBytes;
    io::Until cancelled{.token = until->token};
    if (large) turn.emplace(CO_TRY(co_await one_at_a_time_.take(&cancelled)));
    const int64_t now_ns = clock_ns();
    const int64_t start_ns = large ? start_large(now_ns, body_ns) : start_small(now_ns, body_ns);
    if (start_ns > now_ns && !co_await io::sleep_for(start_ns - now_ns, until->token))
      co_return fail(Code::kInterrupted);
    if (until->token != nullptr && until->token->cancelled()) co_return fail(Code::kInterrupted);
    if (until->deadline_ns != 0) until->deadline_ns += clock_ns() - arrived_ns + 2 * body_ns;
    co_return turn;
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
  Turns one_at_a_time_{1};
  std::mutex mutex_;  // guards what follows: when the next may begin
  int64_t large_from_ns_ = 0, small_from_ns_ = 0;
};

class LimitedStore final : public ObjectStore {
 public:
  LimitedStore(std::unique_ptr<ObjectStore> inner, LimitOptions options)
      : inner_(std::move(inner)),
        in_flight_(options.requests_in_flight),
        puts_(options.put_bytes_per_s),
        gets_(options.get_bytes_per_s) {}

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    const auto place = CO_TRY(co_await puts_.enter(content.bytes(), &until));
    const Turns::Turn turn = CO_TRY(co_await in_flight_.take(&until));
    co_return noted(turn, co_await inner_->put(std::move(key), std::move(content), options, until));
  }

  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    const auto place = CO_TRY(co_await gets_.enter(bytes, &until));
    const Turns::Turn turn = CO_TRY(co_await in_flight_.take(&until));
    co_return noted(turn, co_await inner_->get(std::move(key), offset, bytes, until));
  }

  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    const Turns::Turn turn = CO_TRY(co_await in_flight_.take(&until));
    co_return noted(turn, co_await inner_->head(std::move(key), until));
  }

  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    const Turns::Turn turn = CO_TRY(co_await in_flight_.take(&until));
    co_return noted(turn, co_await inner_->remove(std::move(key), until));
  }

  std::string describe() const override { return inner_->describe(); }
  io::Task<void> close() override { return inner_->close(); }

 private:
  template <class T>
  static Result<T> noted(const Turns::Turn& turn, Result<T> done) {
    if (done || done.error() == Code::kNotFound || done.error() == Code::kExists) turn.note_success();
    return done;
  }

  const std::unique_ptr<ObjectStore> inner_;
  Turns in_flight_;
  Lane puts_, gets_;
};

}  // namespace

std::unique_ptr<ObjectStore> limited(std::unique_ptr<ObjectStore> inner, LimitOptions options) {
  return std::make_unique<LimitedStore>(std::move(inner), options);
}

}  // namespace firn::object
