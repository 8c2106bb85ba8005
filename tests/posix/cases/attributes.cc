// chmod and chown: who may, and what they clear.
#include <sys/mman.h>

#include "fs.h"

namespace firn::posix {
namespace {

int chown_to(const char* path, Identity who) { return chown(path, who.uid, who.gid); }

CASE(kBoth, "chmod/kinds_and_modes") {
  for (const Kind kind : kinds()) {
    if (kind == Kind::kSymlink) continue;
    make(kind, "node");
    for (const unsigned mode : {0u, 0777u, 0644u, 0111u, 01777u, 04755u, 02755u, 07777u}) {
      const Row row(std::string(name_of(kind)) + " " + octal(mode));
      OK(chmod("node", mode));
      EQ(mode, mode_of("node"));
      EQ(type_bits(kind), look("node").st_mode & S_IFMT);
    }
    OK(chmod("node", 0755));
    HOLDS(drop("node"));
  }
}

CASE(kBoth, "chmod/fchmod") {
  const int fd = OK(open("f", O_CREAT | O_RDONLY, 0));
  OK(fchmod(fd, 0640));
  EQ(0640u, mode_of("f"));
  EQ(0640u, look(fd).st_mode & 07777);
  const int d = OK(open(".", O_RDONLY));
  OK(fchmodat(d, "f", 0600, 0));
  EQ(0600u, mode_of("f"));
  FAILS(EBADF, fchmod(-1, 0600));
}

CASE(kRoot, "chmod/only_the_owner") {
  spit("f", "", 0666);
  OK(mkdir("d", 0777));
  OK(chown_to("f", bob()));
  as(alice(), [] {
    FAILS(EPERM, chmod("f", 0600));
    FAILS(EPERM, chmod("d", 0700));
    const int fd = OK(open("f", O_RDWR));
    FAILS(EPERM, fchmod(fd, 0600));
  });
  EQ(0666u, mode_of("f"));
  as(bob(), [] { OK(chmod("f", 0600)); });
  EQ(0600u, mode_of("f"));
}

// An owner outside the file's group may not make it setgid: the bit is dropped silently.
CASE(kRoot, "chmod/setgid_of_foreign_group") {
  spit("f", "", 0755);
  OK(chown("f", alice().uid, bob().gid));
  as(alice(), [] { OK(chmod("f", 02755)); });
  EQ(0755u, mode_of("f"));
  as({alice().uid, alice().gid, {bob().gid}}, [] { OK(chmod("f", 02755)); });
  EQ(02755u, mode_of("f"));
  OK(mkdir("d", 0755));
  OK(chown("d", alice().uid, bob().gid));
  as(alice(), [] { OK(chmod("d", 02755)); });
  EQ(0755u, mode_of("d"));
}

CASE(kUser, "chmod/sticky_on_file") {
  spit("f");
  OK(chmod("f", 01644));  // Linux lets an owner set it
  EQ(01644u, mode_of("f"));
}

CASE(kRoot, "chown/root_matrix") {
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    make(kind, "node");
    OK(lchown("node", 1234, 5678));
    EQ(1234u, look("node").st_uid);
    EQ(5678u, look("node").st_gid);
    OK(lchown("node", static_cast<uid_t>(-1), 99));
    EQ(1234u, look("node").st_uid);
    EQ(99u, look("node").st_gid);
    OK(lchown("node", 88, static_cast<gid_t>(-1)));
    EQ(88u, look("node").st_uid);
    EQ(99u, look("node").st_gid);
    OK(lchown("node", 0xfffffffe, 0xfffffffe));
    EQ(0xfffffffeu, look("node").st_uid);
    HOLDS(drop("node"));
  }
}

CASE(kRoot, "chown/follows") {
  spit("f");
  OK(symlink("f", "link"));
  OK(chown("link", 11, 12));
  EQ(11u, look("f").st_uid);
  EQ(0u, look("link").st_uid);
  OK(lchown("link", 21, 22));
  EQ(11u, look("f").st_uid);
  EQ(21u, look("link").st_uid);
  const int fd = OK(open("f", O_RDONLY));
  OK(fchown(fd, 31, 32));
  EQ(31u, look("f").st_uid);
  EQ(32u, look("f").st_gid);
}

CASE(kRoot, "chown/who_may") {
  spit("f", "", 0666);
  const Identity grouped{alice().uid, alice().gid, {carol().gid}};
  OK(chown_to("f", alice()));
  as(grouped, [] {
    FAILS(EPERM, chown("f", bob().uid, static_cast<gid_t>(-1)));
    FAILS(EPERM, chown("f", 0, 0));
    FAILS(EPERM, chown("f", static_cast<uid_t>(-1), bob().gid));
    OK(chown("f", static_cast<uid_t>(-1), carol().gid));
    OK(chown("f", alice().uid, alice().gid));
    OK(chown("f", static_cast<uid_t>(-1), static_cast<gid_t>(-1)));
  });
  as(bob(), [] {
    FAILS(EPERM, chown("f", bob().uid, bob().gid));
    FAILS(EPERM, chown("f", static_cast<uid_t>(-1), bob().gid));
    FAILS(EPERM, lchown("f", alice().uid, static_cast<gid_t>(-1)));
  });
  EQ(alice().uid, look("f").st_uid);
  EQ(alice().gid, look("f").st_gid);
}

// By an ordinary user chown drops the set-id bits; setgid without group execute means mandatory locking and stays.
CASE(kRoot, "chown/clears_set_ids") {
  struct ClearRow {
    unsigned before, after;
  };
  const Identity grouped{alice().uid, alice().gid, {carol().gid}};
  for (const ClearRow& row : {ClearRow{06777, 0777}, ClearRow{04755, 0755}, ClearRow{02755, 0755},
                              ClearRow{06555, 0555}, ClearRow{04600, 0600}, ClearRow{0777, 0777}}) {
    const Row name(octal(row.before));
    spit("f");
    OK(chown_to("f", alice()));
    OK(chmod("f", row.before));
    as(grouped, [] { OK(chown("f", static_cast<uid_t>(-1), carol().gid)); });
    EQ(row.after, mode_of("f"));
    OK(unlink("f"));
  }
}

CASE(kRoot, "chown/directory_keeps_set_ids") {
  OK(mkdir("d", 0755));
  OK(chown_to("d", alice()));
  OK(chmod("d", 06755));
  as({alice().uid, alice().gid, {carol().gid}}, [] { OK(chown("d", static_cast<uid_t>(-1), carol().gid)); });
  EQ(06755u, mode_of("d"));
}

// Linux clears them on executables for root too.
CASE(kRoot, "chown/root_clears_set_ids") {
  spit("f");
  OK(chmod("f", 06755));
  OK(chown("f", 5, 6));
  EQ(0755u, mode_of("f"));
}

CASE(kRoot, "setid/write_clears") {
  struct WriteRow {
    const char* name;
    void (*change)();
    bool clears;
  };
  const WriteRow table[] = {
      {"write", [] { EQ(1, write(OK(open("f", O_WRONLY)), "x", 1)); }, true},
      {"pwrite", [] { EQ(1, pwrite(OK(open("f", O_WRONLY)), "x", 1, 100)); }, true},
      {"append", [] { EQ(1, write(OK(open("f", O_WRONLY | O_APPEND)), "x", 1)); }, true},
      {"truncate", [] { OK(truncate("f", 1)); }, true},
      {"ftruncate", [] { OK(ftruncate(OK(open("f", O_WRONLY)), 1)); }, true},
      {"O_TRUNC", [] { OK(open("f", O_WRONLY | O_TRUNC)); }, true},
      {"copy_file_range",
       [] { EQ(1, copy_file_range(OK(open("of", O_RDONLY)), nullptr, OK(open("f", O_WRONLY)), nullptr, 1, 0)); }, true},
      {"open", [] { OK(open("f", O_WRONLY)); }, false},
      {"read", [] { EQ("content", slurp("f")); }, false},
      {"empty write", [] { EQ(0, write(OK(open("f", O_WRONLY)), "x", 0)); }, false},
  };
  spit("of", "x");
  for (const WriteRow& row : table) {
    for (const unsigned mode : {06777u, 04777u, 02777u, 06767u}) {
      const Row name(std::string(row.name) + " " + octal(mode));
      spit("f", "content");
      OK(chmod("f", mode));
      as(alice(), row.change);
      const unsigned kept = (mode & 0010) == 0 ? (mode & 02777) : (mode & 0777);
      // Without group execute, setgid is no set-id bit; newer kernels clear it for callers outside the group.
      const unsigned got = mode_of("f");
      if (!row.clears)
        EQ(mode, got);
      else if ((mode & 0010) == 0)
        HOLDS(got == kept || got == (kept & 0777));
      else
        EQ(kept, got);
      OK(unlink("f"));
    }
  }
}

// Whoever has it open from before it had the bits.
CASE(kRoot, "setid/write_clears_beside_another_open") {
  for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR}) {
    const Row name(std::to_string(flags));
    spit("f");
    OK(truncate("f", 1 << 20));
    const int before = OK(open("f", flags));
    OK(chmod("f", 04777));
    as(alice(), [] {
      const int fd = OK(open("f", O_RDWR));
      EQ(1, pwrite(fd, "x", 1, 1 << 20));
      char byte = 0;
      EQ(1, pread(fd, &byte, 1, 1 << 20));
      EQ('x', byte);
    });
    EQ(0777u, mode_of("f"));
    EQ((1 << 20) + 1, size_of("f"));
    if (flags != O_RDONLY) EQ(1, pwrite(before, "y", 1, 0));
    void* mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, OK(open("f", O_RDWR)), 0);
    HOLDS(mapped != MAP_FAILED);
    EQ(flags == O_RDONLY ? '\0' : 'y', *static_cast<const char*>(mapped));
    OK(munmap(mapped, 4096));
    OK(close(before));
    OK(unlink("f"));
  }
}

