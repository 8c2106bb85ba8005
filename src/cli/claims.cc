#include "cli/claims.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/random.h"
#include "cli/store_advice.h"
#include "cli/stores.h"
#include "io/block_on.h"
#include "object/abandonable.h"
#include "object/dir/dir_store.h"
#include "object/probe.h"
#include "object/wrappers.h"
#include "tier/volume_record.h"

namespace firn::cli {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
// A person waits: few attempts, and an end.
constexpr object::RetryOptions kRetries{
    .attempt_ns = 10 * kSecondNs, .slowest_bytes_per_s = 1 << 20, .max_attempts = 3};
constexpr int64_t kProbeNs = 60 * kSecondNs;
constexpr int64_t kRequestNs = 20 * kSecondNs;

Status taken(const object::ObjectStore& store, const meta::VolumeSettings& owner) {
  return Status(Code::kExists, fmt::format("{} is the place of the volume \"{}\" (id {}, made {:%Y-%m-%d %H:%M} UTC)",
                                           store.describe(), owner.name, to_hex(owner.id),
                                           fmt::gmtime(static_cast<time_t>(owner.created.seconds))));
}

bool exists(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

io::Until soon() { return io::within(kRequestNs); }

}  // namespace

Result<std::unique_ptr<Claims>> Claims::create(std::vector<Place> places, S3Settings s3, meta::VolumeSettings record) {
  std::unique_ptr<Claims> claims(new Claims);
  claims->object_ = TRY(tier::encode_volume_object(record));
  claims->record_ = std::move(record);
  claims->pool_ = object::make_abandonable_pool(2);
  claims->reactor_ = TRY(io::UringReactor::create({}));
  for (Place& place : places) {
    // Without a marker's id: to name the volume of a folder that is another's, its objects must be readable.
    auto store = TRY(open_place(place, s3, "", *claims->pool_, object::s3::Environment::of_process(),
                                {.last = claims->claims_.size() + 1 == places.size()}));
    store = object::retrying(std::move(store), kRetries, system_random());
    claims->claims_.push_back({.place = std::move(place), .store = std::move(store)});
  }
  return claims;
}

Result<void> Claims::take() { return io::run_to_end(*reactor_, take_all()); }
Result<void> Claims::release() { return io::run_to_end(*reactor_, release_all()); }

io::Task<Result<void>> Claims::take_all() {
  for (Claim& claim : claims_) {
    const Result<void> taken = co_await take_place(&claim);
    if (!taken) co_return fail(explained(taken.error(), claim.place));
  }
  co_return Result<void>();
}

io::Task<Result<void>> Claims::take_place(Claim* claim) {
  CO_TRY(co_await check_owner(claim));
  CO_TRY(co_await mark(claim));
  CO_TRY(co_await object::probe(*claim->store, system_random(), io::within(kProbeNs)));
  claim->begun = true;
  const object::Content content(object_);
  Result<void> put = co_await claim->store->put(tier::kVolumeObject, content, {.if_absent = true}, soon());
  if (put || put.error().code() != Code::kExists) co_return put;
  // Somebody's since the first look, or of our own interrupted init.
  CO_TRY(co_await check_owner(claim));
  co_return co_await claim->store->put(tier::kVolumeObject, content, {}, soon());
}

// kExists when the place is another volume's.
io::Task<Result<void>> Claims::check_owner(Claim* claim) {
  const auto found = co_await object::get_all(*claim->store, tier::kVolumeObject, tier::kMaxVolumeObjectBytes, soon());
  // A folder without a marker is no store yet.
  const bool no_store = claim->place.kind == Place::Kind::kFolder && !found && found.error() == Code::kNoDevice;
  if (no_store || (!found && found.error() == Code::kNotFound)) co_return Result<void>();
  const std::string bytes = CO_TRY(found);
  const auto owner = tier::decode_volume_object(bytes);
  if (!owner) co_return fail(Code::kExists, fmt::format("{}: {}", claim->store->describe(), owner.error().to_string()));
  if (owner->id != record_.id) co_return fail(taken(*claim->store, *owner));
  co_return Result<void>();
}

io::Task<Result<void>> Claims::mark(Claim* claim) {
  if (claim->place.kind != Place::Kind::kFolder) co_return Result<void>();
  struct Made {
    bool folder = false;
    Status status;
  };
  claim->begun = true;
  const auto made =
      co_await object::run_abandonable(*pool_, soon(), [path = claim->place.where, id = to_hex(record_.id)]() -> Made {
        const bool was_there = exists(path);
        return {.folder = !was_there, .status = object::create_dir_store(path, id)};
      });
  if (!made) co_return fail(Code::kTimedOut, claim->place.where + " does not answer");
  claim->made_folder = made->folder;
  CO_TRY(made->status);
  co_return Result<void>();
}

io::Task<Result<void>> Claims::release_all() {
  Result<void> result;
  for (Claim& claim : claims_) {
    if (!claim.begun) continue;
    const Result<void> released = co_await release_place(&claim);
    if (!released && result) result = fail(explained(released.error(), claim.place));
  }
  co_return result;
}

io::Task<Result<void>> Claims::release_place(Claim* claim) {
  const bool is_folder = claim->place.kind == Place::Kind::kFolder;
  Result<void> done = co_await check_owner(claim);
  if (done) done = co_await claim->store->remove(tier::kVolumeObject, soon());
  // Another's, or a folder that never became a store: nothing of ours is there.
  const bool nothing = !done && (done.error() == Code::kExists || (is_folder && done.error() == Code::kNoDevice));
  if (!done && !nothing) co_return done;
  if (!is_folder) co_return Result<void>();
  const auto removed = co_await object::run_abandonable(
      *pool_, soon(), [path = claim->place.where, id = to_hex(record_.id), folder = claim->made_folder] {
        Status status = object::remove_dir_store(path, id);
        if (status.ok() && folder) ::rmdir(path.c_str());
        return status;
      });
  if (!removed) co_return fail(Code::kTimedOut, claim->place.where + " does not answer");
  CO_TRY(*removed);
  co_return Result<void>();
}

}  // namespace firn::cli
