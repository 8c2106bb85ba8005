#include "meta/local_service.h"
#include "meta/ops/remove.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

io::Task<Result<Removed>> attempt(Mutation& m, const Credentials& who, InodeId parent, std::string_view name,
                                  const Attr* expected) {
  const auto [directory, victim] = CO_TRY(co_await find_entry(m, who, parent, name));
  CO_TRY(check_version(expected, *victim));
  CO_TRY(check_remove(who, *directory, *victim, true));
  CO_TRY(co_await check_empty(m, *victim));
  victim->attr.nlink = 0;
  victim->attr.ctime = m.now();
  m.update(victim);
  --directory->attr.nlink;
  m.touch(directory);
  m.erase_dirent(parent, name);
  m.note({.kind = EventKind::kRemoved, .inode = victim, .who = &who, .at = {parent, name}});
  CO_TRY(co_await m.commit());
  co_return Removed{victim->attr};
}

}  // namespace

io::Task<Result<Removed>> LocalService::rmdir(const Credentials& who, InodeId parent, std::string_view name,
                                              const Attr* expected) {
  return mutate(*core_,
                [&who, parent, name, expected](Mutation& m) { return attempt(m, who, parent, name, expected); });
}

}  // namespace firn::meta
