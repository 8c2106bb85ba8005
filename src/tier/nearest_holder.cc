#include "tier/nearest_holder.h"

#include <bit>

#include "io/until.h"

namespace firn::tier {

namespace {

constexpr int64_t kHeadNs = 20'000'000'000;

io::Task<Result<void>> find(object::ObjectStore& store, std::string key, io::CancelToken* token) {
  (void)CO_TRY(co_await store.head(std::move(key), io::within(kHeadNs, token)));
  co_return Result<void>();
}

}  // namespace

io::Task<std::optional<size_t>> nearest_holder(TierOrder& order, const Tiers& tiers, uint32_t among,
                                               const std::string& key, std::vector<TierOrder::Failure>& failures,
                                               io::CancelToken* token) {
  if (std::popcount(among) == 1) co_return static_cast<size_t>(std::countr_zero(among));
  co_return co_await order.first_answer(
      among, /*bytes=*/0, [&](size_t tier, io::CancelToken* stop) { return find(tiers[tier].store, key, stop); },
      failures, token);
}

}  // namespace firn::tier
