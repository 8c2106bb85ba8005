#include "tier/test_world.h"

#include "io/sim/abandon.h"
#include "io/test_environment.h"
#include "meta/volume.h"

namespace firn::tier::testing {

namespace {

io::Task<void> resume(std::vector<std::shared_ptr<object::testing::LateRequests>> all) {
  for (const auto& late : all) late->resume();
  co_return;
}
io::Task<void> nothing() { co_return; }
io::Task<void> sleep(int64_t ns) { (void)co_await io::sleep_for(ns); }

}  // namespace

World::World(WorldOptions chosen)
    : options(chosen),
      disk(std::make_unique<io::SimDisk>(io::SimDiskOptions{.seed = chosen.seed})),
      engine(kv::make_mem_engine(
          {.crashable = true,
           .yields = true,
           .inject = [this](uint64_t /*commit*/) { return commit_fault ? commit_fault() : Code::kOk; },
           .before_sync = [this] { return before_sync ? before_sync() : nothing(); }})) {
  start({1'700'000'000, 0});
}

World::~World() {
  run(data->stop());
  everything_arrives();
}

void World::everything_arrives() {
  for (Place* place : {near.get(), far.get()}) run(place->late->all_arrive());
}

void World::start(Timestamp time) {
  const uint64_t seed = options.seed + 1000 * starts_;
  random = std::make_unique<SeededRandom>(seed);
  reactor = std::make_unique<io::SimReactor>(io::SimOptions{.seed = seed, .shuffle = true, .start = time});
  pool = std::make_unique<io::SimBlockingPool>(*reactor);
  if (starts_++ == 0)
    CHECK(run(meta::format(*engine, {.id = "test", .chunk_bytes = options.chunk_bytes}, {})).has_value());
  const auto kept = [](const std::unique_ptr<Place>& place) {
    return place ? place->mem : std::make_shared<object::MemStore>();
  };
  auto near_mem = kept(near), far_mem = kept(far);
  const auto near_late = near ? near->late : std::make_shared<object::testing::LateRequests>();
  const auto far_late = far ? far->late : std::make_shared<object::testing::LateRequests>();
  io::abandon(near.release());
  io::abandon(far.release());
  near = std::make_unique<Place>(*random, options.faults, std::move(near_mem), near_late);
  far = std::make_unique<Place>(*random, object::testing::without_corruption(options.faults), std::move(far_mem),
                                far_late);
  run(resume({near_late, far_late}));
  data = data::make_hot_store({.disk = *disk, .root = "/hot", .min_ready = 4, .max_ready = 16, .recent_objects = 4});
  meta = std::make_unique<meta::LocalService>(
      *engine, meta::Options{.clock = &reactor->clock(),
                             .inode_cache_entries = 256,  // taken at the start, and left behind by a crash
                             .dirent_cache_entries = 256,
                             .boot_session = starts_,
                             .tiered = true});
  CHECK(run(data->start([](BackingId) { return true; })).has_value());
  const OnDamage note = [this](const Damage& damage) {
    ++damaged[damage.tier];
    if (on_damage) on_damage(damage);
  };
  uploader = std::make_unique<Uploader>(Uploader::Parts{*meta, *meta, *data, *pool, *random, tiers()},
                                        UploadOptions{.chunk_bytes = options.chunk_bytes,
                                                      .block_bytes = 1024,
                                                      .key = options.key,
                                                      .blobs_in_flight = 2,
                                                      .files_per_pass = options.files_per_pass,
                                                      .chunks_per_turn = options.chunks_per_turn,
                                                      .most_replaced_chunks = options.most_replaced_chunks,
                                                      .late_ns = options.late_ns,
                                                      .dedup = options.dedup,
                                                      .on_damage = note});
  hydrator = std::make_unique<Hydrator>(
      Hydrator::Parts{*meta, *meta, *pool, tiers()},
      HydrateOptions{.chunk_bytes = options.chunk_bytes, .key = options.key, .on_damage = note});
}

void World::restart(bool power_cut) {
  const Timestamp time = reactor->clock().now();
  // What was running is never resumed: its frames are left behind.
  io::abandon(uploader.release());
  io::abandon(hydrator.release());
  io::abandon(meta.release());
  io::abandon(data.release());
  io::abandon(pool.release());
  io::abandon(random.release());
  io::abandon(reactor.release());
  if (power_cut) {
    std::unique_ptr<io::SimDisk> after = disk->crash();
    io::abandon(disk.release());
    disk = std::move(after);
    engine->crash();
  }
  start(time);
}

void World::sync() {
  ASSERT_TRUE(run(data->sync_all()));
  ASSERT_TRUE(run(engine->sync(engine->last_version())));
}

void World::pass_time(int64_t ns) { run(sleep(ns)); }

io::Task<void> World::do_write(std::string name, std::string content) {
  const auto created =
      co_await meta->create({}, kRootInode, name, {.type = meta::FileType::kRegular, .mode = 0644}, false);
  CO_REQUIRE(created);
  data::ObjectRef object;
  if (created->attr.content.backing) {
    object = (co_await data->open(created->attr.content.backing)).value();
  } else {
    object = (co_await data->lend(true)).value();
  }
  // Open for writing, so that an upload that goes on meanwhile does not take half of it for the whole.
  meta::ContentUpdate update;
  update.content = created->attr.content;
  update.content->backing = object->id();
  update.content->settled = update.content->live = true;
  update.content->evicted = false;
  CO_REQUIRE(co_await meta->update_content(created->attr.inode, update));
  CO_REQUIRE(co_await object->file().truncate(0));
  CO_REQUIRE(co_await object->file().write(0, std::as_bytes(std::span(content))));
  CO_REQUIRE(co_await data->settle(object));
  update.size = content.size();
  update.content->live = false;
  update.mtime = reactor->clock().now();
  CO_REQUIRE(co_await meta->update_content(created->attr.inode, update));
}

io::Task<void> World::do_remove_name(std::string name) {
  const auto removed = co_await meta->unlink({}, kRootInode, name);
  CO_REQUIRE(removed);
  CO_REQUIRE(co_await meta->reclaim(removed->attr.inode));
}

io::Task<void> World::do_remove(std::string name) {
  const auto removed = co_await meta->unlink({}, kRootInode, name);
  CO_REQUIRE(removed);
  CO_REQUIRE(co_await meta->reclaim(removed->attr.inode));
  CO_REQUIRE(co_await data->remove(removed->attr.content.backing));
}

io::Task<Result<data::ObjectRef>> World::open(std::string name, InodeId* inode) {
  const meta::Attr attr = CO_TRY(co_await meta->lookup({}, kRootInode, name));
  *inode = attr.inode;
  co_return co_await data->open(attr.content.backing);
}

io::Task<Result<void>> World::do_evict(std::string name) {
  InodeId inode;
  const data::ObjectRef object = CO_TRY(co_await open(name, &inode));
  co_return co_await hydrator->evict(inode, *object);
}

io::Task<Result<void>> World::do_restore(std::string name) {
  InodeId inode;
  const data::ObjectRef object = CO_TRY(co_await open(name, &inode));
  const uint64_t bytes = (co_await meta->getattr(inode))->size;
  ColdFile cold(*hydrator, inode, bytes, object, {.chunk_bytes = options.chunk_bytes});
  Result<void> restored = co_await cold.make_resident(nullptr);
  co_await cold.close();
  co_return restored;
}

io::Task<std::string> World::do_read(std::string name) {
  InodeId inode;
  const data::ObjectRef object = (co_await open(name, &inode)).value();
  std::string content((co_await meta->getattr(inode))->size, '?');
  content.resize((co_await object->file().read(0, std::as_writable_bytes(std::span(content)))).value_or(0));
  co_return content;
}

io::Task<void> World::do_rot(std::string name, uint64_t offset) {
  InodeId inode;
  const data::ObjectRef object = (co_await open(name, &inode)).value();
  std::string byte(1, '?');
  CO_REQUIRE(co_await object->file().read(offset, std::as_writable_bytes(std::span(byte))));
  byte[0] = static_cast<char>(byte[0] ^ 4);
  CO_REQUIRE(co_await object->file().write(offset, std::as_bytes(std::span(byte))));
}

void World::expect_to_come_back(const std::string& name, const std::string& content) {
  if (!stat(name).content.evicted) {
    const auto evicted = evict(name);
    ASSERT_TRUE(evicted) << name << ": " << evicted.error().to_string();
  }
  const auto restored = restore(name);
  ASSERT_TRUE(restored) << name << ": " << restored.error().to_string();
  EXPECT_TRUE(read(name) == content) << name;
}

std::vector<meta::Chunk> World::chunks(const std::string& name) {
  return run(meta->list_chunks(stat(name).inode, ChunkIndex(), 100'000)).value();
}

std::set<std::string> World::objects() const {
  std::set<std::string> keys;
  for (const Place* place : {near.get(), far.get()})
    for (const auto& [key, bytes] : place->mem->sizes()) keys.insert(key);
  return keys;
}

std::set<std::string> World::needed_objects() {
  std::set<std::string> keys;
  for (const meta::FileChunk& one : run(meta->list_all_chunks(InodeId(), ChunkIndex(), 1'000'000)).value())
    keys.insert(key_of(blob_id_of_name(one.chunk.blob)));
  return keys;
}

void World::flip(Place& place, const std::string& key, uint64_t at) {
  std::string bytes = run(place.mem->get(key, 0, object::kMaxObjectBytes, {})).value().bytes;
  ASSERT_LT(at, bytes.size());
  bytes[at] = static_cast<char>(bytes[at] ^ 16);
  ASSERT_TRUE(place.mem->overwrite(key, std::move(bytes)));
}

}  // namespace firn::tier::testing
