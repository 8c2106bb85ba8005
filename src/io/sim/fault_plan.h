// What can go wrong on a simulated disk, and when.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"

namespace firn::io {

enum class SimCall : uint8_t {
  // Disk
  kOpen,
  kMakeDirectory,
  kRename,
  kUnlink,
  kStat,
  kList,
  kSyncDirectory,
  kUsage,
  kSyncFilesystem,
  // File
  kRead,
  kWrite,
  kWritePages,  // a part of write_direct()
  kSync,
  kStartWriteback,
  kTruncate,
  kAllocate,
  kSeek,
  kFileStat,
  kSetTimes,
  kCopy,
  kShareBlocks,
};

struct SimCallInfo {
  SimCall call;
  const std::string& path;  // as given to Disk; a File's calls have the path it was opened by
  uint64_t ordinal;         // of this call among all of the disk's calls, from 0
};

struct SimFault {
  Code code = Code::kOk;  // kOk: no fault
  // The call takes effect and fails all the same: the caller cannot know.
  bool after_effect = false;
  // kWrite, kWritePages: a prefix is written before it fails. kCopy: fewer bytes are copied, without failing (code is
  // ignored).
  bool partial = false;
};

// Asked once for every call. May keep state.
using FaultPlan = std::function<SimFault(const SimCallInfo&)>;

// Each call fails with probability 1 / `one_in`, with one of `codes`; half of those that fail do so after their effect,
// and half of failing writes write a prefix.
FaultPlan random_faults(uint64_t seed, uint64_t one_in, std::vector<Code> codes = {Code::kIo, Code::kNoSpace});
// The `nth` call of that kind (from 0) fails with `fault`; all others succeed.
FaultPlan fail_nth(SimCall call, uint64_t nth, SimFault fault);

}  // namespace firn::io
