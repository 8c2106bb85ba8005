// ONC RPC messages (RFC 5531): a call's head, and the heads of replies.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nfs/xdr.h"

namespace firn::nfs {

enum class AuthFlavor : uint32_t { kNone = 0, kSys = 1 };

// Who calls, as AUTH_SYS tells; with AUTH_NONE nobody.
struct Caller {
  bool known = false;  // false: AUTH_NONE
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;  // at most 16
};

inline constexpr size_t kMaxAuthGroups = 16;

struct Call {
  uint32_t xid = 0;
  uint32_t program = 0;
  uint32_t version = 0;
  uint32_t procedure = 0;
  Caller caller;
};

// RFC 5531's accept_stat.
enum class Accepted : uint32_t {
  kSuccess = 0,
  kProgramUnavailable = 1,
  kProgramMismatch = 2,
  kProcedureUnavailable = 3,
  kGarbageArguments = 4,
  kSystemError = 5,
};

enum class CallHead : uint8_t {
  kCall,         // a call, whose arguments follow
  kNoCall,       // not even that: the connection is not to be trusted
  kRpcMismatch,  // another version of RPC
  kBadAuth,      // credentials that contradict themselves
  kUnknownAuth,  // of a flavour that this server does not take
};

// Reads a call's head; `in` then stands at its arguments. Call::xid is set unless kNoCall.
CallHead read_call(XdrReader& in, Call& call);

// Replies begin with a record mark, for which they leave room: see finish_reply().
void begin_reply(XdrWriter& out, uint32_t xid, Accepted accepted);
// Changes begin_reply()'s word and takes back what came after it.
void replace_reply(XdrWriter& out, Accepted accepted);
// kProgramMismatch, and the one version that there is.
void mismatch_reply(XdrWriter& out, uint32_t xid, uint32_t version);
// `head`: what is wrong with the call.
void denied_reply(XdrWriter& out, uint32_t xid, CallHead head);
// What follows the head of a reply that says kSuccess; empty for every other.
std::span<const std::byte> reply_result(const XdrWriter& out);
// Fills in the record mark: one fragment, the last. Once, at the end; `more_bytes` follow `out` in the record.
void finish_reply(XdrWriter& out, size_t more_bytes = 0);

}  // namespace firn::nfs
