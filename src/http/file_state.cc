#include "http/file_state.h"

#include "io/reactor.h"

namespace firn::http {

io::Task<Result<FileState>> state_of(vfs::Volume& volume, InodeId inode) {
  constexpr int kTries = 3;
  FileState state;
  for (int tries = 0; tries < kTries; ++tries) {
    if (tries > 0) co_await io::sleep_for(kTickNs);
    state.attr = CO_TRY(co_await volume.getattr(inode));
    state.seen = io::Reactor::current()->clock().now();
    state.settled = state.attr.type != meta::FileType::kRegular || is_settled(state.attr, state.seen);
    if (state.settled) break;
  }
  co_return state;
}

io::Task<Result<void>> mark_changed(vfs::Volume& volume, vfs::Handle* handle, vfs::DoorId door) {
  const meta::Credentials nobody_else{.door = door};  // whoever may write may have the time of it set
  const vfs::Change change{.attributes = {.mtime_now = true}};
  CO_TRY(co_await volume.setattr(nobody_else, vfs::Volume::inode_of(handle), change, handle));
  co_return Result<void>();
}

Response failed_condition() { return problem(412, "a condition of the request does not hold for what is there now"); }

}  // namespace firn::http
