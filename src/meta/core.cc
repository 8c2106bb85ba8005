#include "meta/core.h"

#include "meta/keys.h"
#include "meta/records.h"

namespace firn::meta {

io::Task<Result<Inode>> Core::load_inode(kv::Transaction& transaction, InodeId id, kv::Isolation isolation) {
  const Key key = inode_key(id);
  const auto stored = CO_TRY(co_await transaction.get(key, isolation));
  if (!stored) co_return fail(Code::kStale);
  Inode inode = CO_TRY(decode_inode(id, *stored));
  forget_foreign_backing(inode, options.hot_id, options.journals_inline);
  co_return inode;
}

io::Task<Result<std::optional<Dirent>>> Core::load_dirent(kv::Transaction& transaction, InodeId parent,
                                                          std::string_view name, kv::Isolation isolation) {
  const Key key = dirent_key(parent, name);
  const auto stored = CO_TRY(co_await transaction.get(key, isolation));
  if (!stored) co_return std::nullopt;
  co_return CO_TRY(decode_dirent(*stored));
}

io::Task<Result<Inode>> Core::read_inode(InodeId id) {
  if (auto cached = inodes.find(id)) co_return *std::move(cached);
  const auto ticket = inodes.ticket(id);
  const auto transaction = engine.begin();
  Inode inode = CO_TRY(co_await load_inode(*transaction, id, kv::Isolation::kSnapshot));
  inodes.fill(inode, ticket);
  co_return inode;
}

io::Task<Result<std::optional<Dirent>>> Core::read_dirent(InodeId parent, std::string_view name) {
  if (const auto cached = dirents.find(parent, name)) co_return cached->inode ? std::optional(*cached) : std::nullopt;
  const auto ticket = dirents.ticket(parent, name);
  const auto transaction = engine.begin();
  const auto found = CO_TRY(co_await load_dirent(*transaction, parent, name, kv::Isolation::kSnapshot));
  dirents.fill(parent, name, found.value_or(Dirent{}), ticket);
  co_return found;
}

}  // namespace firn::meta
