// Whole blobs on their way from one tier to others.
#pragma once

#include <string>

#include "tier/uploader.h"

namespace firn::tier {

// Reads blobs for tiers that lack them. What it refers to must outlive it.
class BlobReader {
 public:
  BlobReader(const Uploader::Parts& parts, const UploadOptions& options, TierOrder& order)
      : parts_(parts), options_(options), order_(order) {}

  // All of it, verified, from whichever tier has it whole; damage that is met is told. kCorrupt: none has.
  io::Task<Result<std::string>> read(meta::Blob blob, io::CancelToken* token);

 private:
  io::Task<Result<std::string>> read_from(const meta::Blob& blob, const Tier& tier, io::CancelToken* token);
  // Who repairs it gets it from elsewhere, or has the chunks sent again.
  io::Task<void> report_damage(const meta::Blob& blob, size_t tier, Status what);

  const Uploader::Parts& parts_;
  const UploadOptions& options_;
  TierOrder& order_;
};

}  // namespace firn::tier
