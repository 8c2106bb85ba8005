#include "nfs/rpc_call.h"

#include "nfs/rpc_record.h"

namespace firn::nfs {
namespace {

constexpr uint32_t kMessageCall = 0;
constexpr uint32_t kMessageReply = 1;
constexpr uint32_t kRpcVersion = 2;
constexpr uint32_t kReplyAccepted = 0;
constexpr uint32_t kReplyDenied = 1;
constexpr uint32_t kRejectMismatch = 0;
constexpr uint32_t kRejectAuth = 1;
constexpr uint32_t kAuthBadCredentials = 1;
constexpr uint32_t kAuthTooWeak = 5;
constexpr size_t kMaxAuthBytes = 400;
constexpr size_t kMaxMachineName = 255;
// Record mark, xid, "reply", "accepted", an empty verifier.
constexpr size_t kAcceptedAt = 24;

bool read_auth_sys(std::span<const std::byte> body, Caller& caller) {
  XdrReader in(body);
  (void)in.u32();  // a stamp of the client's
  (void)in.string(kMaxMachineName);
  caller.known = true;
  caller.uid = in.u32();
  caller.gid = in.u32();
  const uint32_t groups = in.u32();
  if (groups > kMaxAuthGroups) return false;
  caller.groups.resize(groups);
  for (uint32_t& group : caller.groups) group = in.u32();
  return in.ok();
}

}  // namespace

CallHead read_call(XdrReader& in, Call& call) {
  call.xid = in.u32();
  const uint32_t kind = in.u32();
  if (!in.ok() || kind != kMessageCall) return CallHead::kNoCall;
  const uint32_t rpc_version = in.u32();
  call.program = in.u32();
  call.version = in.u32();
  call.procedure = in.u32();
  if (!in.ok()) return CallHead::kNoCall;
  if (rpc_version != kRpcVersion) return CallHead::kRpcMismatch;
  const uint32_t flavor = in.u32();
  const auto credentials = in.opaque(kMaxAuthBytes);
  (void)in.u32();  // the verifier's flavour: of the ones taken here it is always empty
  (void)in.opaque(kMaxAuthBytes);
  if (!in.ok()) return CallHead::kNoCall;
  if (flavor == static_cast<uint32_t>(AuthFlavor::kNone)) return CallHead::kCall;
  if (flavor != static_cast<uint32_t>(AuthFlavor::kSys)) return CallHead::kUnknownAuth;
  return read_auth_sys(credentials, call.caller) ? CallHead::kCall : CallHead::kBadAuth;
}

void begin_reply(XdrWriter& out, uint32_t xid, Accepted accepted) {
  out.u32(0);  // the record mark
  out.u32(xid);
  out.u32(kMessageReply);
  out.u32(kReplyAccepted);
  out.u32(static_cast<uint32_t>(AuthFlavor::kNone));
  out.u32(0);
  out.u32(static_cast<uint32_t>(accepted));
}

void replace_reply(XdrWriter& out, Accepted accepted) {
  out.truncate(kAcceptedAt);
  out.u32(static_cast<uint32_t>(accepted));
}

std::span<const std::byte> reply_result(const XdrWriter& out) {
  constexpr size_t kResultAt = kAcceptedAt + 4;
  const std::span<const std::byte> bytes = out.bytes();
  if (bytes.size() < kResultAt) return {};
  XdrReader accepted(bytes.subspan(kAcceptedAt));
  if (accepted.u32() != static_cast<uint32_t>(Accepted::kSuccess)) return {};
  return accepted.rest();
}

void mismatch_reply(XdrWriter& out, uint32_t xid, uint32_t version) {
  begin_reply(out, xid, Accepted::kProgramMismatch);
  out.u32(version);
  out.u32(version);
}

void denied_reply(XdrWriter& out, uint32_t xid, CallHead head) {
  out.u32(0);  // the record mark
  out.u32(xid);
  out.u32(kMessageReply);
  out.u32(kReplyDenied);
  if (head == CallHead::kRpcMismatch) {
    out.u32(kRejectMismatch);
    out.u32(kRpcVersion);
    out.u32(kRpcVersion);
    return;
  }
  out.u32(kRejectAuth);
  out.u32(head == CallHead::kBadAuth ? kAuthBadCredentials : kAuthTooWeak);
}

void finish_reply(XdrWriter& out, size_t more_bytes) {
  out.patch_u32(0, kLastFragment | static_cast<uint32_t>(out.size() + more_bytes - kRecordMarkBytes));
}

}  // namespace firn::nfs
