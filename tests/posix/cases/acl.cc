// POSIX ACLs, in the kernel's xattr representation (version 2, little-endian entries of tag, permissions, id).
#include <sys/xattr.h>

#include "fs.h"

namespace firn::posix {
namespace {

enum Tag : uint16_t { kUserObj = 1, kUser_ = 2, kGroupObj = 4, kGroup_ = 8, kMask = 16, kOther = 32 };

struct Entry {
  Tag tag;
  uint16_t permissions;
  uint32_t id = 0xffffffff;
  bool operator==(const Entry&) const = default;
};
using Acl = std::vector<Entry>;

void put(std::string& text, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
}

uint32_t take(const std::string& text, size_t at, size_t bytes) {
  uint32_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(text[at + i]);
  return value;
}

std::string encode(const Acl& acl) {
  std::string text;
  put(text, 2, 4);
  for (const Entry& entry : acl) {
    put(text, entry.tag, 2);
    put(text, entry.permissions, 2);
    put(text, entry.id, 4);
  }
  return text;
}

constexpr char kAccess[] = "system.posix_acl_access";
constexpr char kDefault[] = "system.posix_acl_default";

int set_acl(const std::string& path, const Acl& acl, const char* name = kAccess) {
  const std::string text = encode(acl);
  return setxattr(path.c_str(), name, text.data(), text.size(), 0);
}

Acl get_acl(const std::string& path, const char* name = kAccess) {
  std::string text(4096, '\0');
  const ssize_t n = OK(getxattr(path.c_str(), name, text.data(), text.size()));
  Acl acl;
  for (size_t at = 4; n > 0 && at + 8 <= static_cast<size_t>(n); at += 8) {
    acl.push_back(
        {static_cast<Tag>(take(text, at, 2)), static_cast<uint16_t>(take(text, at + 2, 2)), take(text, at + 4, 4)});
  }
  return acl;
}

bool has_acl(const std::string& path, const char* name = kAccess) {
  return getxattr(path.c_str(), name, nullptr, 0) >= 0;
}

bool unsupported() {
  spit("probe");
  const bool refused = set_acl("probe", {{kUserObj, 6}, {kGroupObj, 4}, {kOther, 4}}) != 0 && errno == EOPNOTSUPP;
  if (refused) skipped("no ACLs here");
  return refused;
}

Acl for_bob(uint16_t permissions, uint16_t mask = 7, uint16_t group = 0) {
  return {{kUserObj, 6}, {kUser_, permissions, bob().uid}, {kGroupObj, group}, {kMask, mask}, {kOther, 0}};
}

CASE(kBoth, "acl/round_trip") {
  if (unsupported()) return;
  spit("f");
  const Acl acl{{kUserObj, 6},      {kUser_, 5, 1000}, {kUser_, 7, 1001}, {kGroupObj, 4},
                {kGroup_, 2, 2000}, {kMask, 7},        {kOther, 1}};
  OK(set_acl("f", acl));
  HOLDS(get_acl("f") == acl);
  EQ(0671u, mode_of("f"));
  OK(removexattr("f", kAccess));
  HOLDS(!has_acl("f"));
  FAILS(ENODATA, getxattr("f", kAccess, nullptr, 0));
}

// An ACL of three entries is the mode.
CASE(kBoth, "acl/minimal_is_the_mode") {
  if (unsupported()) return;
  spit("f", "", 0600);
  OK(set_acl("f", {{kUserObj, 7}, {kGroupObj, 5}, {kOther, 1}}));
  EQ(0751u, mode_of("f"));
  HOLDS(!has_acl("f"));
}

CASE(kBoth, "acl/chmod_sets_the_mask") {
  if (unsupported()) return;
  spit("f");
  OK(set_acl("f", {{kUserObj, 6}, {kUser_, 7, 1000}, {kGroupObj, 5}, {kMask, 7}, {kOther, 0}}));
  EQ(0670u, mode_of("f"));
  OK(chmod("f", 0724));
  HOLDS((get_acl("f") == Acl{{kUserObj, 7}, {kUser_, 7, 1000}, {kGroupObj, 5}, {kMask, 2}, {kOther, 4}}));
  EQ(0724u, mode_of("f"));
}

CASE(kBoth, "acl/invalid") {
  if (unsupported()) return;
  spit("f", "", 0640);
  FAILS(EINVAL, set_acl("f", {{kUserObj, 7}, {kGroupObj, 5}}));
  FAILS(EINVAL, set_acl("f", {{kUserObj, 6}, {kUser_, 7, 1000}, {kGroupObj, 5}, {kOther, 0}}));
  FAILS(EINVAL, set_acl("f", {{kOther, 0}, {kUserObj, 6}, {kGroupObj, 5}}));
  FAILS(EINVAL, set_acl("f", {{kUserObj, 0x17}, {kGroupObj, 5}, {kOther, 0}}));
  FAILS(EINVAL, setxattr("f", kAccess, "x", 1, 0));
  FAILS(Errors(EOPNOTSUPP, EINVAL), setxattr("f", kAccess, "\1\0\0\0", 4, 0));
  EQ(0640u, mode_of("f"));
}

CASE(kBoth, "acl/default_only_on_directories") {
  if (unsupported()) return;
  spit("f");
  FAILS(EACCES, set_acl("f", {{kUserObj, 7}, {kGroupObj, 5}, {kOther, 0}}, kDefault));
  OK(mkdir("d", 0755));
  const Acl acl{{kUserObj, 7}, {kGroupObj, 5}, {kOther, 0}};
  OK(set_acl("d", acl, kDefault));
  HOLDS(get_acl("d", kDefault) == acl);
  EQ(0755u, mode_of("d"));
  OK(removexattr("d", kDefault));
  HOLDS(!has_acl("d", kDefault));
}

// A default ACL takes the place of the umask.
CASE(kBoth, "acl/default_inheritance") {
  if (unsupported()) return;
  umask(077);
  OK(mkdir("d", 0755));
  const Acl acl{{kUserObj, 7}, {kUser_, 6, 1000}, {kGroupObj, 5}, {kMask, 7}, {kOther, 4}};
  OK(set_acl("d", acl, kDefault));
  OK(close(OK(open("d/f", O_CREAT | O_WRONLY, 0666))));
  EQ(0664u, mode_of("d/f"));
  HOLDS((get_acl("d/f") == Acl{{kUserObj, 6}, {kUser_, 6, 1000}, {kGroupObj, 5}, {kMask, 6}, {kOther, 4}}));
  HOLDS(!has_acl("d/f", kDefault));
  OK(mkdir("d/sub", 0777));
  EQ(0774u, mode_of("d/sub"));
  HOLDS(get_acl("d/sub", kDefault) == acl);
  HOLDS(get_acl("d/sub") == acl);
  OK(mkfifo("d/fifo", 0600));
  EQ(0600u, mode_of("d/fifo"));
  OK(symlink("x", "d/link"));
  EQ(0777u, mode_of("d/link"));
  const int fd = OK(open("d", O_TMPFILE | O_RDWR, 0666));
  EQ(0664u, look(fd).st_mode & 07777);
}

CASE(kBoth, "acl/minimal_default_inheritance") {
  if (unsupported()) return;
  umask(077);
  OK(mkdir("d", 0755));
  OK(set_acl("d", {{kUserObj, 7}, {kGroupObj, 4}, {kOther, 1}}, kDefault));
  spit("d/f", "", 0666);
  EQ(0640u, mode_of("d/f"));
  HOLDS(!has_acl("d/f"));
  OK(mkdir("d/sub", 0777));
  EQ(0741u, mode_of("d/sub"));
  HOLDS(has_acl("d/sub", kDefault));
}

CASE(kRoot, "acl/grants_and_denies") {
  if (unsupported()) return;
  spit("f", "x");
  OK(chown("f", alice().uid, alice().gid));
  for (uint16_t bits = 0; bits < 8; ++bits) {
    for (const uint16_t mask : {uint16_t{7}, uint16_t{4}, uint16_t{0}}) {
      const Row row(std::to_string(bits) + " mask " + std::to_string(mask));
      OK(set_acl("f", for_bob(bits, mask)));
      const unsigned effective = bits & mask;
      as(bob(), [&] {
        GIVES((effective & 4) != 0 ? 0 : EACCES, open("f", O_RDONLY));
        GIVES((effective & 2) != 0 ? 0 : EACCES, open("f", O_WRONLY));
        GIVES((effective & 1) != 0 ? 0 : EACCES, access("f", X_OK));
      });
      as(carol(), [] { FAILS(EACCES, open("f", O_RDONLY)); });
      as(alice(), [] { OK(open("f", O_RDWR)); });  // the mask does not bind the owner
    }
  }
}

CASE(kRoot, "acl/groups") {
  if (unsupported()) return;
  spit("f", "x");
  OK(chown("f", alice().uid, alice().gid));
  OK(set_acl("f", {{kUserObj, 6}, {kGroupObj, 0}, {kGroup_, 4, carol().gid}, {kMask, 7}, {kOther, 6}}));
  as({bob().uid, carol().gid, {}}, [] { OK(open("f", O_RDONLY)); });
  as({bob().uid, bob().gid, {carol().gid}}, [] {
    OK(open("f", O_RDONLY));
    FAILS(EACCES, open("f", O_WRONLY));  // a matching group denies: other is not asked
  });
  as({bob().uid, alice().gid, {}}, [] { FAILS(EACCES, open("f", O_RDONLY)); });
  as(bob(), [] { OK(open("f", O_RDWR)); });
}

CASE(kRoot, "acl/directory_search") {
  if (unsupported()) return;
  OK(mkdir("d", 0700));
  spit("d/f", "x", 0644);
  as(bob(), [] { FAILS(EACCES, open("d/f", O_RDONLY)); });
  OK(set_acl("d", {{kUserObj, 7}, {kUser_, 1, bob().uid}, {kGroupObj, 0}, {kMask, 1}, {kOther, 0}}));
  as(bob(), [] {
    EQ("x", slurp("d/f"));
    FAILS(EACCES, open("d", O_RDONLY));
    FAILS(EACCES, unlink("d/f"));
  });
  OK(chmod("d", 0700));
  as(bob(), [] { FAILS(EACCES, open("d/f", O_RDONLY)); });
}

CASE(kRoot, "acl/only_the_owner_sets") {
  if (unsupported()) return;
  spit("f", "x", 0666);
  OK(chown("f", alice().uid, alice().gid));
  as(bob(), [] {
    FAILS(EPERM, set_acl("f", for_bob(7)));
    FAILS(Errors(EPERM, ENODATA), removexattr("f", kAccess));
  });
  as(alice(), [] { OK(set_acl("f", for_bob(7))); });
  as(bob(), [] { HOLDS(get_acl("f") == for_bob(7)); });  // reading it takes no permission
}

// Setting an ACL as chmod does: an owner outside the group loses setgid.
CASE(kRoot, "acl/clears_setgid") {
  if (unsupported()) return;
  spit("f", "x");
  OK(chown("f", alice().uid, bob().gid));
  OK(chmod("f", 02755));
  as(alice(), [] { OK(set_acl("f", {{kUserObj, 7}, {kGroupObj, 5}, {kOther, 5}})); });
  EQ(0755u, mode_of("f"));
}

CASE(kBoth, "acl/survives_rename_and_goes_with_the_file") {
  if (unsupported()) return;
  spit("f", "x");
  OK(set_acl("f", for_bob(7)));
  OK(rename("f", "g"));
  HOLDS(get_acl("g") == for_bob(7));
  OK(unlink("g"));
  spit("g", "x");
  HOLDS(!has_acl("g"));
}

}  // namespace
}  // namespace firn::posix
