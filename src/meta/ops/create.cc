#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/new_node.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

struct Request {
  const Credentials& who;
  InodeId parent;
  std::string_view name;
  const NodeSpec& spec;
  bool exclusive;
};

// What the name names already. A name cannot lose its inode while its directory is locked.
io::Task<Result<Created>> existing(Mutation& m, InodeId id) {
  Result<Inode> inode = co_await m.core().read_inode(id);
  if (!inode && inode.error().code() == Code::kStale)
    co_return fail(Code::kCorrupt, "a directory entry names the missing inode " + std::to_string(id.value));
  co_return Created{.attr = CO_TRY(std::move(inode)).attr, .existed = true};
}

io::Task<Result<Created>> attempt(Mutation& m, const Request& request) {
  const auto& [who, parent, name, spec, exclusive] = request;
  co_await m.lock({parent});
  Inode* directory = CO_TRY(co_await m.parent(parent));
  CO_TRY(check_search(who, *directory));
  CO_TRY(check_name(name));
  if (const auto found = CO_TRY(co_await m.dirent(parent, name))) {
    if (exclusive) co_return fail(Code::kExists);
    co_return co_await existing(m, found->inode);
  }
  CO_TRY(check_add(who, *directory));
  co_return Created{.attr = CO_TRY(co_await add_node(m, who, directory, name, spec))};
}

}  // namespace

io::Task<Result<Created>> LocalService::create(const Credentials& who, InodeId parent, std::string_view name,
                                               const NodeSpec& spec, bool exclusive) {
  const Request request{who, parent, name, spec, exclusive};
  return mutate(*core_, [request](Mutation& m) { return attempt(m, request); });
}

}  // namespace firn::meta
