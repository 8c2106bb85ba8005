#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "object/turns.h"
#include "object/wrappers.h"

namespace firn::object {

namespace {

// A large body holds up others for long; a small one is what somebody waits for: a log, a root, a small file.
constexpr uint64_t kSmallBytes = 256 << 10;
// The head of an object; parts of files are larger, and as many as readers like.
constexpr uint64_t kLightGetBytes = 1 << 10;

Turns::Weight weight_of(uint64_t bytes, uint64_t most_light_bytes) {
  return bytes <= most_light_bytes ? Turns::Weight::kLight : Turns::Weight::kHeavy;
}

int64_t clock_ns() { return io::Reactor::current()->clock().monotonic_ns(); }

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
    if (large) turn.emplace(CO_TRY(co_await one_at_a_time_.take(Turns::Weight::kHeavy, &cancelled)));
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
    const Turns::Turn turn = CO_TRY(co_await in_flight_.take(weight_of(content.bytes(), kSmallBytes), &until));
    co_return noted(turn, co_await inner_->put(std::move(key), std::move(content), options, until));
  }

  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    const auto place = CO_TRY(co_await gets_.enter(bytes, &until));
    const Turns::Turn turn = CO_TRY(co_await in_flight_.take(weight_of(bytes, kLightGetBytes), &until));
    co_return noted(turn, co_await inner_->get(std::move(key), offset, bytes, until));
  }

  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    const Turns::Turn turn = CO_TRY(co_await in_flight_.take(Turns::Weight::kLight, &until));
    co_return noted(turn, co_await inner_->head(std::move(key), until));
  }

  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    const Turns::Turn turn = CO_TRY(co_await in_flight_.take(Turns::Weight::kLight, &until));
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
