// The suite's frame: cases register themselves, run in a process of their own inside a fresh directory (which is
// their working directory, umask 0), and count every expectation. A failed expectation is one line of output; the
// case goes on, so that one run shows all there is.
//
//   CASE(kBoth, "mkdir/mode") {
//     OK(mkdir("d", 0750));
//     FAILS(EEXIST, mkdir("d", 0750));
//     EQ(0750u, mode_of("d"));
//   }
#pragma once

#include <errno.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

namespace firn::posix {

// As whom a case runs. kRoot cases may act as others too, with as(). kBig: only with --big.
enum Runs : unsigned { kRoot = 1, kUser = 2, kBoth = kRoot | kUser, kBig = 4 };

struct Case {
  const char* name;
  unsigned runs;
  void (*body)();
};

std::vector<Case>& all_cases();

struct Registration {
  Registration(unsigned runs, const char* name, void (*body)()) { all_cases().push_back({name, runs, body}); }
};

struct Where {
  const char* file;
  int line;
  const char* text;
};

void passed();
void failed(const Where& where, const std::string& expected, const std::string& got);
// The rest of the case cannot run here: says why, counts neither as passed nor as failed.
void skipped(const std::string& why);

// Names the row of a table in the failures of its scope.
class Row {
 public:
  explicit Row(std::string name);
  ~Row();
  Row(const Row&) = delete;
  Row& operator=(const Row&) = delete;
};

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// Ordinary users. alice() is the one of --user.
Identity alice();
Identity bob();
Identity carol();

bool is_root();
// Runs `body` in a child process with these ids and no capabilities beyond theirs. Only for kRoot cases.
void as(const Identity& who, const std::function<void()>& body);
// Runs `body` in a child process as the same user. Returns at once; join() waits and fails the case when it died.
pid_t start(const std::function<void()>& body);
void join(pid_t child);

// What a failing call may say; one of up to three.
struct Errors {
  int codes[3] = {0, 0, 0};
  Errors(int code) : codes{code, 0, 0} {}  // NOLINT: conversion is the point
  Errors(int a, int b, int c = 0) : codes{a, b, c} {}
  bool has(int code) const { return code != 0 && (codes[0] == code || codes[1] == code || codes[2] == code); }
};

std::string error_name(int code);
std::string error_names(const Errors& errors);

// Quoted, escaped, and cut where it gets long.
std::string show(const std::string& value);
inline std::string show(const char* value) { return show(std::string(value)); }
inline std::string show(bool value) { return value ? "true" : "false"; }
template <class T>
std::string show(T value) {
  return std::to_string(value);
}

template <class T>
T ok(const Where& where, T result) {
  const int code = errno;
  result == static_cast<T>(-1) ? failed(where, "success", error_name(code)) : passed();
  errno = code;
  return result;
}

template <class T>
void fails(const Where& where, const Errors& wanted, T result) {
  const int code = errno;
  if (result != static_cast<T>(-1)) return failed(where, error_names(wanted), "success (" + show(result) + ")");
  wanted.has(code) ? passed() : failed(where, error_names(wanted), error_name(code));
}

// With wanted 0: success.
template <class T>
void gives(const Where& where, int wanted, T result) {
  if (wanted == 0) {
    ok(where, result);
    return;
  }
  fails(where, wanted, result);
}

template <class A, class B>
  requires(!std::is_array_v<A>)
bool equal(const Where& where, const A& expected, const B& got) {
  const bool same = expected == static_cast<A>(got);
  same ? passed() : failed(where, show(expected), show(static_cast<A>(got)));
  return same;
}
inline bool equal(const Where& where, const char* expected, const std::string& got) {
  return equal(where, std::string(expected), got);
}

inline bool equal(const Where& where, const char* expected, const char* got) {
  return equal(where, std::string(expected), std::string(got));
}

inline bool holds(const Where& where, bool condition) {
  condition ? passed() : failed(where, "true", "false");
  return condition;
}

}  // namespace firn::posix

#define POSIX_WHERE(text) \
  ::firn::posix::Where { __FILE_NAME__, __LINE__, text }
// The call does not return -1; yields its result.
#define OK(...) ::firn::posix::ok(POSIX_WHERE(#__VA_ARGS__), (__VA_ARGS__))
// The call returns -1 with this errno; `wanted` is a code or Errors(a, b).
#define FAILS(wanted, ...) ::firn::posix::fails(POSIX_WHERE(#__VA_ARGS__), (wanted), (__VA_ARGS__))
// OK when `wanted` is 0, else FAILS.
#define GIVES(wanted, ...) ::firn::posix::gives(POSIX_WHERE(#__VA_ARGS__), (wanted), (__VA_ARGS__))
#define EQ(expected, ...) ::firn::posix::equal(POSIX_WHERE(#__VA_ARGS__), (expected), (__VA_ARGS__))
#define HOLDS(...) ::firn::posix::holds(POSIX_WHERE(#__VA_ARGS__), static_cast<bool>(__VA_ARGS__))

#define POSIX_JOIN2(a, b) a##b
#define POSIX_JOIN(a, b) POSIX_JOIN2(a, b)
#define CASE(runs, name)                                                                                              \
  static void POSIX_JOIN(case_, __LINE__)();                                                                          \
  static const ::firn::posix::Registration POSIX_JOIN(register_, __LINE__)(runs, name, &POSIX_JOIN(case_, __LINE__)); \
  static void POSIX_JOIN(case_, __LINE__)()
