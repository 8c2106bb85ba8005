#include "cli/store_check.h"

#include <fstream>
#include <iterator>

#include "base/log.h"
#include "base/random.h"
#include "cli/files.h"
#include "cli/store_advice.h"
#include "io/reactor.h"
#include "object/probe.h"

namespace firn::cli {
namespace {

constexpr int64_t kProbeNs = 60'000'000'000;

std::string text_of(const std::string& store) { return store + "\n"; }

bool is_checked(const VolumePaths& paths, const std::string& store) {
  std::ifstream file(paths.checked());
  return std::string(std::istreambuf_iterator<char>(file), {}) == text_of(store);
}

}  // namespace

Status remember_checked(const VolumePaths& paths, const std::string& store) {
  return write_file(paths.checked(), text_of(store));
}

io::Task<Result<void>> ask_last_tier(object::ObjectStore& store, Place place, io::CancelToken* token) {
  const Result<void> asked = co_await object::probe_condition(store, system_random(), io::within(kProbeNs, token));
  if (!asked) co_return fail(explained(asked.error(), place));
  co_return Result<void>();
}

io::Task<Result<void>> check_last_tier(object::ObjectStore& store, Place place, VolumePaths paths,
                                       io::BlockingPool& pool, io::CancelToken* token) {
  const std::string name = store.describe();
  if (co_await pool.run([&] { return is_checked(paths, name); })) co_return Result<void>();
  CO_TRY(co_await ask_last_tier(store, std::move(place), token));
  const Status kept = co_await pool.run([&] { return remember_checked(paths, name); });
  if (!kept.ok()) log::warning("{}: {}; {} is asked again at the next start", paths.checked(), kept.to_string(), name);
  co_return Result<void>();
}

}  // namespace firn::cli
