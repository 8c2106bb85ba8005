// symlink and readlink.
#include "fs.h"

namespace firn::posix {
namespace {

std::string read_link(const std::string& path, size_t room = 8192) {
  std::string target(room, '\0');
  const ssize_t n = OK(readlink(path.c_str(), target.data(), room));
  target.resize(n < 0 ? 0 : static_cast<size_t>(n));
  return target;
}

CASE(kBoth, "symlink/targets") {
  for (const std::string& target :
       {std::string("x"), std::string("/"), std::string("../a/./b//c"), std::string("."), repeat('t', 59),
        repeat('t', 60), repeat('t', 255), repeat('t', 256), repeat('t', 4094), repeat('t', 4095),
        std::string("\x01\xff\n é"), std::string("trailing/")}) {
    const Row row(target.substr(0, 20) + " " + std::to_string(target.size()));
    OK(symlink(target.c_str(), "link"));
    EQ(target, read_link("link"));
    EQ(target.size(), size_of("link"));
    OK(unlink("link"));
  }
}

CASE(kBoth, "symlink/target_limits") {
  FAILS(ENAMETOOLONG, symlink(repeat('t', 4096).c_str(), "link"));
  FAILS(ENOENT, symlink("", "link"));
  HOLDS(!exists("link"));
}

CASE(kBoth, "symlink/mode") {
  umask(0777);
  OK(symlink("x", "link"));
  EQ(0777u, mode_of("link"));
  EQ(geteuid(), look("link").st_uid);
  EQ(getegid(), look("link").st_gid);
}

CASE(kBoth, "symlink/readlink_short_buffer") {
  OK(symlink("abcdef", "link"));
  char text[8];
  memset(text, '#', sizeof(text));
  EQ(3, readlink("link", text, 3));
  EQ("abc#", std::string(text, 4));
  FAILS(EINVAL, readlink("link", text, 0));
}

CASE(kBoth, "symlink/readlink_of_others") {
  char text[8];
  for (const Kind kind : kinds()) {
    if (kind == Kind::kSymlink) continue;
    const Row row(name_of(kind));
    make(kind, "node");
    FAILS(EINVAL, readlink("node", text, sizeof(text)));
    HOLDS(drop("node"));
  }
}

CASE(kBoth, "symlink/follow") {
  OK(mkdir("d", 0755));
  spit("d/f", "content");
  OK(symlink("d", "to_d"));
  OK(symlink("to_d/f", "to_f"));
  OK(symlink("../d/f", "d/up"));
  EQ("content", slurp("to_d/f"));
  EQ("content", slurp("to_f"));
  EQ("content", slurp("to_d/up"));
  struct stat st{};
  OK(stat("to_f", &st));
  EQ(look("d/f").st_ino, st.st_ino);
  OK(chmod("to_f", 0600));
  EQ(0600u, mode_of("d/f"));
  OK(truncate("to_f", 3));
  EQ("con", slurp("d/f"));
}

CASE(kBoth, "symlink/retargeted") {
  spit("one", "1");
  spit("two", "2");
  OK(symlink("one", "link"));
  EQ("1", slurp("link"));
  OK(unlink("link"));
  OK(symlink("two", "link"));
  EQ("2", slurp("link"));
  OK(symlink("one", "other"));
  OK(rename("other", "link"));
  EQ("1", slurp("link"));
  EQ("one", read_link("link"));
}

CASE(kBoth, "symlink/operations_on_the_link") {
  spit("f", "content");
  OK(symlink("f", "link"));
  OK(rename("link", "moved"));
  EQ("f", read_link("moved"));
  OK(link("moved", "hard"));
  HOLDS(S_ISLNK(look("hard").st_mode));
  EQ(2, nlink_of("moved"));
  EQ(look("moved").st_ino, look("hard").st_ino);
  OK(unlink("moved"));
  OK(unlink("hard"));
  EQ("content", slurp("f"));
}

CASE(kBoth, "symlink/chmod_of_link") {
  OK(symlink("f", "link"));
  spit("f", "", 0644);
  FAILS(Errors(EOPNOTSUPP, ENOSYS), fchmodat(AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
  EQ(0644u, mode_of("f"));
  EQ(0777u, mode_of("link"));
}

CASE(kBoth, "symlink/link_follow") {
  spit("f");
  OK(symlink("f", "s"));
  OK(linkat(AT_FDCWD, "s", AT_FDCWD, "hard", AT_SYMLINK_FOLLOW));
  EQ(look("f").st_ino, look("hard").st_ino);
  EQ(2, nlink_of("f"));
}

// What the permission bits of the link's directory say, not those of the link, decides.
CASE(kRoot, "symlink/through_foreign_link") {
  OK(mkdir("d", 0755));
  spit("f", "content", 0644);
  OK(symlink("../f", "d/link"));
  OK(lchown("d/link", 12345, 12345));
  as(alice(), [] {
    EQ("content", slurp("d/link"));
    FAILS(EACCES, unlink("d/link"));
  });
}

}  // namespace
}  // namespace firn::posix
