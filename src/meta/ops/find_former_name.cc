#include "meta/core.h"
#include "meta/event_log.h"
#include "meta/local_service.h"

namespace firn::meta {

io::Task<Result<std::optional<std::string>>> LocalService::find_former_name(
    InodeId directory, std::function<bool(std::string_view)> is_it) {
  EventLog* const events = core_->options.events;
  if (events == nullptr) co_return std::nullopt;
  co_return co_await events->find_former_name(directory, std::move(is_it));
}

}  // namespace firn::meta
