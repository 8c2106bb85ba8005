// XDR, record marking and the heads of calls.
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "io/block_on.h"
#include "io/sim/sim_reactor.h"
#include "nfs/rpc_call.h"
#include "nfs/rpc_record.h"
#include "nfs/testing/memory_socket.h"
#include "nfs/xdr.h"

namespace firn::nfs {
namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Xdr, ReadsWhatItWrote) {
  XdrWriter out(1);
  out.u32(7);
  out.u64(uint64_t{1} << 40);
  out.boolean(true);
  out.string("abcde");
  out.string("");
  EXPECT_EQ(out.size() % 4, 0u);
  XdrReader in(out.bytes());
  EXPECT_EQ(in.u32(), 7u);
  EXPECT_EQ(in.u64(), uint64_t{1} << 40);
  EXPECT_TRUE(in.boolean());
  EXPECT_EQ(in.string(5), "abcde");
  EXPECT_EQ(in.string(5), "");
  EXPECT_TRUE(in.ok());
  EXPECT_TRUE(in.rest().empty());
}

TEST(Xdr, GoldenBytes) {
  XdrWriter out;
  out.u32(0x01020304);
  out.string("hi!");
  EXPECT_EQ(text_of(out.bytes()), std::string("\1\2\3\4\0\0\0\3hi!\0", 12));
}

TEST(Xdr, AFailureSticks) {
  XdrWriter out;
  out.string("abcde");
  XdrReader too_long(out.bytes());
  EXPECT_EQ(too_long.string(4), "");
  EXPECT_FALSE(too_long.ok());
  EXPECT_EQ(too_long.u32(), 0u);
  XdrReader cut(out.bytes().first(9));
  EXPECT_EQ(cut.string(100), "");
  EXPECT_FALSE(cut.ok());
  XdrReader nothing({});
  EXPECT_EQ(nothing.u64(), 0u);
  EXPECT_FALSE(nothing.ok());
}

std::string fragment(const std::string& bytes, bool last) {
  std::string result;
  append_be(result, static_cast<uint32_t>(bytes.size()) | (last ? kLastFragment : 0));
  return result + bytes;
}

struct Reading {
  std::vector<std::string> records;
  Status end;
};

io::Task<Reading> read_all(io::Socket& socket) {
  RecordReader reader(
      socket, {.record_bytes = 1000, .fragments = 4, .idle_timeout_ns = 1000, .record_timeout_ns = 1000}, nullptr);
  Reading reading;
  for (;;) {
    auto record = co_await reader.next();
    if (!record) reading.end = record.error();
    if (!record || !*record) co_return reading;
    reading.records.push_back(text_of((*record)->view()));
  }
}

Reading read_pieces(std::deque<std::string> pieces) {
  io::SimReactor reactor;
  std::string ignored;
  MemorySocket socket(std::move(pieces), &ignored);
  return io::run_to_end(reactor, read_all(socket));
}

TEST(Records, HoweverTheyAreCut) {
  const std::string stream =
      fragment("one", true) + fragment("t", false) + fragment("", false) + fragment("wo", true) + fragment("", true);
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    const Reading reading = read_pieces({stream.substr(0, cut), stream.substr(cut)});
    EXPECT_EQ(reading.records, (std::vector<std::string>{"one", "two", ""})) << cut;
    EXPECT_TRUE(reading.end.ok());
  }
}

TEST(Records, WithinBounds) {
  EXPECT_EQ(read_pieces({fragment(std::string(1000, 'x'), true)}).records.size(), 1u);
  EXPECT_EQ(read_pieces({fragment(std::string(1001, 'x'), true)}).end.code(), Code::kInvalid);
  const std::string half = fragment(std::string(600, 'x'), false);
  EXPECT_EQ(read_pieces({half + half}).end.code(), Code::kInvalid);
  EXPECT_EQ(read_pieces({std::string("\x7f\xff\xff\xff", 4)}).end.code(), Code::kInvalid);
  const std::string empty = fragment("", false);
  EXPECT_EQ(read_pieces({empty + empty + empty + empty + empty}).end.code(), Code::kInvalid);
  EXPECT_EQ(read_pieces({fragment("cut", true).substr(0, 5)}).end.code(), Code::kInvalid);
}

struct CallBytes {
  uint32_t rpc = 2;
  uint32_t flavor = 1;
  uint32_t groups = 16;
};

XdrWriter make_call(CallBytes bytes) {
  XdrWriter out;
  for (const uint32_t word : {99u, 0u, bytes.rpc, 100003u, 3u, 1u, bytes.flavor}) out.u32(word);
  XdrWriter credentials;
  credentials.u32(5);
  credentials.string("host");
  credentials.u32(1000);
  credentials.u32(100);
  credentials.u32(bytes.groups);
  for (uint32_t i = 0; i < bytes.groups; ++i) credentials.u32(i);
  out.opaque(credentials.bytes());
  out.u64(0);
  out.u32(4711);
  return out;
}

TEST(Calls, TellWhoCalls) {
  const XdrWriter message = make_call({});
  XdrReader in(message.bytes());
  Call call;
  ASSERT_EQ(read_call(in, call), CallHead::kCall);
  EXPECT_EQ(call.xid, 99u);
  EXPECT_EQ(call.program, 100003u);
  EXPECT_EQ(call.procedure, 1u);
  EXPECT_TRUE(call.caller.known);
  EXPECT_EQ(call.caller.uid, 1000u);
  EXPECT_EQ(call.caller.gid, 100u);
  EXPECT_EQ(call.caller.groups.size(), 16u);
  EXPECT_EQ(call.caller.groups[15], 15u);
  EXPECT_EQ(in.u32(), 4711u) << "stands at the arguments";
}

CallHead head_of(const XdrWriter& message, size_t bytes = SIZE_MAX) {
  XdrReader in(message.bytes().first(std::min(bytes, message.size())));
  Call call;
  return read_call(in, call);
}

TEST(Calls, ThatAreNone) {
  EXPECT_EQ(head_of(make_call({.rpc = 3})), CallHead::kRpcMismatch);
  EXPECT_EQ(head_of(make_call({.flavor = 6})), CallHead::kUnknownAuth);
  EXPECT_EQ(head_of(make_call({.groups = 17})), CallHead::kBadAuth);
  const XdrWriter good = make_call({});
  for (size_t bytes = 0; bytes < 40; ++bytes) EXPECT_EQ(head_of(good, bytes), CallHead::kNoCall) << bytes;
}

TEST(Replies, CarryOneMark) {
  XdrWriter out;
  begin_reply(out, 7, Accepted::kSuccess);
  out.u64(1);
  replace_reply(out, Accepted::kGarbageArguments);
  finish_reply(out);
  EXPECT_EQ(text_of(out.bytes()), std::string("\x80\0\0\x18\0\0\0\7\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\4", 28));
}

}  // namespace
}  // namespace firn::nfs
