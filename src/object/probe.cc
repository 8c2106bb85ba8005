#include "object/probe.h"

#include <fmt/format.h>

namespace firn::object {

namespace {

std::unexpected<Status> unfit(const ObjectStore& store, const char* why) {
  return fail(Code::kNotSupported, store.describe() + " cannot hold a volume: " + why +
                                       "; use another server or file system, or a newer version of this one");
}

std::string probe_key(Random& random) { return fmt::format("probe/{:016x}{:016x}", random.next(), random.next()); }

io::Task<Result<void>> check_objects(ObjectStore& store, std::string key, io::Until until) {
  const std::string first(10'000, 'a'), second(20'000, 'b');
  CO_TRY(co_await store.put(key, Content(first), {}, until));
  CO_TRY(co_await store.put(key, Content(second), {}, until));
  if (CO_TRY(co_await get_all(store, key, second.size(), until)) != second)
    co_return unfit(store, "an object that was replaced still has its former content");
  const Fetched part = CO_TRY(co_await store.get(key, 15'000, 100, until));
  if (part.bytes != second.substr(15'000, 100) || part.object_bytes != second.size())
    co_return unfit(store, "a part of an object is not what was asked for");
  CO_TRY(co_await store.remove(key, until));
  const Result<ObjectInfo> gone = co_await store.head(key, until);
  if (gone) co_return unfit(store, "an object that was removed is still there");
  if (gone.error().code() != Code::kNotFound) co_return fail(gone.error());
  co_return Result<void>();
}

io::Task<Result<void>> check_condition(ObjectStore& store, std::string key, io::Until until) {
  CO_TRY(co_await store.put(key, Content("first"), {.if_absent = true}, until));
  const Result<void> second = co_await store.put(key, Content("second"), {.if_absent = true}, until);
  const Result<std::string> kept = co_await get_all(store, key, 100, until);
  (void)co_await store.remove(key, until);
  CO_TRY(kept);
  if (second || *kept != "first")
    co_return unfit(store, "it ignores \"only if absent\" (If-None-Match: *), which keeps two writers apart");
  if (second.error().code() != Code::kExists) co_return fail(second.error());
  co_return Result<void>();
}

}  // namespace

io::Task<Result<void>> probe(ObjectStore& store, Random& random, io::Until until) {
  CO_TRY(co_await check_objects(store, probe_key(random), until));
  co_return co_await probe_condition(store, random, until);
}

io::Task<Result<void>> probe_condition(ObjectStore& store, Random& random, io::Until until) {
  return check_condition(store, probe_key(random) + "-once", until);
}

}  // namespace firn::object
