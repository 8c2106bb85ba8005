// What path resolution refuses, for every call that takes a path.
#include "calls.h"
#include "fs.h"

namespace firn::posix {
namespace {

// utimensat(NULL path) means the descriptor itself, and is no error of the path.
bool is(const PathCall& call, const char* name) { return strcmp(call.name, name) == 0; }

void all_fail(const Errors& wanted, const std::string& path) {
  for (const PathCall& call : path_calls()) {
    const Row row(call.name);
    FAILS(wanted, call.run(path.c_str()));
  }
}

CASE(kBoth, "paths/enoent_prefix") {
  spit("source");
  all_fail(ENOENT, "missing/x");
  all_fail(ENOENT, "missing/x/y");
}

CASE(kBoth, "paths/enoent_empty") {
  spit("source");
  all_fail(ENOENT, "");
}

CASE(kBoth, "paths/enoent_last") {
  spit("source");
  for (const PathCall& call : path_calls()) {
    const Row row(call.name);
    if (call.creates || is(call, "rename(to)")) continue;
    FAILS(ENOENT, call.run("missing"));
  }
}

CASE(kBoth, "paths/enoent_dangling_symlink") {
  spit("source");
  OK(symlink("nowhere", "dangling"));
  for (const PathCall& call : path_calls()) {
    const Row row(call.name);
    if (call.follows) FAILS(ENOENT, call.run("dangling"));
    FAILS(ENOENT, call.run("dangling/x"));
  }
}

CASE(kBoth, "paths/enotdir_prefix") {
  spit("source");
  for (const Kind kind : kinds()) {
    if (kind == Kind::kDirectory || kind == Kind::kSymlink) continue;
    const Row row(name_of(kind));
    make(kind, "node");
    all_fail(ENOTDIR, "node/x");
    all_fail(ENOTDIR, "node/x/y");
    HOLDS(drop("node"));
  }
}

CASE(kBoth, "paths/enotdir_symlink_to_file") {
  spit("source");
  OK(symlink("source", "link"));
  all_fail(ENOTDIR, "link/x");
}

CASE(kBoth, "paths/enametoolong_component") {
  spit("source");
  OK(mkdir("d", 0755));
  all_fail(ENAMETOOLONG, repeat('n', 256));
  all_fail(ENAMETOOLONG, "d/" + repeat('n', 256));
  all_fail(ENAMETOOLONG, repeat('n', 256) + "/x");
  all_fail(ENAMETOOLONG, "d/" + repeat('n', 1000));
}

CASE(kBoth, "paths/component_of_255") {
  const std::string longest = repeat('n', 255);
  for (const PathCall& call : path_calls()) {
    const Row row(call.name);
    spit("source");
    if (!call.creates && !is(call, "rename(to)")) {
      FAILS(ENOENT, call.run(longest.c_str()));
      continue;
    }
    OK(call.run(longest.c_str()));
    HOLDS(exists(longest));
    HOLDS(drop(longest));
  }
}

// PATH_MAX counts the terminating NUL.
CASE(kBoth, "paths/enametoolong_path") {
  spit("source");
  std::string path;
  while (path.size() < 4096 - 1) path += "./";
  path.resize(4096 - 1);
  path.back() = 'x';
  all_fail(ENAMETOOLONG, "." + path);
  for (const PathCall& call : path_calls()) {
    const Row row(call.name);
    if (!call.creates && !is(call, "rename(to)")) {
      FAILS(ENOENT, call.run(path.c_str()));
      continue;
    }
    OK(call.run(path.c_str()));
    HOLDS(drop("x"));
    spit("source");
  }
}

CASE(kBoth, "paths/eloop") {
  spit("source");
  OK(symlink("loop", "loop"));
  OK(symlink("b", "a"));
  OK(symlink("a", "b"));
  all_fail(ELOOP, "loop/x");
  all_fail(ELOOP, "a/x");
  for (const PathCall& call : path_calls()) {
    const Row row(call.name);
    if (!call.follows) continue;
    FAILS(ELOOP, call.run("loop"));
    FAILS(ELOOP, call.run("a"));
  }
}

// Linux follows up to 40 links.
CASE(kBoth, "paths/symlink_depth") {
  OK(mkdir("s0", 0755));
  spit("s0/f");
  for (int i = 1; i <= 41; ++i) {
    OK(symlink(("s" + std::to_string(i - 1)).c_str(), ("s" + std::to_string(i)).c_str()));
  }
  OK(access("s40/f", F_OK));
  FAILS(ELOOP, access("s41/f", F_OK));
}

CASE(kBoth, "paths/efault") {
  spit("source");
  for (const PathCall& call : path_calls()) {
    const Row row(call.name);
    FAILS(EFAULT, call.run(reinterpret_cast<const char*>(1)));
    if (!is(call, "utimensat")) FAILS(EFAULT, call.run(nullptr));
  }
}

CASE(kUser, "paths/eacces_search") {
  spit("source");
  OK(mkdir("closed", 0755));
  spit("closed/x");
  OK(chmod("closed", 0666));
  all_fail(EACCES, "closed/x");
  all_fail(EACCES, "closed/missing");
  OK(chmod("closed", 0755));
}

CASE(kBoth, "paths/eexist") {
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    spit("source");
    make(kind, "node");
    for (const PathCall& call : path_calls()) {
      const Row inner(call.name);
      if (call.creates) FAILS(EEXIST, call.run("node"));
    }
    HOLDS(drop("node"));
  }
}

CASE(kBoth, "paths/dot_and_dot_dot") {
  OK(mkdir("d", 0755));
  OK(mkdir("d/e", 0755));
  spit("d/f", "content");
  EQ("content", slurp("./d/../d/./e/../f"));
  EQ(look(".").st_ino, look("d/..").st_ino);
  EQ(look("d").st_ino, look("d/e/..").st_ino);
  FAILS(EINVAL, rmdir("d/."));
  FAILS(ENOTEMPTY, rmdir("d/e/.."));
  FAILS(Errors(EISDIR, EPERM), unlink("d/."));
  FAILS(Errors(EISDIR, EPERM), unlink("d/e/.."));
  FAILS(EEXIST, mkdir("d/.", 0755));
  FAILS(EEXIST, mkdir("d/e/..", 0755));
  FAILS(Errors(EBUSY, EINVAL), rename("d/.", "g"));
  FAILS(Errors(EBUSY, EINVAL, EEXIST), rename("d/e", "d/."));
  FAILS(Errors(EBUSY, EINVAL), rename("d/e/..", "g"));
}

CASE(kBoth, "paths/trailing_slash") {
  spit("f");
  OK(mkdir("d", 0755));
  OK(symlink("d", "to_d"));
  OK(symlink("f", "to_f"));
  struct stat st{};
  FAILS(ENOTDIR, stat("f/", &st));
  FAILS(ENOTDIR, open("f/", O_RDONLY));
  FAILS(ENOTDIR, unlink("f/"));
  FAILS(ENOTDIR, lstat("to_f/", &st));
  FAILS(ENOTDIR, rename("f/", "g"));
  FAILS(ENOTDIR, rename("f", "g/"));
  FAILS(Errors(ENOENT, ENOTDIR), link("f", "g/"));
  FAILS(EISDIR, open("new/", O_CREAT | O_WRONLY, 0644));
  FAILS(ENOENT, symlink("f", "new/"));
  OK(lstat("to_d/", &st));
  HOLDS(S_ISDIR(st.st_mode));
  FAILS(ENOTDIR, rmdir("to_d"));
  FAILS(ENOTDIR, unlink("to_d/"));
  OK(mkdir("made/", 0755));
  OK(rename("made/", "moved/"));
  OK(rmdir("moved/"));
}

}  // namespace
}  // namespace firn::posix
