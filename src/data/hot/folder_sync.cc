#include "data/hot/folder_sync.h"

namespace firn::data::internal {

io::Task<Result<void>> FolderSync::sync(unsigned folder, uint64_t ticket) {
  if (is_durable(folder, ticket)) co_return {};
  Folder& state = folders_[folder];
  auto guard = co_await state.syncing.lock();
  if (is_durable(folder, ticket)) co_return {};
  // Everything issued by now is in the folder, so this one sync covers it too.
  uint64_t covered = state.issued.load();
  CO_TRY(co_await disk_.sync_directory(folder_path(root_, folder)));
  state.synced.store(covered);
  co_return {};
}

}  // namespace firn::data::internal
