#include "meta/inode.h"

namespace firn::meta {

void Inode::set_extra(std::string Extras::* field, std::string value) {
  auto next = std::make_shared<Extras>(get());
  (*next).*field = std::move(value);
  const bool empty = next->target.empty() && next->access_acl.empty() && next->default_acl.empty();
  extras = empty ? nullptr : std::shared_ptr<const Extras>(std::move(next));
}

}  // namespace firn::meta
