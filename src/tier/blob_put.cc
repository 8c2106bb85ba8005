#include "tier/blob_put.h"

#include <algorithm>
#include <bit>

#include "io/reactor.h"
#include "tier/metadata/concurrently.h"

namespace firn::tier {

io::Task<Result<void>> put_surely(object::ObjectStore& store, std::string key, object::Content content,
                                  int64_t deadline_ns, io::CancelToken* token) {
  const uint64_t bytes = content.bytes();
  CO_TRY(co_await store.put(key, std::move(content), {}, io::within(deadline_ns, token)));
  const Result<object::ObjectInfo> there = co_await store.head(std::move(key), io::within(deadline_ns, token));
  if (there && there->bytes == bytes) co_return Result<void>();
  if (there || there.error() == Code::kNotFound)
    co_return fail(Code::kIo, "it answered that it had stored an object, and does not have it");
  co_return fail(there.error());
}

io::Task<uint32_t> BlobPut::to(std::vector<size_t> wanted) {
  if (wanted.empty()) co_return 0;
  wanted_ = running_ = wanted.size();
  began_ns_ = io::Reactor::current()->clock().monotonic_ns();
  if (options_.patience && options_.patience->is_elsewhere) one_has_it_.cancel();
  const size_t tasks = wanted.size() + (options_.patience ? 1 : 0);
  (void)co_await concurrently(tasks, kMaxTiers + 1,
                              [&](size_t i) { return i < wanted.size() ? put_to_one(wanted[i]) : end_late(); });
  co_return arrived_;
}

io::Task<Result<void>> BlobPut::put_to_one(size_t tier) {
  const Result<void> done = co_await send(tier);
  if (done) {
    arrived_ |= uint32_t{1} << tier;
    one_has_it_.cancel();
    if (options_.on_first && wanted_ > 1 && std::popcount(arrived_) == 1) options_.on_first();
  } else if (options_.on_failure) {
    const bool late = too_late_.cancelled() && done.error() == Code::kInterrupted && !cancelled();
    options_.on_failure({.tier = tier, .why = done.error(), .late = late});
  }
  if (--running_ == 0) {
    all_ended_.cancel();
    one_has_it_.cancel();  // or none ever will
  }
  co_return Result<void>();
}

io::Task<Result<void>> BlobPut::send(size_t tier) {
  io::CancelToken stop;
  io::CancelToken* const of_tier = options_.tokens_of_tiers != nullptr ? &(*options_.tokens_of_tiers)[tier] : nullptr;
  const io::CancelToken::Scope passed_on(options_.token, [&stop] { stop.cancel(); });
  const io::CancelToken::Scope given_up(of_tier, [&stop] { stop.cancel(); });
  const io::CancelToken::Scope too_late(&too_late_, [&stop] { stop.cancel(); });
  if (options_.before) CO_TRY(co_await options_.before(tier));
  co_return co_await put_surely(tiers_[tier].store, key_, content_, options_.put_ns, &stop);
}

io::Task<Result<void>> BlobPut::end_late() {
  Clock& clock = io::Reactor::current()->clock();
  (void)co_await io::sleep_for(io::kForeverNs, &one_has_it_);
  const int64_t took_ns = clock.monotonic_ns() - began_ns_;
  const int64_t patience_ns = std::max(options_.patience->least_ns, options_.patience->factor * took_ns);
  if (co_await io::sleep_for(patience_ns, &all_ended_)) too_late_.cancel();
  co_return Result<void>();
}

}  // namespace firn::tier
