#include <atomic>

#include "io/sync.h"
#include "object/wrappers.h"

namespace firn::object {

namespace {

class GuardedStore final : public ObjectStore {
 public:
  GuardedStore(std::unique_ptr<ObjectStore> inner, Guard guard) : inner_(std::move(inner)), guard_(std::move(guard)) {}

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    CO_TRY(co_await check(until));
    co_return co_await inner_->put(std::move(key), std::move(content), options, until);
  }
  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    CO_TRY(co_await check(until));
    co_return co_await inner_->get(std::move(key), offset, bytes, until);
  }
  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    CO_TRY(co_await check(until));
    co_return co_await inner_->head(std::move(key), until);
  }
  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    CO_TRY(co_await check(until));
    co_return co_await inner_->remove(std::move(key), until);
  }

  std::string describe() const override { return inner_->describe(); }
  io::Task<void> close() override { return inner_->close(); }

 private:
  // Whoever waits for another's check has lost time, but not more than that one's deadline.
  io::Task<Result<void>> check(io::Until until) {
    if (accepted_.load(std::memory_order_acquire)) co_return Result<void>();
    const auto alone = co_await checking_.lock();
    if (accepted_.load(std::memory_order_acquire)) co_return Result<void>();
    const Result<std::string> found = co_await get_all(*inner_, guard_.key, guard_.max_bytes, until);
    if (!found && found.error().code() == Code::kNotFound)
      co_return fail(Code::kNoDevice, inner_->describe() + " has no object \"" + guard_.key +
                                          "\": it is not this volume's, or has been emptied");
    if (!found) co_return fail(found.error());
    if (Status judged = guard_.accept(*found); !judged.ok())
      co_return fail(std::move(judged).with_context(inner_->describe()));
    accepted_.store(true, std::memory_order_release);
    co_return Result<void>();
  }

  const std::unique_ptr<ObjectStore> inner_;
  const Guard guard_;
  io::Mutex checking_;
  std::atomic<bool> accepted_ = false;
};

}  // namespace

std::unique_ptr<ObjectStore> guarded(std::unique_ptr<ObjectStore> inner, Guard guard) {
  return std::make_unique<GuardedStore>(std::move(inner), std::move(guard));
}

}  // namespace firn::object
