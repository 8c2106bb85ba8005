#include "object/testing/faulty_store.h"

#include <algorithm>

namespace firn::object::testing {

namespace {

std::unexpected<Status> lost() { return fail(Code::kTimedOut, "injected: the answer was lost"); }
std::unexpected<Status> late() { return fail(Code::kTimedOut, "injected: it may arrive later"); }

}  // namespace

io::Task<Result<void>> FaultyStore::before(Kind kind, io::Until until) {
  requests_[static_cast<size_t>(kind)].fetch_add(1);
  int64_t wait = faults_.min_latency_ns;
  if (faults_.max_latency_ns > wait)
    wait += static_cast<int64_t>(random_.below(static_cast<uint64_t>(faults_.max_latency_ns - wait)));
  const bool hangs = happens(faults_.hung);
  if (hangs) wait = kStallNs;
  const int64_t left =
      until.deadline_ns == 0 ? INT64_MAX : until.deadline_ns - io::Reactor::current()->clock().monotonic_ns();
  const bool late = hangs || wait >= left;
  if (wait > 0 && !co_await io::sleep_for(std::clamp<int64_t>(wait, 0, std::max<int64_t>(left, 0)), until.token))
    co_return fail(Code::kInterrupted);
  if (late) co_return fail(Code::kTimedOut, "injected: no answer");
  if (down_.load() || happens(faults_.refused)) co_return fail(Code::kUnavailable, "injected: 503");
  co_return Result<void>();
}

void FaultyStore::put_later(std::string key, Content content, PutOptions options) {
  const auto put = [](std::shared_ptr<ObjectStore> inner, std::string name, Content bytes,
                      PutOptions how) -> io::Task<void> {
    (void)co_await inner->put(std::move(name), std::move(bytes), how, {});
  };
  late_->send(key, [put, inner = inner_, key, content, options] { return put(inner, key, content, options); }, later());
}

void FaultyStore::remove_later(std::string key) {
  const auto remove = [](std::shared_ptr<ObjectStore> inner, std::string name) -> io::Task<void> {
    (void)co_await inner->remove(std::move(name), {});
  };
  late_->send("", [remove, inner = inner_, key] { return remove(inner, key); }, later());
}

io::Task<Result<void>> FaultyStore::put(std::string key, Content content, PutOptions options, io::Until until) {
  CO_TRY(co_await before(Kind::kPut, until));
  const bool may_forget = faults_.may_forget == nullptr || faults_.may_forget(key);
  if (may_forget && happens(faults_.forgotten)) co_return Result<void>();
  const bool twice = happens(faults_.twice), is_late = happens(faults_.late);
  if (twice || is_late) put_later(key, content, options);
  if (is_late) co_return late();
  Result<void> done = co_await inner_->put(std::move(key), std::move(content), options, until);
  if (happens(faults_.answer_lost)) co_return lost();
  co_return done;
}

io::Task<Result<Fetched>> FaultyStore::get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) {
  CO_TRY(co_await before(Kind::kGet, until));
  Result<Fetched> done = co_await inner_->get(std::move(key), offset, bytes, until);
  if (done) got_bytes_.fetch_add(done->bytes.size());
  if (happens(faults_.truncated)) co_return fail(Code::kUnavailable, "injected: the body broke off");
  if (happens(faults_.answer_lost)) co_return lost();
  if (done && !done->bytes.empty() && happens(faults_.corrupted))
    done->bytes[random_.below(done->bytes.size())] ^= static_cast<char>(1 << random_.below(8));
  co_return done;
}

io::Task<Result<ObjectInfo>> FaultyStore::head(std::string key, io::Until until) {
  CO_TRY(co_await before(Kind::kHead, until));
  Result<ObjectInfo> done = co_await inner_->head(std::move(key), until);
  if (happens(faults_.answer_lost)) co_return lost();
  co_return done;
}

io::Task<Result<void>> FaultyStore::remove(std::string key, io::Until until) {
  CO_TRY(co_await before(Kind::kRemove, until));
  const bool twice = happens(faults_.twice), is_late = happens(faults_.late);
  if (twice || is_late) remove_later(key);
  if (is_late) co_return late();
  Result<void> done = co_await inner_->remove(std::move(key), until);
  if (happens(faults_.answer_lost)) co_return lost();
  co_return done;
}

}  // namespace firn::object::testing
