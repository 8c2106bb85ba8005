// Who may do what: a table of operations against owners and modes, as an ordinary user, without the kernel's help.
#include "meta/permissions.h"

#include <unistd.h>

#include "meta/testing/fixture.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT

FIRN_META_SUITE(Permissions);

constexpr uint32_t kMe = 5, kGroup = 50, kOther = 6;

// What there is before each case: `d`, a directory of the given owner and mode, holding file `f`, empty directory `e`.
struct Place {
  uint32_t uid, gid, mode;
  uint32_t file_uid = kOther;
};

using Operation = Code (*)(Volume&, InodeId directory, const Credentials&);

struct Case {
  const char* what;
  Operation operation;
  Place place;
  Code wanted;
};

Code make(Volume& v, InodeId d, const Credentials& who) { return v.make_code(d, "new", regular(), who); }
Code make_existing(Volume& v, InodeId d, const Credentials& who) { return v.make_code(d, "f", regular(), who); }
Code look(Volume& v, InodeId d, const Credentials& who) { return v.lookup_code(d, "f", who); }
Code remove(Volume& v, InodeId d, const Credentials& who) { return v.unlink(d, "f", who); }
Code remove_dir(Volume& v, InodeId d, const Credentials& who) { return v.rmdir(d, "e", who); }
Code move(Volume& v, InodeId d, const Credentials& who) { return v.rename(d, "f", d, "g", {}, who); }
Code replace(Volume& v, InodeId d, const Credentials& who) { return v.rename(d, "mine", d, "f", {}, who); }
Code link_here(Volume& v, InodeId d, const Credentials& who) { return v.link(v.lookup(d, "f").inode, d, "l", who); }
Code chmod_file(Volume& v, InodeId d, const Credentials& who) {
  return v.setattr(v.lookup(d, "f").inode, {.mode = 0600}, who);
}
Code chown_file(Volume& v, InodeId d, const Credentials& who) {
  return v.setattr(v.lookup(d, "f").inode, {.uid = kMe}, who);
}
Code chgrp_file(Volume& v, InodeId d, const Credentials& who) {
  return v.setattr(v.lookup(d, "f").inode, {.gid = kGroup}, who);
}
Code chgrp_foreign(Volume& v, InodeId d, const Credentials& who) {
  return v.setattr(v.lookup(d, "f").inode, {.gid = 999}, who);
}
Code touch_now(Volume& v, InodeId d, const Credentials& who) {
  return v.setattr(v.lookup(d, "f").inode, {.atime_now = true, .mtime_now = true}, who);
}
Code touch_one_now(Volume& v, InodeId d, const Credentials& who) {
  return v.setattr(v.lookup(d, "f").inode, {.mtime_now = true}, who);
}
Code set_times(Volume& v, InodeId d, const Credentials& who) {
  return v.setattr(v.lookup(d, "f").inode, {.atime = Timestamp{1, 0}, .mtime = Timestamp{1, 0}}, who);
}

constexpr Code kOk = Code::kOk, kDenied = Code::kAccessDenied, kPerm = Code::kNotPermitted;

const Case kCases[] = {
    {"owner creates", make, {kMe, 0, 0700}, kOk},
    {"group creates", make, {0, kGroup, 0770}, kOk},
    {"other creates", make, {0, 0, 0707}, kOk},
    {"owner without w", make, {kMe, 0, 0577}, kDenied},
    {"owner without x", make, {kMe, 0, 0677}, kDenied},
    {"group bits bind the group", make, {0, kGroup, 0707}, kDenied},
    {"other without w", make, {0, 0, 0775}, kDenied},
    {"existing name before write permission", make_existing, {0, 0, 0755}, Code::kExists},
    {"search before existing name", make_existing, {0, 0, 0766}, kDenied},
    {"lookup needs x only", look, {0, 0, 0711}, kOk},
    {"lookup without x", look, {0, 0, 0766}, kDenied},
    {"unlink by writer", remove, {0, 0, 0777}, kOk},
    {"unlink without w", remove, {0, 0, 0755}, kDenied},
    {"unlink without x", remove, {0, 0, 0722}, kDenied},
    {"rmdir without w", remove_dir, {0, 0, 0755}, kDenied},
    {"rmdir by writer", remove_dir, {0, 0, 0777}, kOk},
    {"sticky: not mine", remove, {0, 0, 01777}, kPerm},
    {"sticky: my file", remove, {0, 0, 01777, kMe}, kOk},
    {"sticky: my directory", remove, {kMe, 0, 01777}, kOk},
    {"sticky rmdir: not mine", remove_dir, {0, 0, 01777}, kPerm},
    {"sticky: write permission comes first", remove, {0, 0, 01755}, kDenied},
    {"sticky rename: not mine", move, {0, 0, 01777}, kPerm},
    {"sticky replace: not mine", replace, {0, 0, 01777}, kPerm},
    {"replace by writer", replace, {0, 0, 0777}, kOk},
    {"rename without w", move, {0, 0, 0755}, kDenied},
    {"link without w", link_here, {0, 0, 0755}, kDenied},
    {"link by writer", link_here, {0, 0, 0777}, kOk},
    {"chmod by owner", chmod_file, {0, 0, 0755, kMe}, kOk},
    {"chmod by other", chmod_file, {0, 0, 0777}, kPerm},
    {"chown to myself, mine already", chown_file, {0, 0, 0755, kMe}, kOk},
    {"chown of another's", chown_file, {0, 0, 0777}, kPerm},
    {"chgrp to my group", chgrp_file, {0, 0, 0755, kMe}, kOk},
    {"chgrp to a foreign group", chgrp_foreign, {0, 0, 0755, kMe}, kPerm},
    {"chgrp of another's", chgrp_file, {0, 0, 0777}, kPerm},
    {"touch by owner", touch_now, {0, 0, 0755, kMe}, kOk},
    {"touch without w", touch_now, {0, 0, 0777}, kDenied},
    {"one time now is the owner's", touch_one_now, {0, 0, 0777}, kPerm},
    {"times by owner", set_times, {0, 0, 0755, kMe}, kOk},
    {"times by other", set_times, {0, 0, 0777}, kPerm},
};

