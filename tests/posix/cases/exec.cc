// Running programs from the file system.
#include <signal.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "fs.h"

namespace firn::posix {
namespace {

bool copy_program(const char* from, const std::string& to) {
  spit(to, slurp(from), 0755);
  return chmod(to.c_str(), 0755) == 0;
}

// The exit code; -1 with errno when the program could not be started.
int run(const char* path, const char* argument = nullptr) {
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    execl(path, path, argument, nullptr);
    const int code = errno;
    if (write(pipes[1], &code, sizeof(code)) < 0) _exit(126);
    _exit(127);
  }
  close(pipes[1]);
  int code = 0, status = 0;
  const bool failed_to_start = read(pipes[0], &code, sizeof(code)) == sizeof(code);
  close(pipes[0]);
  waitpid(child, &status, 0);
  if (failed_to_start) {
    errno = code;
    return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

CASE(kBoth, "exec/binary") {
  if (!copy_program("/bin/true", "program")) return;
  EQ(0, OK(run("./program")));
  OK(rename("program", "moved"));
  EQ(0, OK(run("./moved")));
  copy_program("/bin/false", "moved");
  EQ(1, OK(run("./moved")));
}

CASE(kBoth, "exec/script") {
  spit("script", "#!/bin/sh\nexit 42\n", 0755);
  EQ(42, OK(run("./script")));
  spit("bare", "neither binary nor script", 0755);
  FAILS(ENOEXEC, run("./bare"));
  spit("empty", "", 0755);
  FAILS(ENOEXEC, run("./empty"));
  spit("lost", "#!/nowhere/interpreter\n", 0755);
  FAILS(ENOENT, run("./lost"));
}

CASE(kBoth, "exec/errors") {
  spit("plain", "#!/bin/sh\n", 0644);
  FAILS(EACCES, run("./plain"));
  OK(mkdir("d", 0755));
  FAILS(EACCES, run("./d"));
  OK(mkfifo("p", 0777));
  FAILS(EACCES, run("./p"));
  FAILS(ENOENT, run("./missing"));
  FAILS(ENOTDIR, run("./plain/x"));
  FAILS(ENAMETOOLONG, run(repeat('n', 256).c_str()));
}

CASE(kBoth, "exec/text_busy") {
  if (!copy_program("/bin/sleep", "program")) return;
  const int writer = OK(open("program", O_WRONLY));
  FAILS(ETXTBSY, run("./program", "0"));
  OK(close(writer));
  const pid_t child = fork();
  if (child == 0) {
    execl("./program", "program", "5", nullptr);
    _exit(127);
  }
  for (int i = 0; i < 200; ++i) {
    char path[4096] = {};
    const ssize_t n = readlink(("/proc/" + std::to_string(child) + "/exe").c_str(), path, sizeof(path) - 1);
    if (n > 0 && std::string(path).ends_with("/program")) break;
    usleep(5000);
  }
  FAILS(ETXTBSY, open("program", O_WRONLY));
  FAILS(ETXTBSY, open("program", O_RDWR | O_TRUNC));
  FAILS(ETXTBSY, truncate("program", 0));
  OK(close(OK(open("program", O_RDONLY))));
  OK(chmod("program", 0700));
  OK(unlink("program"));  // its name may go
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

CASE(kRoot, "exec/permissions") {
  spit("script", "#!/bin/sh\nexit 0\n");
  OK(chown("script", alice().uid, carol().gid));
  struct ExecRow {
    unsigned mode;
    Identity who;
    int wanted;
  };
  for (const ExecRow& row :
       {ExecRow{0755, bob(), 0}, ExecRow{0754, bob(), EACCES}, ExecRow{0677, alice(), EACCES},
        ExecRow{0745, {bob().uid, carol().gid, {}}, EACCES}, ExecRow{0750, {bob().uid, bob().gid, {carol().gid}}, 0}}) {
    const Row name(octal(row.mode));
    OK(chmod("script", row.mode));
    as(row.who, [&] { GIVES(row.wanted, run("./script")); });
  }
  OK(chmod("script", 0666));
  FAILS(EACCES, run("./script"));  // root too needs one execute bit
}

CASE(kRoot, "exec/set_user_id") {
  struct statvfs fs{};
  OK(statvfs(".", &fs));
  if ((fs.f_flag & ST_NOSUID) != 0) return skipped("mounted nosuid");
  copy_program("/usr/bin/id", "program");
  OK(chown("program", carol().uid, carol().gid));
  OK(chmod("program", 06755));
  as(alice(), [] {
    const int out = OK(open("/dev/null", O_RDONLY));
    OK(close(out));
    FILE* const text = popen("./program -u; ./program -g", "r");
    unsigned uid = 0, gid = 0;
    EQ(2, fscanf(text, "%u %u", &uid, &gid));
    pclose(text);
    EQ(carol().uid, uid);
    EQ(carol().gid, gid);
  });
}

CASE(kBoth, "exec/fexecve") {
  if (!copy_program("/bin/true", "program")) return;
  join(start([] {
    const int fd = OK(open("program", O_PATH));
    char* const arguments[] = {const_cast<char*>("program"), nullptr};
    fexecve(fd, arguments, environ);
    FAILS(0, -1);
  }));
}

CASE(kBoth, "exec/map_executable") {
  if (!copy_program("/bin/true", "program")) return;
  const int fd = OK(open("program", O_RDONLY));
  void* const map = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  if (HOLDS(map != MAP_FAILED)) EQ(0, memcmp(map, "\177ELF", 4));
}

}  // namespace
}  // namespace firn::posix
