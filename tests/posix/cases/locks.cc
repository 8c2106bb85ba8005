// flock, fcntl record locks, open-file-description locks, leases refused or granted cleanly.
#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "fs.h"

namespace firn::posix {
namespace {

struct flock range(int type, off_t from, off_t length) {
  struct flock lock{};
  lock.l_type = static_cast<short>(type);
  lock.l_whence = SEEK_SET;
  lock.l_start = from;
  lock.l_len = length;
  return lock;
}

int set_lock(int fd, int type, off_t from, off_t length, int command = F_SETLK) {
  struct flock lock = range(type, from, length);
  return fcntl(fd, command, &lock);
}

int open_f() { return OK(open("f", O_CREAT | O_RDWR, 0644)); }

CASE(kBoth, "flock/conflicts") {
  struct FlockRow {
    int held, asked, wanted;
  };
  for (const FlockRow& row : {FlockRow{LOCK_SH, LOCK_SH, 0}, FlockRow{LOCK_SH, LOCK_EX, EWOULDBLOCK},
                              FlockRow{LOCK_EX, LOCK_SH, EWOULDBLOCK}, FlockRow{LOCK_EX, LOCK_EX, EWOULDBLOCK}}) {
    const Row name(std::to_string(row.held) + " then " + std::to_string(row.asked));
    const int one = open_f(), two = open_f();
    OK(flock(one, row.held));
    GIVES(row.wanted, flock(two, row.asked | LOCK_NB));
    join(start([&] { GIVES(row.wanted, flock(open_f(), row.asked | LOCK_NB)); }));
    OK(flock(one, LOCK_UN));
    OK(flock(two, row.asked | LOCK_NB));
    close(one);
    close(two);
  }
}

CASE(kBoth, "flock/shared_by_dup_and_released_by_close") {
  const int one = open_f(), other = open_f();
  const int copy = OK(dup(one));
  OK(flock(one, LOCK_EX));
  OK(close(one));
  FAILS(EWOULDBLOCK, flock(other, LOCK_EX | LOCK_NB));
  OK(close(copy));
  OK(flock(other, LOCK_EX | LOCK_NB));
}

CASE(kBoth, "flock/convert_and_read_only") {
  const int one = open_f(), two = OK(open("f", O_RDONLY));
  OK(flock(one, LOCK_SH));
  OK(flock(two, LOCK_SH));
  FAILS(EWOULDBLOCK, flock(one, LOCK_EX | LOCK_NB));
  OK(flock(one, LOCK_UN));
  OK(flock(two, LOCK_EX | LOCK_NB));
  FAILS(EINVAL, flock(one, 77));
  FAILS(EBADF, flock(-1, LOCK_SH));
}

CASE(kBoth, "flock/waits") {
  const int fd = open_f();
  OK(flock(fd, LOCK_EX));
  const pid_t waiter = start([] {
    const int own = open_f();
    OK(flock(own, LOCK_EX));
    spit("got", "it");
  });
  usleep(50000);
  HOLDS(!exists("got"));
  OK(flock(fd, LOCK_UN));
  join(waiter);
  HOLDS(exists("got"));
}

CASE(kBoth, "flock/interrupted") {
  const int fd = open_f();
  OK(flock(fd, LOCK_EX));
  join(start([] {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    const int own = open_f();
    ualarm(50000, 50000);
    FAILS(EINTR, flock(own, LOCK_EX));
    ualarm(0, 0);
  }));
}

CASE(kBoth, "flock/on_directory") {
  const int one = OK(open(".", O_RDONLY)), two = OK(open(".", O_RDONLY));
  OK(flock(one, LOCK_EX));
  FAILS(EWOULDBLOCK, flock(two, LOCK_EX | LOCK_NB));
}

// Two processes, ranges and kinds.
CASE(kBoth, "record_lock/conflicts") {
  struct LockRow {
    int held;
    off_t from, length;
    int asked;
    off_t ask_from, ask_length;
    int wanted;
  };
  const LockRow table[] = {
      {F_WRLCK, 0, 10, F_WRLCK, 5, 10, EAGAIN},       {F_WRLCK, 0, 10, F_WRLCK, 10, 10, 0},
      {F_WRLCK, 0, 10, F_RDLCK, 9, 1, EAGAIN},        {F_RDLCK, 0, 10, F_RDLCK, 0, 10, 0},
      {F_RDLCK, 0, 10, F_WRLCK, 0, 10, EAGAIN},       {F_WRLCK, 0, 0, F_WRLCK, 1L << 40, 1, EAGAIN},
      {F_WRLCK, 100, 0, F_WRLCK, 0, 100, 0},          {F_WRLCK, 1L << 33, 1, F_WRLCK, 1L << 33, 1, EAGAIN},
      {F_WRLCK, LLONG_MAX, 1, F_WRLCK, 0, 0, EAGAIN},
  };
  for (const LockRow& row : table) {
    const Row name(std::to_string(row.from) + "+" + std::to_string(row.length) + " vs " + std::to_string(row.ask_from));
    const int fd = open_f();
    OK(set_lock(fd, row.held, row.from, row.length));
    join(start([&] {
      const int own = open_f();
      struct flock found = range(row.asked, row.ask_from, row.ask_length);
      OK(fcntl(own, F_GETLK, &found));
      EQ(row.wanted == 0 ? F_UNLCK : row.held, found.l_type);
      if (row.wanted != 0) EQ(getppid(), found.l_pid);
      if (row.wanted != 0)
        FAILS(Errors(EAGAIN, EACCES), set_lock(own, row.asked, row.ask_from, row.ask_length));
      else
        OK(set_lock(own, row.asked, row.ask_from, row.ask_length));
    }));
    OK(set_lock(fd, F_UNLCK, 0, 0));
    close(fd);
  }
}

CASE(kBoth, "record_lock/own_locks_do_not_conflict") {
  const int one = open_f(), two = open_f();
  OK(set_lock(one, F_WRLCK, 0, 100));
  OK(set_lock(two, F_WRLCK, 0, 100));
  OK(set_lock(one, F_RDLCK, 20, 10));
  OK(set_lock(one, F_UNLCK, 50, 10));
  join(start([] {
    const int own = open_f();
    OK(set_lock(own, F_RDLCK, 20, 10));
    OK(set_lock(own, F_WRLCK, 50, 10));
    FAILS(Errors(EAGAIN, EACCES), set_lock(own, F_WRLCK, 20, 10));
    FAILS(Errors(EAGAIN, EACCES), set_lock(own, F_WRLCK, 49, 1));
    FAILS(Errors(EAGAIN, EACCES), set_lock(own, F_RDLCK, 60, 1));
  }));
}

// Closing any descriptor of the file drops all the process's locks on it.
CASE(kBoth, "record_lock/released_by_any_close") {
  const int one = open_f();
  OK(set_lock(one, F_WRLCK, 0, 0));
  OK(close(open_f()));
  join(start([] { OK(set_lock(open_f(), F_WRLCK, 0, 0)); }));
}

CASE(kBoth, "record_lock/not_inherited_and_released_by_exit") {
  const int fd = open_f();
  int pipes[2];
  OK(pipe(pipes));
  const pid_t holder = start([&] {
    OK(set_lock(fd, F_WRLCK, 0, 10));
    EQ(1, write(pipes[1], "x", 1));
    pause();
  });
  char byte;
  EQ(1, read(pipes[0], &byte, 1));
  FAILS(Errors(EAGAIN, EACCES), set_lock(fd, F_WRLCK, 0, 10));
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  OK(set_lock(fd, F_WRLCK, 0, 10));
}

CASE(kBoth, "record_lock/waits") {
  const int fd = open_f();
  OK(set_lock(fd, F_WRLCK, 0, 10));
  const pid_t waiter = start([] {
    OK(set_lock(open_f(), F_WRLCK, 0, 10, F_SETLKW));
    spit("got", "it");
  });
  usleep(50000);
  HOLDS(!exists("got"));
  OK(set_lock(fd, F_UNLCK, 0, 10));
  join(waiter);
  HOLDS(exists("got"));
}

CASE(kBoth, "record_lock/deadlock") {
  const int fd = open_f();
  OK(set_lock(fd, F_WRLCK, 0, 1));
  int pipes[2];
  OK(pipe(pipes));
  const pid_t other = start([&] {
    const int own = open_f();
    OK(set_lock(own, F_WRLCK, 1, 1));
    EQ(1, write(pipes[1], "x", 1));
    OK(set_lock(own, F_WRLCK, 0, 1, F_SETLKW));
  });
  char byte;
  EQ(1, read(pipes[0], &byte, 1));
  usleep(100000);  // the other one waits for us now
  FAILS(EDEADLK, set_lock(fd, F_WRLCK, 1, 1, F_SETLKW));
  OK(set_lock(fd, F_UNLCK, 0, 1));
  join(other);
}

CASE(kBoth, "record_lock/errors") {
  spit("f");
  const int reader = OK(open("f", O_RDONLY)), writer = OK(open("f", O_WRONLY));
  FAILS(EBADF, set_lock(reader, F_WRLCK, 0, 1));
  FAILS(EBADF, set_lock(writer, F_RDLCK, 0, 1));
  FAILS(EINVAL, set_lock(writer, F_WRLCK, -1, 1));
  FAILS(EINVAL, set_lock(writer, 77, 0, 1));
  FAILS(EOVERFLOW, set_lock(writer, F_WRLCK, LLONG_MAX, 2));
  OK(set_lock(writer, F_WRLCK, LLONG_MAX, 1));
  OK(set_lock(writer, F_WRLCK, 10, -5));
}

CASE(kBoth, "ofd_lock/belongs_to_the_description") {
  const int one = open_f(), two = open_f();
  OK(set_lock(one, F_WRLCK, 0, 10, F_OFD_SETLK));
  FAILS(EAGAIN, set_lock(two, F_WRLCK, 5, 10, F_OFD_SETLK));
  OK(set_lock(two, F_WRLCK, 10, 10, F_OFD_SETLK));
  struct flock found = range(F_RDLCK, 0, 5);
  OK(fcntl(two, F_OFD_GETLK, &found));
  EQ(F_WRLCK, found.l_type);
  const int copy = OK(dup(one));
  OK(close(one));
  FAILS(EAGAIN, set_lock(two, F_WRLCK, 0, 5, F_OFD_SETLK));
  OK(close(open_f()));
  FAILS(EAGAIN, set_lock(two, F_WRLCK, 0, 5, F_OFD_SETLK));
  OK(close(copy));
  OK(set_lock(two, F_WRLCK, 0, 5, F_OFD_SETLK));
}

CASE(kBoth, "ofd_lock/against_record_locks") {
  const int one = open_f();
  OK(set_lock(one, F_WRLCK, 0, 10, F_OFD_SETLK));
  const int two = open_f();
  FAILS(Errors(EAGAIN, EACCES), set_lock(two, F_WRLCK, 0, 10));
  OK(set_lock(one, F_UNLCK, 0, 10, F_OFD_SETLK));
  OK(set_lock(two, F_WRLCK, 0, 10));
  FAILS(EAGAIN, set_lock(one, F_WRLCK, 0, 10, F_OFD_SETLK));
}

CASE(kBoth, "flock/independent_of_record_locks") {
  const int one = open_f();
  OK(flock(one, LOCK_EX));
  join(start([] { OK(set_lock(open_f(), F_WRLCK, 0, 0)); }));
}

}  // namespace
}  // namespace firn::posix
