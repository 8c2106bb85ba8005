#include "cli/shipping.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/log.h"
#include "io/reactor.h"
#include "tier/metadata/shipped_engine.h"

namespace firn::cli {

namespace {

constexpr int64_t kFirstRetryNs = 1'000'000'000, kLongestRetryNs = 60'000'000'000;
constexpr int64_t kReleaseNs = 30'000'000'000;
constexpr int64_t kTellNs = 10'000'000'000;  // a person waits, and had better see what is wrong

}  // namespace

void Shipping::start(kv::Engine& engine) {
  engine_ = &engine;
  io::detach(attach(gate_.enter()));
}

io::Task<Result<std::unique_ptr<kv::Engine>>> Shipping::open(tier::MakeRestoreTarget make_target, bool rewinds) {
  const uint64_t newest = CO_TRY(co_await tier::newest_root(options_.bucket, 0, &stopping_));
  if (newest == 0)
    co_return fail(Code::kNotFound, options_.bucket.store.describe() +
                                        ": the volume was never made whole; run firn init again where it was begun, or "
                                        "remove what is there");
  if (options_.check_store) CO_TRY(co_await options_.check_store(&stopping_));
  tier::OpenedVolume opened = CO_TRY(co_await tier::open_volume(options_.bucket, std::move(make_target),
                                                                {.take_over = {.volume = options_.volume_id,
                                                                               .database = options_.database,
                                                                               .own_database = options_.own_database,
                                                                               .lease_ns = options_.lease_ns,
                                                                               .root_hint = newest},
                                                                 .rewinds = rewinds,
                                                                 .gap_advice = kRewindAdvice},
                                                                &stopping_));
  note_given_up(opened.restored);
  const int64_t others_until_ns = opened.held.others_until_ns;
  const int64_t wait_ns = others_until_ns - io::Reactor::current()->clock().elapsed_ns();
  if (others_until_ns != 0 && wait_ns > 0) {
    log::info("waiting for {:.1f} s: who served the volume before may not know yet that it is taken over",
              static_cast<double>(wait_ns) / 1e9);
    (void)co_await io::sleep_for(wait_ns, &stopping_);
  }
  const tier::StartFrom from = opened.start_from();
  auto shipper = make_shipper(std::move(opened.held), options_.ship.ack_timeout_ns);
  shipper->start(*opened.restored.engine->shipping(), from);
  auto engine = std::make_unique<tier::ShippedEngine>(std::move(opened.restored.engine), *shipper);
  if (from == tier::StartFrom::kDatabase) CO_TRY(co_await put_root(*shipper, *engine));
  engine_ = engine.get();
  tried_.set();
  std::lock_guard lock(mutex_);
  shipper_ = std::move(shipper);
  failure_ = Status();
  co_return engine;
}

void Shipping::note_given_up(const tier::Restored& restored) {
  if (restored.position.at_break)
    log::warning("{}: the log of the metadata was broken off at {}, and goes on from what is before that",
                 options_.bucket.store.describe(), tier::log_key(restored.position.next_log));
  if (restored.given_up.ok()) return;
  given_up_ = fmt::format("went back to the state before {}: {}; what was committed after it is given up",
                          tier::log_key(restored.position.next_log), restored.given_up.message());
  log::warning("{}: {}", options_.bucket.store.describe(), given_up_);
}

io::Task<Result<void>> Shipping::put_root(tier::MetadataShipper& shipper, kv::Engine& engine) {
  const Result<void> shipped = co_await shipper.ship_through(engine.last_version());
  if (shipped) co_return shipped;
  co_await shipper.close();
  (void)co_await engine.close();
  co_return shipped;
}

std::unique_ptr<tier::MetadataShipper> Shipping::make_shipper(tier::Writership held, int64_t ack_timeout_ns) {
  tier::ShipOptions ship = options_.ship;
  ship.database = options_.database;
  ship.ack_timeout_ns = ack_timeout_ns;
  ship.on_fenced = [this](const Status& why) { note(why); };
  return std::make_unique<tier::MetadataShipper>(options_.bucket, std::move(held), std::move(ship));
}

tier::MetadataShipper* Shipping::shipper() const {
  std::lock_guard lock(mutex_);
  return shipper_.get();
}

void Shipping::note(Status failure) {
  std::lock_guard lock(mutex_);
  if (failure == Code::kNotPermitted && fenced_.ok()) {
    fenced_ = failure;
    log::error("{}; this daemon puts nothing there any more", failure.to_string());
    if (options_.on_lost) options_.on_lost();
  } else if (failure_.message() != failure.message() && !failure.ok()) {
    log::warning("metadata cannot be shipped yet: {}", failure.to_string());
  }
  failure_ = std::move(failure);
}

io::Task<Result<void>> Shipping::try_attach() {
  if (options_.check_store) CO_TRY(co_await options_.check_store(&stopping_));
  tier::Writership held = CO_TRY(co_await tier::take_over(
      options_.bucket,
      {.volume = options_.volume_id, .database = options_.database, .from_others = false, .passes_damaged_root = true},
      &stopping_));
  const Status damaged_root = held.damaged_root;
  auto shipper = make_shipper(std::move(held), kTellNs);
  shipper->start(*engine_->shipping(), tier::StartFrom::kDatabase);
  if (!damaged_root.ok())
    log::error("the newest root of the metadata in the bucket is damaged; a new one is sent, with everything: {}",
               damaged_root.to_string());
  std::lock_guard lock(mutex_);
  shipper_ = std::move(shipper);
  failure_ = Status();
  if (!damaged_root.ok()) ++damaged_objects_;  // until a scrub finds nothing
  co_return Result<void>();
}

io::Task<void> Shipping::attach(io::Gate::Entry) {
  for (int64_t wait_ns = kFirstRetryNs;; wait_ns = std::min(2 * wait_ns, kLongestRetryNs)) {
    const Result<void> attached = co_await try_attach();
    if (!attached && !stopping_.cancelled()) note(attached.error());
    tried_.set();
    if (attached || stopping_.cancelled()) co_return;
    if (attached.error() == Code::kNotPermitted) co_return;
    // Where it is not the line, somebody may mend it.
    if (attached.error() == Code::kCorrupt || attached.error() == Code::kNotSupported) wait_ns = kLongestRetryNs;
    if (!co_await io::sleep_for(wait_ns, &stopping_)) co_return;
  }
}

io::Task<Result<void>> Shipping::stop() {
  stopping_.cancel();
  co_await gate_.close();
  tier::MetadataShipper* const running = shipper();
  if (running == nullptr) co_return Result<void>();
  const Result<void> released = co_await running->release(kReleaseNs);
  if (!released) log::warning("the bucket lacks the newest metadata: {}", released.error().to_string());
  co_return released;
}

io::Task<void> Shipping::abandon_readers() {
  if (tier::MetadataShipper* const running = shipper()) co_await running->lease().close();
}

io::Task<Result<void>> Shipping::ship() {
  co_await tried_.wait();
  tier::MetadataShipper* const running = shipper();
  if (running) co_return co_await running->ship_through(engine_->last_version());
  std::lock_guard lock(mutex_);
  co_return fail(failure_);
}

io::Task<Result<Timestamp>> Shipping::removable_until(bool ship_first) {
  if (ship_first) CO_TRY(co_await this->ship());
  tier::MetadataShipper* const running = shipper();
  if (running) co_return co_await running->removable_until();
  co_return Timestamp{std::numeric_limits<int64_t>::max(), 0};  // a dry run, and the bucket has not answered yet
}

io::Task<Result<tier::MetadataReport>> Shipping::scrub(uint64_t bytes_per_s,
                                                       std::function<void(uint64_t bytes)> progress,
                                                       io::CancelToken* token) {
  co_await tried_.wait();
  tier::MetadataShipper* const running = shipper();
  if (running == nullptr) {
    std::lock_guard lock(mutex_);
    co_return fail(failure_);
  }
  tier::Pace pace(bytes_per_s);
  const tier::ShipStatus now = running->status();
  tier::CheckMetadataOptions check{
      .root_hint = now.root, .log_end = now.next_log, .pace = &pace, .progress = std::move(progress)};
  tier::MetadataReport report = CO_TRY(co_await tier::check_metadata(options_.bucket, check, token));
  if (report.clean()) {
    std::lock_guard lock(mutex_);
    repaired_objects_ = damaged_objects_;
    co_return report;
  }
  std::vector<tier::TableRef> tables;
  bool root_is_gone = false;
  for (const tier::MetadataDamage& damage : report.damage) {
    if (damage.table.number != 0) tables.push_back(damage.table);
    root_is_gone |= damage.object == tier::root_key(report.root) && damage.what == Code::kNotFound;
  }
  const Result<uint64_t> root = co_await running->replace(std::move(tables), root_is_gone, token);
  if (!root && !(token != nullptr && token->cancelled()))
    log::error("metadata in the bucket is damaged and cannot be sent again: {}", root.error().to_string());
  bool mended = false;
  if (root) {
    check.root_hint = *root;
    const Result<tier::MetadataReport> again = co_await tier::check_metadata(options_.bucket, check, token);
    mended = again && again->clean();
  }
  for (tier::MetadataDamage& damage : report.damage) damage.repaired = mended;
  std::lock_guard lock(mutex_);
  damaged_objects_ += report.damage.size();
  if (mended) repaired_objects_ = damaged_objects_;
  co_return report;
}

Status Shipping::permitted() const {
  std::lock_guard lock(mutex_);
  return fenced_;
}

Shipping::Report Shipping::report() const {
  std::lock_guard lock(mutex_);
  Report report{.attached = shipper_ != nullptr,
                .failure = failure_,
                .damaged_objects = damaged_objects_,
                .repaired_objects = repaired_objects_};
  if (shipper_) report.status = shipper_->status();
  return report;
}

}  // namespace firn::cli
