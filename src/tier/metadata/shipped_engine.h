// ShippedEngine: an engine whose commits are durable when they are in the bucket.
#pragma once

#include <memory>

#include "kv/kv.h"
#include "tier/metadata/shipper.h"

namespace firn::tier {

// sync() waits for the bucket. Commits wait while too much is queued for it. Once somebody else has taken over the
// volume everything but reading fails with kNotPermitted; reading does, too, unless a read was under way.
// The inner engine usually has no log of its own (kv::RocksdbOptions::logged).
class ShippedEngine final : public kv::Engine {
 public:
  // `shipper` has been started with inner's source. Release or close it, then close this; it must outlive this.
  ShippedEngine(std::unique_ptr<kv::Engine> inner, MetadataShipper& shipper)
      : inner_(std::move(inner)), shipper_(shipper) {}

  std::unique_ptr<kv::Transaction> begin() override;
  io::Task<Result<void>> sync(kv::Version version) override;
  kv::Version last_version() const override { return inner_->last_version(); }
  kv::Version synced_version() const override { return shipper_.shipped(); }
  Result<void> flush_to_os() override { return inner_->flush_to_os(); }
  Result<void> discard(kv::Range range) override { return inner_->discard(std::move(range)); }
  std::vector<std::pair<std::string, std::string>> statistics() const override;
  uint64_t disk_bytes() const override { return inner_->disk_bytes(); }
  io::Task<Result<void>> close() override { return inner_->close(); }

 private:
  const std::unique_ptr<kv::Engine> inner_;
  MetadataShipper& shipper_;
};

}  // namespace firn::tier
