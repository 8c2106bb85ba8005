// Extended attributes.
#include <linux/limits.h>
#include <sys/xattr.h>

#include <algorithm>

#include "fs.h"

namespace firn::posix {
namespace {

int set(const char* path, const char* name, const std::string& value, int flags = 0) {
  return lsetxattr(path, name, value.data(), value.size(), flags);
}

std::string get(const char* path, const char* name) {
  std::string value(65536, '\0');
  const ssize_t n = OK(lgetxattr(path, name, value.data(), value.size()));
  value.resize(n < 0 ? 0 : static_cast<size_t>(n));
  return value;
}

// Sorted; only the namespace asked for, since security modules add their own.
std::vector<std::string> list(const char* path, const std::string& prefix = "user.") {
  std::string text(65536, '\0');
  const ssize_t n = OK(llistxattr(path, text.data(), text.size()));
  std::vector<std::string> names;
  for (size_t at = 0; n > 0 && at < static_cast<size_t>(n); at += strlen(&text[at]) + 1) {
    if (std::string(&text[at]).starts_with(prefix)) names.emplace_back(&text[at]);
  }
  std::sort(names.begin(), names.end());
  return names;
}

CASE(kBoth, "xattr/values") {
  for (const Kind kind : {Kind::kFile, Kind::kDirectory}) {
    make(kind, "node");
    for (const std::string& value :
         {std::string(), std::string("v"), std::string("\0\xff\0", 3), repeat('v', 255), repeat('v', 2000)}) {
      const Row row(std::string(name_of(kind)) + " " + std::to_string(value.size()));
      OK(set("node", "user.x", value));
      EQ(value, get("node", "user.x"));
      EQ(value.size(), getxattr("node", "user.x", nullptr, 0));
    }
    HOLDS((list("node") == std::vector<std::string>{"user.x"}));
    OK(removexattr("node", "user.x"));
    HOLDS(list("node").empty());
    HOLDS(drop("node"));
  }
}

CASE(kBoth, "xattr/create_and_replace") {
  spit("f");
  FAILS(ENODATA, set("f", "user.x", "1", XATTR_REPLACE));
  OK(set("f", "user.x", "1", XATTR_CREATE));
  FAILS(EEXIST, set("f", "user.x", "2", XATTR_CREATE));
  EQ("1", get("f", "user.x"));
  OK(set("f", "user.x", "2", XATTR_REPLACE));
  EQ("2", get("f", "user.x"));
  OK(set("f", "user.x", "3"));
  FAILS(EINVAL, set("f", "user.x", "4", 0x100));
  EQ("3", get("f", "user.x"));
}

CASE(kBoth, "xattr/missing") {
  spit("f");
  FAILS(ENODATA, getxattr("f", "user.x", nullptr, 0));
  FAILS(ENODATA, removexattr("f", "user.x"));
  OK(set("f", "user.x", "1"));
  OK(removexattr("f", "user.x"));
  FAILS(ENODATA, removexattr("f", "user.x"));
  FAILS(ENODATA, getxattr("f", "user.x", nullptr, 0));
  FAILS(ENODATA, getxattr("f", "user.X", nullptr, 0));
}

CASE(kBoth, "xattr/buffer_sizes") {
  spit("f");
  char room[8];
  OK(set("f", "user.x", "12345"));
  FAILS(ERANGE, getxattr("f", "user.x", room, 4));
  EQ(5, getxattr("f", "user.x", room, 5));
  EQ(5, getxattr("f", "user.x", room, 8));
  const ssize_t length = OK(listxattr("f", nullptr, 0));
  HOLDS(length >= 7);
  FAILS(ERANGE, listxattr("f", room, 1));
  std::string text(static_cast<size_t>(length), '\0');
  EQ(length, listxattr("f", text.data(), text.size()));
}

CASE(kBoth, "xattr/limits") {
  spit("f");
  const std::string longest = "user." + repeat('n', XATTR_NAME_MAX - 5);
  const int result = set("f", longest.c_str(), "v");
  if (result == 0) EQ("v", get("f", longest.c_str()));
  FAILS(Errors(ERANGE, ENAMETOOLONG), set("f", (longest + "n").c_str(), "v"));
  FAILS(ERANGE, getxattr("f", (longest + "n").c_str(), nullptr, 0));
  FAILS(E2BIG, set("f", "user.big", repeat('v', XATTR_SIZE_MAX + 1)));
  const std::string largest = repeat('v', XATTR_SIZE_MAX);
  if (set("f", "user.big", largest) == 0) {
    HOLDS(get("f", "user.big") == largest);
  } else {
    HOLDS(errno == ENOSPC || errno == E2BIG);
  }
}

CASE(kBoth, "xattr/bad_names") {
  spit("f");
  FAILS(Errors(EINVAL, ERANGE), set("f", "", "v"));
  FAILS(EOPNOTSUPP, set("f", "nonamespace", "v"));
  FAILS(EOPNOTSUPP, set("f", "unknown.name", "v"));
  FAILS(Errors(EINVAL, EOPNOTSUPP), set("f", "user.", "v"));
  FAILS(EOPNOTSUPP, getxattr("f", "unknown.name", nullptr, 0));
  FAILS(EFAULT, setxattr("f", reinterpret_cast<const char*>(8), "v", 1, 0));
}

CASE(kBoth, "xattr/many") {
  spit("f");
  std::vector<std::string> wanted;
  for (int i = 0; i < 40; ++i) {
    wanted.push_back("user.attribute" + std::to_string(i));
    OK(set("f", wanted.back().c_str(), std::to_string(i)));
  }
  std::sort(wanted.begin(), wanted.end());
  HOLDS(list("f") == wanted);
  for (int i = 0; i < 40; i += 2) OK(removexattr("f", ("user.attribute" + std::to_string(i)).c_str()));
  EQ(20, list("f").size());
  EQ("7", get("f", "user.attribute7"));
}

CASE(kBoth, "xattr/descriptors") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  OK(fsetxattr(fd, "user.x", "v", 1, 0));
  char room[8] = {};
  EQ(1, fgetxattr(fd, "user.x", room, 8));
  EQ("v", room);
  OK(unlink("f"));
  OK(fsetxattr(fd, "user.y", "w", 1, 0));
  EQ(1, fgetxattr(fd, "user.y", room, 8));
  OK(fremovexattr(fd, "user.x"));
  FAILS(EBADF, fgetxattr(OK(open(".", O_PATH)), "user.x", room, 8));
}

// User attributes belong to files and directories only.
CASE(kBoth, "xattr/special_files") {
  for (const Kind kind : kinds()) {
    if (kind == Kind::kFile || kind == Kind::kDirectory) continue;
    const Row row(name_of(kind));
    make(kind, "node");
    FAILS(EPERM, set("node", "user.x", "v"));
    FAILS(Errors(ENODATA, EPERM), lgetxattr("node", "user.x", nullptr, 0));
    HOLDS(drop("node"));
  }
}

CASE(kBoth, "xattr/follows_links") {
  spit("f");
  OK(symlink("f", "link"));
  OK(setxattr("link", "user.x", "v", 1, 0));
  EQ("v", get("f", "user.x"));
  EQ(1, getxattr("link", "user.x", nullptr, 0));
  OK(removexattr("link", "user.x"));
  HOLDS(list("f").empty());
}

CASE(kBoth, "xattr/travels") {
  spit("f");
  OK(set("f", "user.x", "v"));
  OK(link("f", "g"));
  EQ("v", get("g", "user.x"));
  OK(mkdir("d", 0755));
  OK(rename("f", "d/f"));
  EQ("v", get("d/f", "user.x"));
  spit("g", "changed content");
  EQ("v", get("g", "user.x"));
  OK(unlink("g"));
  OK(unlink("d/f"));
  spit("f");
  HOLDS(list("f").empty());
}

CASE(kUser, "xattr/permissions") {
  spit("f");
  OK(set("f", "user.x", "v"));
  OK(chmod("f", 0444));
  FAILS(EACCES, set("f", "user.x", "w"));
  FAILS(EACCES, removexattr("f", "user.x"));
  EQ("v", get("f", "user.x"));
  OK(chmod("f", 0222));
  OK(set("f", "user.x", "w"));
  FAILS(EACCES, getxattr("f", "user.x", nullptr, 0));
  EQ(1, list("f").size());  // listing takes no read permission
  FAILS(EPERM, set("f", "trusted.x", "v"));
  FAILS(ENODATA, getxattr("f", "trusted.x", nullptr, 0));
}

CASE(kRoot, "xattr/user_on_sticky_directory") {
  OK(mkdir("d", 0777));
  OK(chmod("d", 01777));
  as(alice(), [] { FAILS(EPERM, set("d", "user.x", "v")); });
  OK(chmod("d", 0777));
  as(alice(), [] { OK(set("d", "user.x", "v")); });
}

CASE(kRoot, "xattr/trusted") {
  spit("f", "", 0666);
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    make(kind, "node");
    OK(set("node", "trusted.x", "secret"));
    EQ("secret", get("node", "trusted.x"));
    HOLDS((list("node", "trusted.") == std::vector<std::string>{"trusted.x"}));
    HOLDS(drop("node"));
  }
  OK(set("f", "trusted.x", "secret"));
  as(alice(), [] {
    FAILS(ENODATA, getxattr("f", "trusted.x", nullptr, 0));
    FAILS(EPERM, set("f", "trusted.x", "v"));
    HOLDS(list("f", "trusted.").empty());
  });
}

// Security attributes are for the privileged to set and for everyone to see.
CASE(kRoot, "xattr/security") {
  spit("f");
  OK(set("f", "security.test", "label"));
  EQ("label", get("f", "security.test"));
  as(alice(), [] {
    EQ("label", get("f", "security.test"));
    FAILS(Errors(EPERM, EACCES), set("f", "security.test", "other"));
  });
  OK(lremovexattr("f", "security.test"));
}

// A write drops file capabilities.
CASE(kRoot, "xattr/capability_dropped_by_write") {
  spit("f", "x", 0777);
  const unsigned char capability[20] = {0, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  OK(setxattr("f", "security.capability", capability, sizeof(capability), 0));
  HOLDS(getxattr("f", "security.capability", nullptr, 0) > 0);
  as(alice(), [] { EQ(1, write(OK(open("f", O_WRONLY)), "y", 1)); });
  FAILS(ENODATA, getxattr("f", "security.capability", nullptr, 0));
}

}  // namespace
}  // namespace firn::posix
