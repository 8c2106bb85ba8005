// Ownership in full: sticky directories on both sides of a rename, and what each kind of object allows its owner.
#include "fs.h"

namespace firn::posix {
namespace {

struct Owners {
  uid_t source_directory, source, target_directory, target;
};

std::string describe(const Owners& owners) {
  const auto name = [](uid_t uid) { return uid == 0 ? "root" : uid == alice().uid ? "alice" : "bob"; };
  return std::string("source ") + name(owners.source) + " in " + name(owners.source_directory) + "'s, target " +
         name(owners.target) + " in " + name(owners.target_directory) + "'s";
}

// In a sticky directory a name goes only by the hand of its object's owner or the directory's.
bool may_remove(uid_t who, uid_t directory, uid_t object) { return who == directory || who == object; }

void build(const Owners& owners, Kind kind) {
  OK(mkdir("s", 0777));
  OK(mkdir("t", 0777));
  make(kind, "s/from");
  make(kind, "t/to");
  OK(lchown("s/from", owners.source, 0));
  OK(lchown("t/to", owners.target, 0));
  if (kind != Kind::kSymlink) OK(chmod("s/from", 0777));
  OK(chown("s", owners.source_directory, 0));
  OK(chown("t", owners.target_directory, 0));
  OK(chmod("s", 01777));
  OK(chmod("t", 01777));
}

void check_sticky(const Owners& owners, Kind kind) {
  const Row row(std::string(name_of(kind)) + ", " + describe(owners));
  build(owners, kind);
  const bool allowed = may_remove(alice().uid, owners.source_directory, owners.source) &&
                       may_remove(alice().uid, owners.target_directory, owners.target);
  as(alice(), [&] { GIVES(allowed ? 0 : EPERM, rename("s/from", "t/to")); });
  EQ(!allowed, exists("s/from"));
  HOLDS(remove_tree("s"));
  HOLDS(remove_tree("t"));
}

CASE(kRoot, "ownership/sticky_rename_matrix") {
  const uid_t users[] = {0, alice().uid, bob().uid};
  for (const Kind kind : {Kind::kFile, Kind::kDirectory, Kind::kSymlink, Kind::kFifo}) {
    for (const uid_t a : users) {
      for (const uid_t b : users) {
        for (const uid_t c : users) {
          for (const uid_t d : users) check_sticky({a, b, c, d}, kind);
        }
      }
    }
  }
}

CASE(kRoot, "ownership/sticky_remove_matrix") {
  const uid_t users[] = {0, alice().uid, bob().uid};
  for (const Kind kind : kinds()) {
    for (const uid_t directory : users) {
      for (const uid_t object : users) {
        const Row row(std::string(name_of(kind)) + ", " + describe({directory, object, 0, 0}));
        build({directory, object, 0, 0}, kind);
        const int wanted = may_remove(alice().uid, directory, object) ? 0 : EPERM;
        as(alice(), [&] { GIVES(wanted, remove("s/from")); });
        HOLDS(remove_tree("s"));
        HOLDS(remove_tree("t"));
      }
    }
  }
}

CASE(kRoot, "ownership/group_change_by_owner") {
  const Identity grouped{alice().uid, alice().gid, {carol().gid}};
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    make(kind, "node");
    OK(lchown("node", alice().uid, alice().gid));
    const struct stat before = look("node");
    tick();
    as(grouped, [] {
      OK(lchown("node", static_cast<uid_t>(-1), carol().gid));
      FAILS(EPERM, lchown("node", bob().uid, static_cast<gid_t>(-1)));
      FAILS(EPERM, lchown("node", static_cast<uid_t>(-1), bob().gid));
    });
    const struct stat after = look("node");
    EQ(carol().gid, after.st_gid);
    EQ(alice().uid, after.st_uid);
    HOLDS(after.st_ctim.tv_sec != before.st_ctim.tv_sec || after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
    EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    HOLDS(drop("node"));
  }
}

// chown clears the set-id bits of everything but directories.
CASE(kRoot, "ownership/set_ids_by_kind") {
  for (const Kind kind : kinds()) {
    if (kind == Kind::kSymlink) continue;
    for (const bool same : {false, true}) {
      const Row row(std::string(name_of(kind)) + (same ? ", to the same" : ", to a group"));
      make(kind, "node");
      OK(chown("node", alice().uid, alice().gid));
      OK(chmod("node", 06777));
      as({alice().uid, alice().gid, {carol().gid}},
         [&] { OK(chown("node", alice().uid, same ? alice().gid : carol().gid)); });
      EQ(kind == Kind::kDirectory ? 06777u : 0777u, mode_of("node"));
      HOLDS(drop("node"));
    }
  }
}

CASE(kRoot, "ownership/chmod_by_kind") {
  for (const Kind kind : kinds()) {
    if (kind == Kind::kSymlink) continue;
    const Row row(name_of(kind));
    make(kind, "node");
    OK(chown("node", alice().uid, alice().gid));
    as(bob(), [] { FAILS(EPERM, chmod("node", 0777)); });
    as(alice(), [] { OK(chmod("node", 0111)); });
    EQ(0111u, mode_of("node"));
    HOLDS(drop("node"));
  }
}

CASE(kRoot, "ownership/created_objects") {
  OK(mkdir("d", 0777));
  as({alice().uid, carol().gid, {bob().gid}}, [] {
    for (const Kind kind : kinds()) {
      const std::string path = std::string("d/") + name_of(kind);
      make(kind, path);
      EQ(alice().uid, look(path).st_uid);
      EQ(carol().gid, look(path).st_gid);
    }
  });
}

CASE(kRoot, "ownership/nested_setgid") {
  OK(mkdir("d", 0777));
  OK(chown("d", 0, carol().gid));
  OK(chmod("d", 02777));
  as(alice(), [] {
    OK(mkdir("d/a", 0755));
    OK(mkdir("d/a/b", 0700));
    spit("d/a/b/f");
    EQ(02755u, mode_of("d/a"));
    EQ(02700u, mode_of("d/a/b"));
    EQ(carol().gid, look("d/a/b/f").st_gid);
    const int fd = OK(open("d/a", O_TMPFILE | O_RDWR, 0644));
    EQ(carol().gid, look(fd).st_gid);
  });
}

}  // namespace
}  // namespace firn::posix
