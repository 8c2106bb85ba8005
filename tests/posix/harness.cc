#include "harness.h"

#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner.h"

namespace firn::posix {
namespace {

std::vector<std::string>& rows() {
  static std::vector<std::string> list;
  return list;
}

// One write per line, so that lines of concurrent cases do not mix.
void print(const std::string& line) {
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(3);
}

std::string row_text() {
  std::string text;
  for (const std::string& row : rows()) text += " {" + row + "}";
  return text;
}

[[noreturn]] void run_as(const Identity& who, const std::function<void()>& body) {
  if (setgroups(who.groups.size(), who.groups.data()) != 0 || setresgid(who.gid, who.gid, who.gid) != 0 ||
      setresuid(who.uid, who.uid, who.uid) != 0) {
    _exit(3);
  }
  body();
  _exit(0);
}

}  // namespace

std::vector<Case>& all_cases() {
  static std::vector<Case> list;
  return list;
}

void passed() { counters().passed.fetch_add(1, std::memory_order_relaxed); }

void failed(const Where& where, const std::string& expected, const std::string& got) {
  constexpr int kShown = 40;  // per process of a case: one broken rule can fail thousands of rows
  static int shown = 0;
  counters().failed.fetch_add(1, std::memory_order_relaxed);
  if (++shown > kShown) return;
  print("FAIL " + running_case() + row_text() + " " + where.file + ":" + std::to_string(where.line) + ": " +
        where.text + ": expected " + expected + ", got " + got +
        (shown == kShown ? " (further failures of this case are only counted)\n" : "\n"));
}

void skipped(const std::string& why) {
  counters().skipped.fetch_add(1, std::memory_order_relaxed);
  print("SKIP " + running_case() + row_text() + ": " + why + "\n");
}

Row::Row(std::string name) { rows().push_back(std::move(name)); }
Row::~Row() { rows().pop_back(); }

Identity alice() { return ordinary_user(); }
Identity bob() { return {ordinary_user().uid - 1, ordinary_user().gid - 1, {}}; }
Identity carol() { return {ordinary_user().uid - 2, ordinary_user().gid - 2, {}}; }

bool is_root() { return geteuid() == 0; }

pid_t start(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child < 0) _exit(3);
  if (child != 0) return child;
  body();
  _exit(0);
}

void join(pid_t child) {
  int status = 0;
  const Where where{"harness.cc", 0, "child process"};
  if (waitpid(child, &status, 0) != child) return failed(where, "exit 0", error_name(errno));
  if (WIFSIGNALED(status)) return failed(where, "exit 0", std::string("signal ") + strsignal(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) return failed(where, "exit 0", "exit " + std::to_string(WEXITSTATUS(status)));
}

void as(const Identity& who, const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) run_as(who, body);
  join(child);
}

std::string show(const std::string& value) {
  constexpr size_t kShown = 60;
  std::string text = "\"";
  for (const char c : value.substr(0, kShown)) {
    char escaped[8];
    snprintf(escaped, sizeof(escaped), c >= ' ' && c <= '~' ? "%c" : "\\x%02x", static_cast<unsigned char>(c));
    text += escaped;
  }
  return text + (value.size() > kShown ? "\"... (" + std::to_string(value.size()) + " bytes)" : "\"");
}

std::string error_name(int code) {
  const char* name = strerrorname_np(code);
  return name != nullptr ? name : "errno " + std::to_string(code);
}

std::string error_names(const Errors& errors) {
  std::string text;
  for (int code : errors.codes) {
    if (code != 0) text += (text.empty() ? "" : " or ") + error_name(code);
  }
  return text;
}

}  // namespace firn::posix
