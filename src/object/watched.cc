#include "object/wrappers.h"

namespace firn::object {

void Health::note(Kind kind, const Status& outcome, Timestamp now) {
  if (outcome.code() == Code::kInterrupted) return;
  const bool answered = outcome.ok() || outcome.code() == Code::kNotFound || outcome.code() == Code::kExists;
  const std::lock_guard lock(report_mutex_);
  if (!answered && !report_.failing) report_.failing_since = now;
  report_.failing = !answered;
  if (answered) {
    report_.answered_at = now;
  } else {
    report_.last_failure = outcome;
    report_.failed_at = now;
  }
  if (kind != Kind::kPut) return;
  report_.full = outcome == Code::kNoSpace;
  report_.full_puts += report_.full ? 1 : 0;
}

Health::Report Health::report() const {
  const std::lock_guard lock(report_mutex_);
  return report_;
}

namespace {

class WatchedStore final : public ObjectStore {
 public:
  WatchedStore(std::unique_ptr<ObjectStore> inner, Health& health) : inner_(std::move(inner)), health_(health) {}

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    return watch(Kind::kPut, inner_->put(std::move(key), std::move(content), options, until));
  }
  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    return watch(Kind::kGet, inner_->get(std::move(key), offset, bytes, until));
  }
  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    return watch(Kind::kHead, inner_->head(std::move(key), until));
  }
  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    return watch(Kind::kRemove, inner_->remove(std::move(key), until));
  }

  std::string describe() const override { return inner_->describe(); }
  io::Task<void> close() override { return inner_->close(); }

 private:
  template <class T>
  io::Task<Result<T>> watch(Kind kind, io::Task<Result<T>> request) {
    Result<T> done = co_await std::move(request);
    health_.note(kind, done ? Status() : done.error(), io::Reactor::current()->clock().now());
    co_return done;
  }

  const std::unique_ptr<ObjectStore> inner_;
  Health& health_;
};

}  // namespace

std::unique_ptr<ObjectStore> watched(std::unique_ptr<ObjectStore> inner, Health& health) {
  return std::make_unique<WatchedStore>(std::move(inner), health);
}

}  // namespace firn::object
