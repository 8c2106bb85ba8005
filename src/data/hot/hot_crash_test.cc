// Power cuts at random moments, on the simulated disk: what was acknowledged is there, and nothing else is left.
#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "data/hot/hot_store.h"
#include "data/hot/test_helpers.h"
#include "io/block_on.h"
#include "io/sim/sim_disk.h"
#include "io/sim/sim_reactor.h"

namespace firn::data {
namespace {

constexpr uint64_t kSeeds = 150;
constexpr int kPowerCuts = 4;  // of each seed's disk, one after the other

// What outlives a power cut: the records that a metadata service would have.
struct Ledger {
  explicit Ledger(uint64_t seed) : random(seed) {}

  SeededRandom random;
  std::map<BackingId, std::string> files;  // synced and settled: must be there
  std::set<BackingId> unsettled;           // referenced, but the disk owes them nothing
  BackingId highest;                       // ever seen
};

io::Task<Status> make_file(Store& store, Ledger& ledger) {
  auto object = CO_TRY(co_await store.lend(true));
  BackingId id = object->id();
  EXPECT_FALSE(ledger.files.contains(id) || ledger.unsettled.contains(id)) << "lent while it is referenced";
  ledger.highest = std::max(ledger.highest, id);
  ledger.unsettled.insert(id);
  std::string text(ledger.random.below(3000), static_cast<char>('a' + ledger.random.below(26)));
  CO_TRY(co_await write_text(object->file(), text));
  CO_TRY(co_await object->file().sync(true));
  CO_TRY(co_await store.settle(object));
  ledger.unsettled.erase(id);
  ledger.files[id] = text;
  co_return {};
}

io::Task<Status> borrow(Store& store, Ledger& ledger) {
  auto object = CO_TRY(co_await store.lend(true));
  EXPECT_FALSE(ledger.files.contains(object->id()));
  ledger.highest = std::max(ledger.highest, object->id());
  CO_TRY(co_await write_text(object->file(), "scratch"));
  store.give_back(std::move(object));
  if (ledger.random.below(4) == 0) co_await store.make_ready(store.take_waiting());
  co_return {};
}

io::Task<Status> remove_file(Store& store, Ledger& ledger) {
  if (ledger.files.empty()) co_return {};
  auto victim = std::next(ledger.files.begin(), static_cast<long>(ledger.random.below(ledger.files.size())));
  BackingId id = victim->first;
  ledger.files.erase(victim);
  CO_TRY(co_await store.remove(id));
  co_return {};
}

io::Task<void> check_files(Store& store, Ledger& ledger) {
  for (auto& [id, text] : ledger.files) {
    auto object = co_await store.open(id);
    CO_ASSERT(object.has_value());
    EXPECT_EQ(co_await read_text((*object)->file()), text);
  }
}

// Every file is a known one or in the pool; and ids that are new are above all that ever were.
io::Task<void> check_no_leftovers(Store& store, Ledger& ledger, std::set<BackingId> before) {
  co_await io::sleep_for(1'000'000'000);  // the refill ends
  auto ids = co_await store.list();
  CO_ASSERT(ids.has_value());
  size_t referenced = 0;
  for (BackingId id : *ids) {
    if (ledger.files.contains(id) || ledger.unsettled.contains(id)) ++referenced;
    if (!before.contains(id)) EXPECT_GT(id, ledger.highest);
  }
  EXPECT_EQ(ids->size(), referenced + store.statistics().scratch_ready);
  for (BackingId id : *ids) ledger.highest = std::max(ledger.highest, id);
}

io::Task<Status> work(Store& store, Ledger& ledger) {
  for (int i = 0; i < 300; ++i) {
    switch (ledger.random.below(4)) {
      case 0:
        CO_TRY(co_await borrow(store, ledger));
        break;
      case 1:
        CO_TRY(co_await remove_file(store, ledger));
        break;
      default:
        CO_TRY(co_await make_file(store, ledger));
    }
  }
  co_return {};
}

io::Task<void> one_life(Store& store, Ledger& ledger, bool check_only) {
  auto found = co_await store.list();
  auto started = co_await store.start(
      [&ledger](BackingId id) { return ledger.files.contains(id) || ledger.unsettled.contains(id); });
  if (check_only) {
    CO_ASSERT(found && started);
    co_await check_files(store, ledger);
    co_await check_no_leftovers(store, ledger, {found->begin(), found->end()});
  } else if (started) {
    (void)co_await work(store, ledger);
  }
  co_await store.stop();
}

void live(io::SimDisk& disk, Ledger& ledger, bool check_only) {
  io::SimReactor reactor({.seed = ledger.random.next()});
  auto store = make_hot_store({disk, "/hot", 8, 32, 4});
  io::run_to_end(reactor, one_life(*store, ledger, check_only));
}

// From the call number `dies_at` on nothing reaches the disk.
io::FaultPlan power_cut(uint64_t dies_at) {
  return [dies_at](const io::SimCallInfo& info) {
    return io::SimFault{.code = info.ordinal >= dies_at ? Code::kIo : Code::kOk};
  };
}

class HotCrashTest : public testing::TestWithParam<uint64_t> {};

TEST_P(HotCrashTest, AcknowledgedFilesSurviveAndNothingElseIsLeft) {
  uint64_t seed = GetParam();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Ledger ledger(seed);
  auto disk = std::make_unique<io::SimDisk>(io::SimDiskOptions{.seed = seed});
  for (int cut = 0; cut < kPowerCuts; ++cut) {
    disk->set_faults(power_cut(disk->calls() + ledger.random.below(3000)));
    live(*disk, ledger, false);
    if (HasFailure()) return;
    disk = disk->crash();
    live(*disk, ledger, true);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, HotCrashTest, testing::Range<uint64_t>(1, kSeeds + 1));

}  // namespace
}  // namespace firn::data
