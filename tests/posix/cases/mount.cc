// What the mount as a whole does: read-only, ioctls, file flags, handles, many processes at once.
#include <linux/fs.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "calls.h"
#include "fs.h"

namespace firn::posix {
namespace {

CASE(kRoot, "mount/read_only") {
  OK(mkdir("d", 0755));
  spit("d/node");
  spit("d/source");
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("d", "d", nullptr, MS_BIND, nullptr) != 0 ||
      mount("", "d", nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
    return skipped("no mount namespace");
  }
  OK(chdir("d"));
  for (const PathCall& call : path_calls()) {
    const Row row(call.name);
    if (!call.changes) continue;
    FAILS(EROFS, call.run(call.creates ? "new" : "node"));
  }
  FAILS(EROFS, access("node", W_OK));
  EQ("", slurp("node"));
  OK(chdir(".."));
  OK(umount("d"));
}

CASE(kBoth, "ioctl/unknown_refused") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  const int directory = OK(open(".", O_RDONLY));
  char room[256] = {};
  for (const int one : {fd, directory}) {
    FAILS(ENOTTY, ioctl(one, 0x5401 /* TCGETS */, room));
    FAILS(Errors(ENOTTY, EOPNOTSUPP), ioctl(one, _IOR('z', 99, char[16]), room));
    FAILS(Errors(ENOTTY, EOPNOTSUPP, EPERM), ioctl(one, _IOW('f', 250, long), room));
  }
}

CASE(kBoth, "ioctl/fionread") {
  spit("f", "content");
  const int fd = OK(open("f", O_RDONLY));
  int available = 0;
  OK(ioctl(fd, FIONREAD, &available));
  EQ(7, available);
}

constexpr int kOurs = FS_IMMUTABLE_FL | FS_APPEND_FL;

// The file's other flags are its file system's business.
bool set_flags(const char* path, int flags) {
  const int fd = open(path, O_RDONLY);
  int now = 0;
  bool done = fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &now) == 0;
  now = (now & ~kOurs) | flags;
  done = done && ioctl(fd, FS_IOC_SETFLAGS, &now) == 0;
  if (fd >= 0) close(fd);
  return done;
}

CASE(kRoot, "flags/immutable") {
  spit("f", "content");
  if (!set_flags("f", FS_IMMUTABLE_FL)) return skipped("no file flags here");
  FAILS(EPERM, open("f", O_WRONLY));
  FAILS(EPERM, truncate("f", 0));
  FAILS(EPERM, chmod("f", 0600));
  FAILS(EPERM, chown("f", 1, 1));
  FAILS(EPERM, unlink("f"));
  FAILS(EPERM, rename("f", "g"));
  FAILS(EPERM, link("f", "g"));
  const timespec times[2] = {{1, 0}, {1, 0}};
  FAILS(EPERM, utimensat(AT_FDCWD, "f", times, 0));
  EQ("content", slurp("f"));
  HOLDS(set_flags("f", 0));
  OK(unlink("f"));
}

CASE(kRoot, "flags/immutable_directory") {
  OK(mkdir("d", 0777));
  spit("d/f", "content");
  if (!set_flags("d", FS_IMMUTABLE_FL)) return skipped("no file flags here");
  FAILS(EPERM, open("d/new", O_CREAT | O_WRONLY, 0644));
  FAILS(EPERM, mkdir("d/new", 0755));
  FAILS(EPERM, unlink("d/f"));
  FAILS(EPERM, rename("d/f", "g"));
  FAILS(EPERM, rmdir("d"));
  spit("d/f", "the file itself may change");
  HOLDS(set_flags("d", 0));
  OK(unlink("d/f"));
}

CASE(kRoot, "flags/append_only") {
  spit("f", "content");
  if (!set_flags("f", FS_APPEND_FL)) return skipped("no file flags here");
  FAILS(EPERM, open("f", O_WRONLY));
  FAILS(EPERM, open("f", O_WRONLY | O_APPEND | O_TRUNC));
  FAILS(EPERM, truncate("f", 0));
  FAILS(EPERM, unlink("f"));
  FAILS(EPERM, rename("f", "g"));
  const int fd = OK(open("f", O_WRONLY | O_APPEND));
  EQ(1, write(fd, "!", 1));
  EQ("content!", slurp("f"));
  HOLDS(set_flags("f", 0));
  OK(unlink("f"));
}

