// damage: puts a record into a volume's metadata that a healthy firn would never write.
//   damage META_FOLDER newer             the volume record says that a newer firn made it
//   damage META_FOLDER inode NUMBER      the inode's record is noise
//   damage CACHE_FOLDER bucket           the counter of inodes is wrong, in the bucket in which the volume lives
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cli/bucket_metadata.h"
#include "cli/files.h"
#include "io/block_on.h"
#include "io/uring/uring_reactor.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "meta/keys.h"
#include "meta/records.h"

namespace {

using namespace firn;

// A later occurrence of a protobuf field wins: field 1, the format version, becomes 999.
constexpr std::string_view kNewerVersion = "\x08\xe7\x07";
constexpr std::string_view kNoise = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff noise";

io::Task<Result<void>> put(kv::Engine& engine, std::string key, std::string value, bool append) {
  auto transaction = engine.begin();
  if (append) {
    auto old = CO_TRY(co_await transaction->get(key));
    value = old.value_or("") + value;
  }
  transaction->put(key, value);
  CO_TRY(co_await transaction->commit());
  transaction.reset();
  co_return co_await engine.close();
}

io::Task<Result<void>> put_in_bucket(kv::Engine& engine) {
  const auto transaction = engine.begin();
  transaction->put(meta::counter_key(meta::kInodesCounter), meta::encode_counter(12345));
  CO_TRY(co_await transaction->commit());
  co_return Result<void>();
}

Result<void> damage_bucket(const std::string& folder) {
  const cli::VolumePaths cache{folder}, target{folder + "/damage"};
  const cli::Settings settings = TRY(cli::load_settings(cache.config()));
  const auto pool = io::make_thread_pool(2);
  const auto reactors = TRY(io::ReactorPool::create({.reactors = 1}));
  const auto metadata = TRY(cli::BucketMetadata::write({cache, target, settings, *reactors, *pool}));
  Result<void> done = io::block_on(*reactors, put_in_bucket(metadata->engine()));
  const Result<void> closed = metadata->close();
  reactors->stop();
  TRY(cli::remove_all(target.root));
  return done ? closed : done;
}

Result<void> run(const std::string& folder, bool newer, uint64_t inode) {
  auto reactor = TRY(io::UringReactor::create({}));
  auto engine = TRY(kv::open_rocksdb({.path = folder}));
  std::string key = newer ? meta::volume_key().str() : meta::inode_key(InodeId(inode)).str();
  std::string value(newer ? kNewerVersion : kNoise);
  return io::run_to_end(*reactor, put(*engine, key, value, newer));
}

}  // namespace

int main(int argc, char** argv) {
  bool newer = argc == 3 && std::string_view(argv[2]) == "newer";
  bool inode = argc == 4 && std::string_view(argv[2]) == "inode";
  bool bucket = argc == 3 && std::string_view(argv[2]) == "bucket";
  if (!newer && !inode && !bucket) {
    std::fputs("usage: damage META_FOLDER newer | inode NUMBER, or CACHE_FOLDER bucket\n", stderr);
    return 2;
  }
  Result<void> done =
      bucket ? damage_bucket(argv[1]) : run(argv[1], newer, inode ? std::strtoull(argv[3], nullptr, 10) : 0);
  if (!done) std::fprintf(stderr, "damage: %s\n", done.error().to_string().c_str());
  return done ? 0 : 1;
}