CASE(kRoot, "setid/root_write_keeps") {
  spit("f", "content");
  OK(chmod("f", 06777));
  EQ(1, write(OK(open("f", O_WRONLY)), "x", 1));
  OK(ftruncate(OK(open("f", O_WRONLY)), 1));
  spit("of", "x");
  EQ(1, copy_file_range(OK(open("of", O_RDONLY)), nullptr, OK(open("f", O_WRONLY)), nullptr, 1, 0));
  EQ(06777u, mode_of("f"));
}

// Also through an already open descriptor, several times.
CASE(kRoot, "setid/write_clears_again") {
  spit("f", "content");
  OK(chown_to("f", alice()));
  OK(chmod("f", 04755));
  as(alice(), [] {
    const int fd = OK(open("f", O_WRONLY));
    for (int i = 0; i < 3; ++i) {
      EQ(1, write(fd, "x", 1));
      EQ(0755u, mode_of("f"));
      OK(fchmod(fd, 04755));
      EQ(04755u, mode_of("f"));
    }
  });
}

// What a new object inherits from a setgid directory.
CASE(kRoot, "setid/directory_inheritance") {
  OK(mkdir("d", 0777));
  OK(chown("d", 0, carol().gid));
  OK(chmod("d", 02777));
  as(alice(), [] {
    for (const Kind kind : kinds()) make(kind, std::string("d/") + name_of(kind));
    OK(close(OK(open("d/executable", O_CREAT | O_WRONLY, 02775))));
  });
  for (const std::string& name : list_names("d")) {
    const Row row(name);
    const struct stat st = look("d/" + name);
    EQ(carol().gid, st.st_gid);
    EQ(alice().uid, st.st_uid);
    EQ(S_ISDIR(st.st_mode), (st.st_mode & S_ISGID) != 0);
  }
}

CASE(kRoot, "setid/group_without_setgid") {
  OK(mkdir("d", 0777));
  OK(chown("d", 0, carol().gid));
  as(alice(), [] {
    spit("d/f");
    EQ(alice().gid, look("d/f").st_gid);
  });
}

}  // namespace
}  // namespace firn::posix