CASE(kRoot, "handles/open_by_handle") {
  spit("f", "content");
  struct Room {
    file_handle handle;
    char bytes[MAX_HANDLE_SZ];
  } room{};
  room.handle.handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (name_to_handle_at(AT_FDCWD, "f", &room.handle, &mount_id, 0) != 0) return skipped("no file handles here");
  OK(rename("f", "g"));
  const int fd = OK(open_by_handle_at(OK(open(".", O_RDONLY)), &room.handle, O_RDONLY));
  EQ("content", read_at(fd, 0, 10));
}

CASE(kBoth, "notify/inotify") {
  const int watch = OK(inotify_init1(IN_NONBLOCK));
  OK(inotify_add_watch(watch, ".", IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE));
  spit("f", "x");
  OK(rename("f", "g"));
  OK(unlink("g"));
  alignas(inotify_event) char events[4096];
  const ssize_t n = OK(read(watch, events, sizeof(events)));
  unsigned seen = 0;
  for (ssize_t at = 0; at < n;) {
    const auto* const event = reinterpret_cast<const inotify_event*>(events + at);
    seen |= event->mask;
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
  }
  EQ(unsigned{IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE}, seen);
}

// Exactly one of many wins an exclusive creation, mkdir, link or rename.
CASE(kBoth, "race/one_winner") {
  spit("linked");
  for (int round = 0; round < 30; ++round) {
    spit("source" + std::to_string(round));
    std::vector<pid_t> children;
    for (int c = 0; c < 4; ++c) {
      children.push_back(start([=] {
        const std::string me = std::to_string(c), now = std::to_string(round);
        if (open(("x" + now).c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644) >= 0) spit("won-open" + now + "." + me);
        if (mkdir(("d" + now).c_str(), 0755) == 0) spit("won-mkdir" + now + "." + me);
        if (link("linked", ("l" + now).c_str()) == 0) spit("won-link" + now + "." + me);
        if (rename(("source" + now).c_str(), ("r" + now + me).c_str()) == 0) spit("won-rename" + now + "." + me);
      }));
    }
    for (const pid_t child : children) join(child);
  }
  int winners = 0;
  for (const std::string& name : list_names()) winners += name.starts_with("won-");
  EQ(120, winners);
}

// Processes that create, rename and remove in one directory leave exactly what they should.
CASE(kBoth, "race/busy_directory") {
  OK(mkdir("d", 0755));
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    children.push_back(start([c] {
      const std::string me = "d/" + std::to_string(c) + "-";
      for (int i = 0; i < 200; ++i) {
        const std::string name = me + std::to_string(i);
        spit(name, name);
        OK(rename(name.c_str(), (name + "r").c_str()));
        if (i % 2 == 0) OK(unlink((name + "r").c_str()));
        OK(mkdir((name + "d").c_str(), 0755));
        if (i % 3 != 0) OK(rmdir((name + "d").c_str()));
      }
    }));
  }
  for (const pid_t child : children) join(child);
  EQ(4 * (100 + 67), list_names("d").size());
  EQ(2 + 4 * 67, nlink_of("d"));
}

CASE(kBoth, "race/rename_cycle") {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  const pid_t one = start([] {
    for (int i = 0; i < 300; ++i) {
      rename("a", "b/a");
      rename("b/a", "a");
    }
  });
  const pid_t two = start([] {
    for (int i = 0; i < 300; ++i) {
      rename("b", "a/b");
      rename("a/b", "b");
    }
  });
  join(one);
  join(two);
  // Whatever happened, both still hang on the tree, once.
  int found = 0;
  for (const char* path : {"a", "b", "a/b", "b/a"}) found += exists(path);
  EQ(2, found);
}

}  // namespace
}  // namespace firn::posix
