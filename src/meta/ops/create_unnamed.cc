#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/new_node.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

io::Task<Result<Attr>> attempt(Mutation& m, const Credentials& who, InodeId parent, const NodeSpec& spec) {
  co_await m.lock({parent});
  Inode* directory = CO_TRY(co_await m.parent(parent));
  if (!directory->is_directory()) co_return fail(Code::kNotDirectory);
  CO_TRY(check_add(who, *directory));
  if (spec.type != FileType::kRegular) co_return fail(Code::kInvalid);
  const InodeId id = CO_TRY(co_await m.core().numbers.next());
  Inode* added = m.add(make_inode(who, *directory, id, spec, m.now()));
  added->attr.nlink = 0;
  added->unnamed = true;
  stamp_session(m.core(), added->attr.content);
  CO_TRY(apply_likeness(m, who, spec, *added));
  CO_TRY(co_await m.commit());
  co_return added->attr;
}

}  // namespace

io::Task<Result<Attr>> LocalService::create_unnamed(const Credentials& who, InodeId parent, const NodeSpec& spec) {
  return mutate(*core_, [&who, parent, &spec](Mutation& m) { return attempt(m, who, parent, spec); });
}

}  // namespace firn::meta
