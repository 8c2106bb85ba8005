// damage: puts a record into a volume's metadata that a healthy firn would never write.
//   damage META_FOLDER newer             the volume record says that a newer firn made it
//   damage META_FOLDER inode NUMBER      the inode's record is noise
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "io/block_on.h"
#include "io/uring/uring_reactor.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "meta/keys.h"

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
  if (!newer && !inode) {
    std::fputs("usage: damage META_FOLDER newer | inode NUMBER\n", stderr);
    return 2;
  }
  Result<void> done = run(argv[1], newer, inode ? std::strtoull(argv[3], nullptr, 10) : 0);
  if (!done) std::fprintf(stderr, "damage: %s\n", done.error().to_string().c_str());
  return done ? 0 : 1;
}
