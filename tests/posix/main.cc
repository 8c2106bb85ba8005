// posix_suite: whether a directory's file system keeps POSIX's promises, and Linux's where POSIX is silent.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

namespace {

constexpr char kUsage[] =
    "usage: posix_suite --dir PATH [--filter TEXT] [--list] [--user UID:GID] [--jobs N] [--big] [--verbose]\n";

int misuse() {
  fputs(kUsage, stderr);
  return 2;
}

int list() {
  using namespace firn::posix;
  for (const Case& one : all_cases()) {
    printf("%s%s%s%s\n", one.name, (one.runs & kRoot) != 0 ? " root" : "", (one.runs & kUser) != 0 ? " user" : "",
           (one.runs & kBig) != 0 ? " big" : "");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  firn::posix::Options options;
  static const option kLong[] = {{"dir", required_argument, nullptr, 'd'},  {"filter", required_argument, nullptr, 'f'},
                                 {"list", no_argument, nullptr, 'l'},       {"user", required_argument, nullptr, 'u'},
                                 {"jobs", required_argument, nullptr, 'j'}, {"big", no_argument, nullptr, 'b'},
                                 {"verbose", no_argument, nullptr, 'v'},    {nullptr, 0, nullptr, 0}};
  for (int c; (c = getopt_long(argc, argv, "d:f:lu:j:bv", kLong, nullptr)) != -1;) {
    if (c == 'd')
      options.directory = optarg;
    else if (c == 'f')
      options.filter = optarg;
    else if (c == 'l')
      return list();
    else if (c == 'b')
      options.big = true;
    else if (c == 'v')
      options.verbose = true;
    else if (c == 'j')
      options.jobs = atoi(optarg);
    else if (c == 'u' && sscanf(optarg, "%u:%u", &options.user.uid, &options.user.gid) == 2)
      continue;
    else
      return misuse();
  }
  if (options.directory.empty() || optind != argc || options.jobs < 1) return misuse();
  return firn::posix::run_all(options);
}
