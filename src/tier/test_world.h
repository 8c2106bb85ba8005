// Files, two colder tiers that misbehave, and everything between them, on simulated time and a simulated disk.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "data/hot/hot_store.h"
#include "io/block_on.h"
#include "io/sim/sim_blocking_pool.h"
#include "io/sim/sim_disk.h"
#include "io/sim/sim_reactor.h"
#include "kv/mem/mem_engine.h"
#include "meta/local_service.h"
#include "object/testing/place.h"
#include "tier/cold_file.h"
#include "tier/hydrator.h"
#include "tier/uploader.h"

namespace firn::tier::testing {

// Of a chunk's frame: a byte that whoever reads the chunk reads.
inline uint64_t in_last_block(const meta::Chunk& chunk) { return chunk.offset + chunk.frame_bytes - 20; }

using object::testing::Place;

struct WorldOptions {
  uint64_t seed = 1;
  object::testing::Faults faults;  // of both tiers, corruption only of the near one
  std::optional<Key> key;
  uint64_t chunk_bytes = 4096;
  bool dedup = false;
  size_t files_per_pass = 4096;
  uint64_t chunks_per_turn = UploadOptions().chunks_per_turn;
  int64_t late_ns = UploadOptions().late_ns;
  size_t most_replaced_chunks = UploadOptions().most_replaced_chunks;
};

class World {
 public:
  explicit World(WorldOptions options);
  ~World();

  template <class T>
  T run(io::Task<T> task) {
    return io::run_to_end(*reactor, std::move(task));
  }
  void pass_time(int64_t ns);

  // Makes the file, or replaces its content, as a last close would.
  void write(const std::string& name, const std::string& content) { run(do_write(name, content)); }
  io::Task<void> do_write(std::string name, std::string content);
  // The name and everything behind it.
  void remove(const std::string& name) { run(do_remove(name)); }
  io::Task<void> do_remove(std::string name);
  // The backing stays.
  void remove_name(const std::string& name) { run(do_remove_name(name)); }
  bool exists(const std::string& name) { return run(meta->lookup({}, kRootInode, name)).has_value(); }
  // One pass.
  UploadSummary upload() { return run(uploader->pass(nullptr)).value(); }
  // What late tiers lack.
  void catch_up() {
    for (size_t tier = 0; tier < tiers().size(); ++tier) (void)run(uploader->catch_up(tier, nullptr));
  }
  Result<void> evict(const std::string& name) { return run(do_evict(name)); }
  io::Task<Result<void>> do_evict(std::string name);
  Result<void> restore(const std::string& name) { return run(do_restore(name)); }
  io::Task<Result<void>> do_restore(std::string name);
  std::string read(const std::string& name) { return run(do_read(name)); }
  // What colder tiers have is the file's content.
  void expect_to_come_back(const std::string& name, const std::string& content);

  meta::Attr stat(const std::string& name) { return run(meta->lookup({}, kRootInode, name)).value(); }
  uint64_t allocated(const std::string& name) {
    return run(data->stat(stat(name).content.backing)).value().allocated_bytes;
  }
  // One of its backing's bytes is another, behind everybody's back.
  void rot_backing(const std::string& name, uint64_t offset) { run(do_rot(name, offset)); }
  std::vector<meta::Chunk> chunks(const std::string& name);
  std::vector<meta::Blob> blobs() { return run(meta->list_blobs("", 100'000)).value(); }
  // Objects that are somewhere, and those that chunks refer to.
  std::set<std::string> objects() const;
  std::set<std::string> needed_objects();
  size_t pending() { return run(meta->list_pending(InodeId(), 10'000)).value().size(); }
  // A bit of an object in a tier is another.
  void flip(Place& place, const std::string& key, uint64_t at);

  // The process ends wherever it is, and another one begins; with a power cut, what was not synced may be lost.
  void restart(bool power_cut);
  // Nothing is under way to the tiers any more.
  void everything_arrives();
  // All files and records survive a power cut.
  void sync();

  io::Task<Result<data::ObjectRef>> open(std::string name, InodeId* inode);
  Tiers tiers() { return {{"near", *near->store}, {"far", *far->store}}; }

  const WorldOptions options;
  std::unique_ptr<SeededRandom> random;
  std::unique_ptr<io::SimReactor> reactor;
  std::unique_ptr<io::SimBlockingPool> pool;
  std::unique_ptr<io::SimDisk> disk;
  std::function<Code()> commit_fault;           // of each commit of metadata, if there is one
  std::function<io::Task<void>()> before_sync;  // what each sync of it waits for, likewise
  std::unique_ptr<kv::MemEngine> engine;
  std::unique_ptr<data::Store> data;
  std::unique_ptr<meta::LocalService> meta;
  std::unique_ptr<Place> near, far;
  std::unique_ptr<Uploader> uploader;
  std::unique_ptr<Hydrator> hydrator;
  std::map<std::string, int> damaged;  // by tier: what the hydrator and the uploader have met
  OnDamage on_damage;                  // is told of it, too

 private:
  void start(Timestamp time);
  io::Task<void> do_remove_name(std::string name);
  io::Task<std::string> do_read(std::string name);
  io::Task<void> do_rot(std::string name, uint64_t offset);

  uint64_t starts_ = 0;
};

}  // namespace firn::tier::testing
