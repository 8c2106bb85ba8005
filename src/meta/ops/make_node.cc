#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/new_node.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

io::Task<Result<Attr>> attempt(Mutation& m, const Credentials& who, InodeId parent, std::string_view name,
                               const NodeSpec& spec) {
  co_await m.lock({parent});
  Inode* directory = CO_TRY(co_await m.parent(parent));
  CO_TRY(check_search(who, *directory));
  CO_TRY(check_name(name));
  if (CO_TRY(co_await m.dirent(parent, name))) co_return fail(Code::kExists);
  CO_TRY(check_add(who, *directory));
  CO_TRY(check_spec(who, spec));
  co_return co_await add_node(m, who, directory, name, spec);
}

}  // namespace

io::Task<Result<Attr>> LocalService::make_node(const Credentials& who, InodeId parent, std::string_view name,
                                               const NodeSpec& spec) {
  return mutate(*core_, [&who, parent, name, &spec](Mutation& m) { return attempt(m, who, parent, name, spec); });
}

}  // namespace firn::meta
