#include "meta/core.h"
#include "meta/local_service.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

// Both records from one snapshot, past the caches: what they say about each other is true.
io::Task<Result<Attr>> lookup_consistently(Core& core, InodeId parent, std::string_view name) {
  const auto transaction = core.engine.begin();
  const auto found = CO_TRY(co_await core.load_dirent(*transaction, parent, name, kv::Isolation::kSnapshot));
  if (!found) co_return fail(Code::kNotFound);
  const Result<Inode> inode = co_await core.load_inode(*transaction, found->inode, kv::Isolation::kSnapshot);
  if (inode) co_return inode->attr;
  if (inode.error().code() != Code::kStale) co_return fail(inode.error());
  co_return fail(Code::kCorrupt, "directory entry in inode " + std::to_string(parent.value) +
                                     " names the missing inode " + std::to_string(found->inode.value));
}

io::Task<Result<void>> check_parent(Core& core, const Credentials& who, InodeId parent) {
  const Result<Inode> directory = co_await core.read_inode(parent);
  if (!directory)
    co_return fail(directory.error().code() == Code::kStale ? Status(Code::kNotFound) : directory.error());
  CO_TRY(check_search(who, *directory));
  co_return {};
}

}  // namespace

io::Task<Result<Attr>> LocalService::lookup(const Credentials& who, InodeId parent, std::string_view name) {
  // A kernel that checks access has walked through the parent already.
  if (!who.kernel_checked) CO_TRY(co_await check_parent(*core_, who, parent));
  CO_TRY(check_name(name));
  const auto found = CO_TRY(co_await core_->read_dirent(parent, name));
  if (!found) co_return fail(Code::kNotFound);
  const Result<Inode> inode = co_await core_->read_inode(found->inode);
  if (inode) co_return inode->attr;
  // Removed between the two reads, or a broken volume.
  if (inode.error().code() == Code::kStale) co_return co_await lookup_consistently(*core_, parent, name);
  co_return fail(inode.error());
}

}  // namespace firn::meta