InodeId prepare(Volume& v, const Place& place, const std::string& name) {
  const InodeId d = v.mkdir(kRootInode, name, 0777).inode;
  for (const char* file : {"f", "mine"}) v.file(d, file, 0644);
  v.mkdir(d, "e");
  v.set(v.lookup(d, "f").inode, {.uid = place.file_uid, .gid = kOther});
  v.set(v.lookup(d, "e").inode, {.uid = place.file_uid});
  v.set(v.lookup(d, "mine").inode, {.uid = kMe});
  v.set(d, {.uid = place.uid, .gid = place.gid});
  v.chmod(d, place.mode);
  return d;
}

TEST_P(Permissions, Table) {
  const Credentials me = user(kMe, 55, {kGroup});
  int number = 0;
  for (const Case& c : kCases) {
    const InodeId d = prepare(v(), c.place, "d" + std::to_string(number++));
    EXPECT_EQ(code_name(c.operation(v(), d, me)), code_name(c.wanted)) << c.what;
  }
}

TEST_P(Permissions, RootMayAll) {
  int number = 0;
  for (const Case& c : kCases) {
    const InodeId d = prepare(v(), c.place, "d" + std::to_string(number++));
    const Code wanted = c.operation == make_existing ? Code::kExists : kOk;
    EXPECT_EQ(code_name(c.operation(v(), d, root())), code_name(wanted)) << c.what;
  }
}

TEST_P(Permissions, WhatTheKernelCheckedIsNotCheckedAgain) {
  const Credentials me = through_kernel(user(kMe, 55));
  int number = 0;
  for (const Case& c : kCases) {
    const InodeId d = prepare(v(), c.place, "d" + std::to_string(number++));
    const Code wanted = c.operation == make_existing ? Code::kExists : kOk;
    EXPECT_EQ(code_name(c.operation(v(), d, me)), code_name(wanted)) << c.what;
  }
}

TEST(PermissionBits, EveryModeForEveryClass) {
  Inode inode;
  inode.attr.uid = kMe;
  inode.attr.gid = kGroup;
  for (uint32_t mode = 0; mode <= 0777; ++mode) {
    inode.attr.mode = mode;
    for (int mask = 0; mask <= 7; ++mask) {
      const auto bits = uint32_t(mask);
      EXPECT_EQ(permits(user(kMe, kGroup), inode, mask), ((mode >> 6) & bits) == bits);
      EXPECT_EQ(permits(user(7, 1, {kGroup}), inode, mask), ((mode >> 3) & bits) == bits);
      EXPECT_EQ(permits(user(7, 1), inode, mask), (mode & bits) == bits);
      EXPECT_EQ(permits(root(), inode, mask), !(mask & X_OK) || (mode & 0111));
    }
  }
}

TEST(PermissionBits, SetIdsAreTakenAway) {
  EXPECT_EQ(without_set_ids(06755), 0755u);
  EXPECT_EQ(without_set_ids(06745), 02745u);  // setgid without group execute asks for mandatory locking
  EXPECT_EQ(without_set_ids(01777), 01777u);
}

}  // namespace
}  // namespace firn::meta
