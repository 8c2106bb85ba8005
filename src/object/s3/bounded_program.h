// A program that is run to its end, in bounded time and with bounded output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace firn::object::s3 {

struct ProgramLimits {
  int64_t within_ns = 30'000'000'000;
  size_t out_bytes = 64 << 10;
};

struct ProgramResult {
  int exit_code = 0;   // -1: a signal ended it
  std::string out;     // all of its stdout
  std::string errors;  // what it wrote to stderr, the first part of it
};

// Blocks. No shell: `command[0]` is a path, or a name that is looked for in this process's PATH; the rest is handed
// over as it is. The program has nothing to read, no descriptors but the standard ones, and a process group of its own.
// kNotFound, kAccessDenied...: it cannot be started. kTimedOut: it, or a child that holds its output, was still there,
// or it was not started, since within_ns is none or too many are there that could not be killed. kInvalid: it wrote
// more than it may. After these two all of the group is killed, and left to itself after another second where it does
// not die of it.
Result<ProgramResult> run_program(std::vector<std::string> command, std::vector<std::string> environment,
                                  ProgramLimits limits);

}  // namespace firn::object::s3
