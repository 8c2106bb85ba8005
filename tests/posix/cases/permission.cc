// The permission bits: every class of user, every bit, every place in the path.
#include "fs.h"

namespace firn::posix {
namespace {

struct Viewer {
  const char* name;
  Identity who;
  unsigned shift;  // which three bits of the mode speak for them
};

// Files below belong to alice and carol's group.
std::vector<Viewer> viewers() {
  return {{"owner", alice(), 6},
          {"group", {bob().uid, carol().gid, {}}, 3},
          {"supplementary group", {bob().uid, bob().gid, {12, carol().gid, 13}}, 3},
          {"other", bob(), 0},
          // The first class that matches decides, even when a later one would allow more.
          {"owner in group", {alice().uid, carol().gid, {carol().gid}}, 6}};
}

int allowed(bool yes) { return yes ? 0 : EACCES; }

CASE(kRoot, "permission/file") {
  spit("f", "x");
  OK(chown("f", alice().uid, carol().gid));
  for (const Viewer& viewer : viewers()) {
    for (unsigned bits = 0; bits < 8; ++bits) {
      for (const unsigned rest : {0u, 0777u}) {
        const unsigned mode = (bits << viewer.shift) | (rest & ~(7u << viewer.shift));
        const Row row(std::string(viewer.name) + " " + octal(mode));
        OK(chmod("f", mode));
        as(viewer.who, [&] {
          GIVES(allowed((bits & 4) != 0), open("f", O_RDONLY));
          GIVES(allowed((bits & 2) != 0), open("f", O_WRONLY));
          GIVES(allowed((bits & 6) == 6), open("f", O_RDWR));
          GIVES(allowed((bits & 4) != 0), access("f", R_OK));
          GIVES(allowed((bits & 2) != 0), access("f", W_OK));
          GIVES(allowed((bits & 1) != 0), access("f", X_OK));
          GIVES(allowed((bits & 2) != 0), truncate("f", 1));
          OK(access("f", F_OK));
        });
      }
    }
  }
}

CASE(kRoot, "permission/directory") {
  OK(mkdir("d", 0755));
  OK(mkdir("d/sub", 0777));
  spit("d/f", "x", 0666);
  OK(chmod("d/f", 0666));
  OK(chown("d", alice().uid, carol().gid));
  for (const Viewer& viewer : viewers()) {
    for (unsigned bits = 0; bits < 8; ++bits) {
      for (const unsigned rest : {0u, 0777u}) {
        const unsigned mode = (bits << viewer.shift) | (rest & ~(7u << viewer.shift));
        const Row row(std::string(viewer.name) + " " + octal(mode));
        const int search = allowed((bits & 1) != 0), change = allowed((bits & 3) == 3);
        OK(chmod("d", mode));
        as(viewer.who, [&] {
          struct stat st{};
          GIVES(allowed((bits & 4) != 0), open("d", O_RDONLY | O_DIRECTORY));
          GIVES(search, stat("d/f", &st));
          GIVES(search, open("d/f", O_RDWR));
          GIVES(search, chdir("d"));
          if (search == 0) OK(chdir(".."));
          GIVES(search, stat("d/sub/..", &st));
          GIVES(search == 0 ? ENOENT : EACCES, stat("d/missing", &st));
          GIVES(change, mkdir("d/new", 0755));
          GIVES(change, rename(change == 0 ? "d/new" : "d/f", "d/newer"));
          GIVES(change, rmdir(change == 0 ? "d/newer" : "d/sub"));
        });
      }
    }
  }
}

CASE(kRoot, "permission/each_prefix_needs_search") {
  OK(mkdir("a", 0777));
  OK(mkdir("a/b", 0777));
  OK(mkdir("a/b/c", 0777));
  spit("a/b/c/f", "x", 0666);
  for (const char* closed : {"a", "a/b", "a/b/c"}) {
    const Row row(closed);
    OK(chmod(closed, 0666));
    as(alice(), [] {
      FAILS(EACCES, open("a/b/c/f", O_RDONLY));
      FAILS(EACCES, open("a/b/c/../c/f", O_RDONLY));
    });
    OK(chmod(closed, 0777));
    as(alice(), [] { EQ("x", slurp("a/b/c/f")); });
  }
}

CASE(kRoot, "permission/root_may") {
  spit("f", "x", 0);
  OK(mkdir("d", 0));
  OK(chown("f", alice().uid, alice().gid));
  OK(close(OK(open("f", O_RDWR))));
  spit("d/f", "y", 0);
  EQ("y", slurp("d/f"));
  OK(access("f", R_OK | W_OK));
  FAILS(EACCES, access("f", X_OK));
  OK(chmod("f", 0001));
  OK(access("f", X_OK));
}

// access() asks for the real ids, faccessat(AT_EACCESS) and open for the effective ones.
CASE(kRoot, "permission/real_and_effective") {
  spit("f", "x", 0600);
  OK(chown("f", alice().uid, alice().gid));
  join(start([] {
    OK(setresgid(bob().gid, alice().gid, 0));
    OK(setresuid(bob().uid, alice().uid, 0));
    FAILS(EACCES, access("f", R_OK));
    OK(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
    OK(close(OK(open("f", O_RDONLY))));
  }));
  join(start([] {
    OK(setresgid(alice().gid, bob().gid, 0));
    OK(setresuid(alice().uid, bob().uid, 0));
    OK(access("f", R_OK));
    FAILS(EACCES, faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
    FAILS(EACCES, open("f", O_RDONLY));
  }));
}

// The right to use a descriptor is settled when it is opened.
CASE(kRoot, "permission/settled_at_open") {
  spit("f", "content", 0666);
  OK(mkdir("d", 0777));
  OK(chmod("d", 0777));
  as(alice(), [] {
    const int fd = OK(open("f", O_RDWR));
    const int d = OK(open("d", O_RDONLY));
    join(start([] {}));
    FAILS(EPERM, fchmod(fd, 0));
    EQ("content", read_at(fd, 0, 10));
    EQ(1, pwrite(fd, "C", 1, 0));
    OK(close(OK(openat(d, "f", O_CREAT | O_RDWR, 0644))));
  });
  const int kept = OK(open("f", O_RDONLY));
  OK(chmod("f", 0));
  EQ("Content", read_at(kept, 0, 10));
}

CASE(kUser, "permission/owner_class_first") {
  spit("f", "x", 0077);
  FAILS(EACCES, open("f", O_RDONLY));
  FAILS(EACCES, access("f", X_OK));
  OK(chmod("f", 0400));
  OK(close(OK(open("f", O_RDONLY))));
}

// Changing groups or modes takes effect at once for a process that looked before.
CASE(kRoot, "permission/change_seen_at_once") {
  OK(mkdir("d", 0777));
  spit("d/f", "x", 0644);
  for (int round = 0; round < 20; ++round) {
    const bool open_now = round % 2 == 0;
    OK(chmod("d", open_now ? 0755 : 0700));
    as(alice(), [&] { GIVES(allowed(open_now), access("d/f", F_OK)); });
    OK(chmod("d", 0755));
    OK(chmod("d/f", open_now ? 0644 : 0600));
    as(alice(), [&] { GIVES(allowed(open_now), open("d/f", O_RDONLY)); });
  }
}

CASE(kBoth, "permission/access_arguments") {
  spit("f");
  FAILS(EINVAL, access("f", 8));
  FAILS(ENOENT, access("missing", F_OK));
  FAILS(ENOENT, access("missing", R_OK));
}

}  // namespace
}  // namespace firn::posix
