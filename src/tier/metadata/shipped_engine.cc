#include "tier/metadata/shipped_engine.h"

namespace firn::tier {

namespace {

class ShippedTransaction final : public kv::Transaction {
 public:
  ShippedTransaction(std::unique_ptr<kv::Transaction> inner, MetadataShipper& shipper)
      : inner_(std::move(inner)), shipper_(shipper) {}

  io::Task<Result<std::optional<std::string>>> get(std::string_view key, kv::Isolation isolation) override {
    if (shipper_.is_fenced()) co_return fail(shipper_.fenced());
    co_return co_await inner_->get(key, isolation);
  }
  io::Task<Result<std::vector<std::optional<std::string>>>> multi_get(std::vector<std::string> keys,
                                                                      kv::Isolation isolation) override {
    if (shipper_.is_fenced()) co_return fail(shipper_.fenced());
    co_return co_await inner_->multi_get(std::move(keys), isolation);
  }
  io::Task<Result<std::vector<kv::Pair>>> scan(kv::Range range, size_t limit, kv::Isolation isolation) override {
    if (shipper_.is_fenced()) co_return fail(shipper_.fenced());
    co_return co_await inner_->scan(std::move(range), limit, isolation);
  }
  void put(std::string_view key, std::string_view value) override {
    writes_ = true;
    inner_->put(key, value);
  }
  void erase(std::string_view key) override {
    writes_ = true;
    inner_->erase(key);
  }
  void add(std::string_view key, int64_t delta) override {
    writes_ = true;
    inner_->add(key, delta);
  }
  void add_read_conflict(std::string_view key) override { inner_->add_read_conflict(key); }
  io::Task<Result<kv::Version>> commit() override {
    if (writes_) CO_TRY(co_await shipper_.make_room());
    co_return co_await inner_->commit();
  }

 private:
  const std::unique_ptr<kv::Transaction> inner_;
  MetadataShipper& shipper_;
  bool writes_ = false;
};

}  // namespace

std::unique_ptr<kv::Transaction> ShippedEngine::begin() {
  return std::make_unique<ShippedTransaction>(inner_->begin(), shipper_);
}

io::Task<Result<void>> ShippedEngine::sync(kv::Version version) {
  CO_TRY(co_await shipper_.ship_through(version));
  co_return co_await inner_->sync(version);
}

std::vector<std::pair<std::string, std::string>> ShippedEngine::statistics() const {
  auto facts = inner_->statistics();
  facts.emplace_back("shipped_version", std::to_string(synced_version()));
  facts.emplace_back("epoch", std::to_string(shipper_.epoch()));
  return facts;
}

}  // namespace firn::tier
