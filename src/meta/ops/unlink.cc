#include "meta/local_service.h"
#include "meta/ops/remove.h"
#include "meta/permissions.h"

namespace firn::meta {

namespace {

struct Request {
  const Credentials& who;
  InodeId parent;
  std::string_view name;
  UnlinkOptions options;
};

io::Task<Result<Removed>> attempt(Mutation& m, const Request& request) {
  const auto& [who, parent, name, options] = request;
  const auto [directory, victim] = CO_TRY(co_await find_entry(m, who, parent, name));
  CO_TRY(check_version(options.expected, *victim));
  CO_TRY(check_remove(who, *directory, *victim, false));
  if (victim->attr.nlink > 0) --victim->attr.nlink;
  victim->attr.ctime = m.now();
  victim->unname(parent, name);
  // A file that colder tiers know may have more records than one transaction should remove.
  const bool reclaimed =
      victim->attr.nlink == 0 && victim->attr.inode == options.unheld && victim->attr.content.generation == 0;
  if (reclaimed) {
    CO_TRY(co_await erase_records(m, victim));
  } else {
    m.update(victim);
  }
  m.touch(directory);
  m.erase_dirent(parent, name);
  m.note({.kind = EventKind::kRemoved, .inode = victim, .who = &who, .at = {parent, name}});
  CO_TRY(co_await m.commit());
  co_return Removed{victim->attr, reclaimed};
}

}  // namespace

io::Task<Result<Removed>> LocalService::unlink(const Credentials& who, InodeId parent, std::string_view name,
                                               UnlinkOptions options) {
  const Request request{who, parent, name, options};
  return mutate(*core_, [request](Mutation& m) { return attempt(m, request); });
}

}  // namespace firn::meta
