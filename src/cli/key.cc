// firn key change: another passphrase for the same key.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/secret.h"
#include "cli/settings.h"
#include "cli/stores.h"
#include "cli/volume_folder.h"
#include "cli/volume_object.h"
#include "io/uring/reactor_pool.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "tier/key_wrap.h"
#include "tier/volume_record.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "firn key change gives the encrypted VOLUME, which must not be in use, another passphrase or key file. The key of\n"
    "the data stays the same, and no data is written again: only what wraps the key, in the volume and in each of its\n"
    "tiers, all of which must answer.\n\n"
    "The present secret comes from --key-file, tiers.key_file in firn.toml, FIRN_PASSPHRASE, or the terminal; the new\n"
    "one from --new-key-file, FIRN_NEW_PASSPHRASE, or the terminal.\n\n"
    "The volume's own copy comes last: until it says that it is done, VOLUME opens with the former secret. After an\n"
    "interruption a tier may have the new one already; run it again. Whoever has both the former secret and an old "
    "copy\n"
    "of a tier or of VOLUME can still read: to shut somebody out who has those, copy the data into a new volume.";

constexpr int64_t kRequestNs = 60'000'000'000;

struct Arguments {
  std::string volume, key_file, new_key_file;
  bool json = false;
};

std::string names_of(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

// Nothing is changed while one of them does not answer.
io::Task<Result<void>> check_tiers(const Stores* stores, const meta::VolumeSettings* record) {
  for (const tier::Tier& tier : stores->tiers()) {
    const auto found =
        co_await object::get_all(tier.store, tier::kVolumeObject, tier::kMaxVolumeObjectBytes, io::within(kRequestNs));
    const Status status = !found ? found.error() : [&]() -> Status {
      const auto owner = TRY(tier::decode_volume_object(*found));
      return owner.id == record->id ? Status() : Status(Code::kNoDevice, "it is another volume's");
    }();
    if (!status.ok())
      co_return fail(status.code(),
                     fmt::format("tier {}: {}; nothing has been changed", tier.name, status.to_string()));
  }
  co_return Result<void>();
}

io::Task<Result<void>> rewrap_tiers(const Stores* stores, std::string object) {
  std::vector<std::string> done;
  for (const tier::Tier& tier : stores->tiers()) {
    const auto put = co_await tier.store.put(tier::kVolumeObject, object::Content(object), {}, io::within(kRequestNs));
    if (!put)
      co_return fail(put.error().code(),
                     fmt::format("tier {}: {}; the volume still opens with the former secret{}; run it again",
                                 tier.name, put.error().to_string(),
                                 done.empty() ? "" : ", a restore from " + names_of(done) + " with the new one"));
    done.push_back(tier.name);
  }
  co_return Result<void>();
}

// The volume's own record comes last: it is what says that the change was made.
io::Task<Result<void>> rewrap(kv::Engine* engine, const Stores* stores, meta::VolumeSettings record,
                              std::string wrapped) {
  CO_TRY(co_await check_tiers(stores, &record));
  record.wrapped_key = std::move(wrapped);
  std::string object = CO_TRY(tier::encode_volume_object(record));
  CO_TRY(co_await rewrap_tiers(stores, std::move(object)));
  co_return co_await meta::save_volume(*engine, std::move(record));
}

Result<std::string> wrapped_anew(const Arguments& arguments, const Settings& settings,
                                 const meta::VolumeSettings& record) {
  const std::string file = arguments.key_file.empty() ? settings.tiers.key_file : arguments.key_file;
  const std::string secret =
      TRY(read_secret({.key_file = file, .question = "The present passphrase of " + arguments.volume}));
  const auto key = open_key(record, secret);
  if (!key) return fail(key.error().code(), arguments.volume + ": " + key.error().to_string());
  const std::string fresh = TRY(read_new_secret({.key_file = arguments.new_key_file,
                                                 .variable = "FIRN_NEW_PASSPHRASE",
                                                 .question = "The new passphrase of " + arguments.volume}));
  return tier::encode(TRY(tier::wrap_key(**key, fresh, system_random())));
}

Status check_encrypted(const meta::VolumeSettings& record, const Arguments& arguments) {
  if (!record.wrapped_key.empty()) return {};
  return Status(
      Code::kInvalid,
      fmt::format("{}: is not encrypted; that is chosen when a volume is made: firn init --encrypt", arguments.volume));
}

Result<void> change_with(kv::Engine& engine, io::ReactorPool& reactors, io::BlockingPool& pool,
                         const Arguments& arguments, const Settings& settings) {
  const meta::VolumeSettings record = TRY(io::block_on(reactors, meta::load_volume(engine)));
  TRY(check_encrypted(record, arguments));
  const auto stores = TRY(Stores::open(settings.tiers, settings.s3, record, {.pool = pool}));
  const std::string wrapped = TRY(wrapped_anew(arguments, settings, record));
  const Result<void> done = io::block_on(reactors, rewrap(&engine, stores.get(), record, wrapped));
  io::block_on(reactors, stores->close());
  return done;
}

// Of a volume that lives in a bucket: its object there is all that says what opens it.
Result<void> change_in_bucket(const Arguments& arguments, const Settings& settings) {
  const auto pool = io::make_thread_pool(2);
  const auto reactors = TRY(io::ReactorPool::create({.reactors = 1}));
  const Place place = TRY(parse_places(settings.tiers.stores)).back();
  meta::VolumeSettings record = TRY(fetch_volume_object(place, settings.s3));
  TRY(check_encrypted(record, arguments));
  const auto stores = TRY(Stores::open(settings.tiers, settings.s3, record, {.pool = *pool}));
  record.wrapped_key = TRY(wrapped_anew(arguments, settings, record));
  const std::string object = TRY(tier::encode_volume_object(record));
  const Result<void> done = io::block_on(*reactors, rewrap_tiers(stores.get(), object));
  io::block_on(*reactors, stores->close());
  return done;
}

Result<void> change_in(const VolumePaths& paths, const Arguments& arguments, const Settings& settings) {
  if (settings.tiers.durability == "object") return change_in_bucket(arguments, settings);
  const auto pool = io::make_thread_pool(2);
  const auto reactors = TRY(io::ReactorPool::create({.reactors = 1}));
  const auto engine = TRY(kv::open_rocksdb({.path = paths.meta(), .blocking_pool = pool.get()}));
  const Result<void> done = change_with(*engine, *reactors, *pool, arguments, settings);
  const Result<void> closed = io::block_on(*reactors, engine->close());
  return done ? closed : done;
}

// tiers.key_file in firn.toml says what opens the volume from now on; the user sets it.
void say_what_next(const Arguments& arguments, const Settings& settings) {
  const std::string wanted = arguments.new_key_file.empty() ? "" : absolute_path(arguments.new_key_file);
  if (arguments.json) {
    print_json({{"volume", absolute_path(arguments.volume)},
                {"key_file", settings.tiers.key_file},
                {"wanted_key_file", wanted}});
    return;
  }
  fmt::print("{}: has a new secret; the former one opens it no more\n", arguments.volume);
  if (wanted == settings.tiers.key_file) return;
  if (wanted.empty())
    fmt::print("remove tiers.key_file from {}/firn.toml, to be asked for the passphrase\n", arguments.volume);
  else
    fmt::print("set tiers.key_file = \"{}\" in {}/firn.toml\n", wanted, arguments.volume);
}

Result<int> change(const Arguments& arguments) {
  const VolumePaths paths = TRY(require_volume(arguments.volume));
  const Settings settings = TRY(load_settings(paths.config()));
  VolumeLock lock = TRY(VolumeLock::take(paths, ""));
  const Result<void> changed = change_in(paths, arguments, settings);
  lock.leave("");
  if (!changed) return fail(changed.error());
  say_what_next(arguments, settings);
  return kExitOk;
}

}  // namespace

void add_key(Command& firn) {
  Command command = firn.add("key", "Change what opens an encrypted volume", kManual);
  command.needs_subcommand();
  Command change_command = command.add("change", "Another passphrase or key file for the same key", kManual);
  auto arguments = std::make_shared<Arguments>();
  change_command.value("VOLUME", arguments->volume, "The volume's folder").required();
  change_command.value("--key-file", arguments->key_file, "The present key file").called("FILE");
  change_command.value("--new-key-file", arguments->new_key_file, "The new key file").called("FILE");
  change_command.json(arguments->json, "One JSON value: tiers.key_file as it is, and as it must be set (\"\": none)");
  change_command.runs([arguments] { return change(*arguments); });
}

}  // namespace firn::cli
