#include "cli/shipping.h"

#include <algorithm>

#include "base/log.h"
#include "io/reactor.h"

namespace firn::cli {

namespace {

constexpr int64_t kFirstRetryNs = 1'000'000'000, kLongestRetryNs = 60'000'000'000;
constexpr int64_t kReleaseNs = 30'000'000'000;

}  // namespace

void Shipping::start() { io::detach(attach(gate_.enter())); }

tier::MetadataShipper* Shipping::shipper() const {
  std::lock_guard lock(mutex_);
  return shipper_.get();
}

void Shipping::note(Status failure) {
  std::lock_guard lock(mutex_);
  if (failure == Code::kNotPermitted && fenced_.ok()) {
    fenced_ = failure;
    log::error("{}; this daemon puts nothing there any more", failure.to_string());
  } else if (failure_.message() != failure.message() && !failure.ok()) {
    log::warning("metadata cannot be shipped yet: {}", failure.to_string());
  }
  failure_ = std::move(failure);
}

io::Task<Result<void>> Shipping::try_attach() {
  tier::Writership held = CO_TRY(co_await tier::take_over(
      options_.bucket, {.volume = options_.volume_id, .database = options_.database, .from_others = false},
      &stopping_));
  tier::ShipOptions ship = options_.ship;
  ship.database = options_.database;
  ship.on_fenced = [this](const Status& why) { note(why); };
  auto shipper = std::make_unique<tier::MetadataShipper>(options_.bucket, std::move(held), std::move(ship));
  kv::ShippingSource* source = engine_.shipping();
  shipper->start(*source, tier::StartFrom::kDatabase);
  std::lock_guard lock(mutex_);
  shipper_ = std::move(shipper);
  failure_ = Status();
  co_return Result<void>();
}

io::Task<void> Shipping::attach(io::Gate::Entry) {
  for (int64_t wait_ns = kFirstRetryNs;; wait_ns = std::min(2 * wait_ns, kLongestRetryNs)) {
    const Result<void> attached = co_await try_attach();
    if (attached || stopping_.cancelled()) co_return;
    note(attached.error());
    if (attached.error() == Code::kNotPermitted || attached.error() == Code::kCorrupt) co_return;
    if (!co_await io::sleep_for(wait_ns, &stopping_)) co_return;
  }
}

io::Task<void> Shipping::stop() {
  stopping_.cancel();
  co_await gate_.close();
  tier::MetadataShipper* const running = shipper();
  if (running == nullptr) co_return;
  const Result<void> released = co_await running->release(kReleaseNs);
  if (!released) log::warning("the bucket lacks the newest metadata: {}", released.error().to_string());
}

io::Task<Result<void>> Shipping::ship() {
  tier::MetadataShipper* const running = shipper();
  if (running) co_return co_await running->ship_through(engine_.last_version());
  std::lock_guard lock(mutex_);
  co_return fail(failure_);
}

Status Shipping::permitted() const {
  std::lock_guard lock(mutex_);
  return fenced_;
}

Shipping::Report Shipping::report() const {
  std::lock_guard lock(mutex_);
  Report report{.attached = shipper_ != nullptr, .failure = failure_};
  if (shipper_) report.status = shipper_->status();
  return report;
}

}  // namespace firn::cli
