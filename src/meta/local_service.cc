#include "meta/local_service.h"

#include "meta/core.h"

namespace firn::meta {

LocalService::LocalService(kv::Engine& engine, const Options& options)
    : core_(std::make_unique<Core>(engine, options)) {}

LocalService::~LocalService() = default;

kv::Version LocalService::last_version() const { return core_->engine.last_version(); }

io::Task<Result<void>> LocalService::sync(kv::Version version) { return core_->engine.sync(version); }

Result<void> LocalService::flush_to_os() { return core_->engine.flush_to_os(); }

}  // namespace firn::meta
