#include "tier/uploader.h"

#include "tier/upload_pass.h"

namespace firn::tier {

Uploader::Uploader(Parts parts, UploadOptions options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      hydrator_({parts_.meta, parts_.tiering, parts_.pool, parts_.tiers}, {.chunk_bytes = options_.chunk_bytes,
                                                                           .key = options_.key,
                                                                           .readahead = {.cache_bytes = 0},
                                                                           .on_damage = options_.on_damage}) {}

io::Task<Result<UploadSummary>> Uploader::pass(io::CancelToken* token, UploadLimits limits) {
  UploadPass one(parts_, options_, memory_, hydrator_, token);
  one.keep_to(std::move(limits));
  co_return co_await one.run();
}

io::Task<Result<UploadSummary>> Uploader::upload(InodeId inode, io::CancelToken* token) {
  UploadPass one(parts_, options_, memory_, hydrator_, token);
  UploadSummary summary = CO_TRY(co_await one.run_for(inode));
  if (summary.first_failure == Code::kStale) co_return fail(Code::kConflict, summary.first_failure.message());
  if (!summary.first_failure.ok()) co_return fail(summary.first_failure);
  if (summary.outdated > 0) co_return fail(Code::kConflict, "the file was changed while it was uploaded");
  co_return summary;
}

}  // namespace firn::tier
