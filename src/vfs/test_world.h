// A whole volume on simulated time, a simulated disk and an in-memory engine, which can lose their power together.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "data/hot/hot_store.h"
#include "io/block_on.h"
#include "io/sim/sim_blocking_pool.h"
#include "io/sim/sim_disk.h"
#include "io/sim/sim_reactor.h"
#include "kv/mem/mem_engine.h"
#include "meta/local_service.h"
#include "meta/volume.h"
#include "object/testing/place.h"
#include "tier/metadata/shipper.h"
#include "vfs/held_volume.h"

namespace firn::vfs {

class TestWorld {
 public:
  static constexpr uint64_t kInlineMax = 4096;

  static constexpr uint64_t kChunkBytes = 2048;
  static constexpr uint32_t kBlockBytes = 512;

  enum class Tiers : uint8_t {
    kNone,
    kTwo,
    kBucket,  // one, in which the volume lives: a power cut takes the local disk with it
  };
  // Small files being written are held in memory, or in scratch files.
  TestWorld(uint64_t seed, bool holds_in_memory, Tiers tiers = Tiers::kNone);
  ~TestWorld();

  // Runs the task to its end on the simulated reactor.
  template <class T>
  T run(io::Task<T> task) {
    return io::run_to_end(*reactor_, std::move(task));
  }

  // From the next mount on, files on the local disk are evicted beyond about so much. With `tiered`.
  // Where eviction aims; writers are not stopped there.
  void set_hot_max(uint64_t bytes) {
    tier_options.hot_max_bytes = bytes;
    tier_options.hot_hard_max_bytes = 1000 * bytes;
  }
  // Opens the volume: a new boot of the machine, or only of the process.
  Result<void> mount();
  // A clean end.
  Result<void> unmount();
  // The local disk is gone, and a new one in its place; the metadata came back from elsewhere. After unmount().
  void lose_disk();
  // Everything that was not synced may be lost, in any combination; the volume is down afterwards. Requests that are
  // under way to the tiers still arrive.
  void cut_power();
  // With tiers: of both, from now on.
  void set_faults(const object::testing::Faults& faults);
  // Nothing is under way to the tiers any more.
  void everything_arrives();

  // What the metadata takes of hot_max; at any time.
  uint64_t metadata_bytes = 0;

  // Before mount().
  uint64_t chunks_per_turn = tier::UploadOptions().chunks_per_turn;  // from the next mount on
  size_t most_replaced_chunks = tier::UploadOptions().most_replaced_chunks;
  TierOptions tier_options{
      .chunk_bytes = kChunkBytes, .block_bytes = kBlockBytes, .nearby_bytes = 0, .readahead_bytes = 4 * kChunkBytes};

  // Before mount(): nothing is changed by it.
  bool read_only = false;

  // Before mount(): when the volume may answer.
  std::optional<Serving> serving;

  Volume& volume() { return *volume_; }
  kv::Engine& engine() { return in_bucket() ? *cache_ : *engine_; }
  data::Store& store() { return *store_; }
  meta::Service& service() { return *service_; }
  io::SimDisk& disk() { return *disk_; }
  io::SimReactor& reactor() { return *reactor_; }
  using Place = object::testing::Place;
  Place& near() { return *near_; }
  Place& far() { return *far_; }
  static meta::Credentials root() { return {}; }

  // A new file in the root with this content, open for writing.
  Handle* create(const std::string& name, const std::string& content);
  // The same, closed.
  void make(const std::string& name, const std::string& content);
  tier::UploadSummary flush_tiers();

 private:
  bool in_bucket() const { return tiers_kind_ == Tiers::kBucket; }
  tier::Bucket bucket() { return {.store = *far_->store, .pool = *pool_, .random = random_}; }
  io::Task<Result<void>> open();
  // Fails as the store does.
  io::Task<Result<void>> open_from_bucket();
  io::Task<Result<void>> format_in_bucket();
  void make_tiers();

  uint64_t seed_;
  bool holds_in_memory_;
  const Tiers tiers_kind_;
  SeededRandom random_;
  uint64_t boots_ = 0;
  uint64_t hot_id_ = 0;
  std::unique_ptr<io::SimReactor> reactor_;
  std::unique_ptr<io::SimBlockingPool> pool_;
  std::unique_ptr<io::SimDisk> disk_;
  std::unique_ptr<kv::MemEngine> engine_;
  // Of a volume that lives in a bucket, instead: remade at each mount.
  std::unique_ptr<tier::MetadataShipper> shipper_;
  std::unique_ptr<kv::Engine> cache_;
  std::unique_ptr<data::Store> store_;
  std::unique_ptr<meta::LocalService> service_;
  std::unique_ptr<Place> near_, far_;
  std::unique_ptr<tier::Uploader> uploader_;
  std::unique_ptr<tier::Hydrator> hydrator_;
  std::unique_ptr<TierParts> tiers_;
  std::unique_ptr<Volume> volume_;
};

}  // namespace firn::vfs
