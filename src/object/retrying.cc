#include <algorithm>

#include "object/wrappers.h"

namespace firn::object {

namespace {

bool worth_trying_again(Code code) { return code == Code::kUnavailable || code == Code::kTimedOut; }

class RetryingStore final : public ObjectStore {
 public:
  RetryingStore(std::unique_ptr<ObjectStore> inner, RetryOptions options, Random& random)
      : inner_(std::move(inner)), options_(options), random_(random) {}

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    bool uncertain = false;
    for (int attempt = 1;; ++attempt) {
      const int64_t begin_ns = now_ns();
      Result<void> done = co_await inner_->put(key, content, options, attempt_until(content.bytes(), until));
      if (done) co_return done;
      if (uncertain && done.error().code() == Code::kExists) {
        const Result<bool> ours = co_await holds(key, content, until);
        if (ours && *ours) co_return Result<void>();
        if (!ours && ours.error().code() != Code::kNotFound) co_return fail(ours.error());
        co_return done;
      }
      uncertain = true;
      put_off(until, begin_ns);
      if (!co_await may_go_on(done.error(), attempt, until)) co_return done;
    }
  }

  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    for (int attempt = 1;; ++attempt) {
      const int64_t begin_ns = now_ns();
      Result<Fetched> done = co_await inner_->get(key, offset, bytes, attempt_until(bytes, until));
      if (!done) put_off(until, begin_ns);
      if (done || !co_await may_go_on(done.error(), attempt, until)) co_return done;
    }
  }

  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    for (int attempt = 1;; ++attempt) {
      Result<ObjectInfo> done = co_await inner_->head(key, attempt_until(0, until));
      if (done || !co_await may_go_on(done.error(), attempt, until)) co_return done;
    }
  }

  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    for (int attempt = 1;; ++attempt) {
      Result<void> done = co_await inner_->remove(key, attempt_until(0, until));
      if (done || !co_await may_go_on(done.error(), attempt, until)) co_return done;
    }
  }

  std::string describe() const override { return inner_->describe(); }
  io::Task<void> close() override { return inner_->close(); }

 private:
  static int64_t now_ns() { return io::Reactor::current()->clock().monotonic_ns(); }

  io::Until attempt_until(uint64_t bytes, io::Until until) const {
    io::Until ours = io::at_most(options_.attempt_ns, until);
    ours.deadline_ns += static_cast<int64_t>(bytes * 1'000'000'000 / options_.slowest_bytes_per_s);
    return ours;
  }

  // An attempt that took longer than one without a body may has been moving, or waiting for its turn.
  void put_off(io::Until& until, int64_t begin_ns) const {
    const int64_t took_ns = now_ns() - begin_ns;
    const int64_t bodiless_ns = options_.attempt_ns + options_.attempt_ns / 10;
    if (until.deadline_ns != 0 && took_ns > bodiless_ns) until.deadline_ns += took_ns;
  }

  // Waits before the next attempt; false when there is to be none.
  io::Task<bool> may_go_on(const Status& failure, int attempt, io::Until until) {
    if (!worth_trying_again(failure.code()) || attempt >= options_.max_attempts) co_return false;
    const int64_t longest = std::min(options_.first_wait_ns << std::min(attempt - 1, 20), options_.longest_wait_ns);
    const int64_t wait = longest / 2 + static_cast<int64_t>(random_.below(static_cast<uint64_t>(longest / 2) + 1));
    if (until.deadline_ns != 0 && now_ns() + wait >= until.deadline_ns) co_return false;
    co_return co_await io::sleep_for(wait, until.token);
  }

  io::Task<Result<bool>> holds(std::string key, Content content, io::Until until) {
    const Fetched found = CO_TRY(co_await get(std::move(key), 0, content.bytes(), until));
    co_return found.object_bytes == content.bytes() && found.bytes == content.flatten();
  }

  const std::unique_ptr<ObjectStore> inner_;
  const RetryOptions options_;
  Random& random_;
};

}  // namespace

std::unique_ptr<ObjectStore> retrying(std::unique_ptr<ObjectStore> inner, RetryOptions options, Random& random) {
  return std::make_unique<RetryingStore>(std::move(inner), options, random);
}

}  // namespace firn::object
