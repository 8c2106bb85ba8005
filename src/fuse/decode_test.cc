#include "fuse/decode.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace firn::fuse {
namespace {

using Bytes = std::vector<std::byte>;

Bytes from_hex(std::string_view hex) {
  Bytes out;
  std::string digits;
  for (const char c : hex) {
    if (c == ' ' || c == '\n') continue;
    digits.push_back(c);
    if (digits.size() == 2) {
      out.push_back(static_cast<std::byte>(std::stoi(digits, nullptr, 16)));
      digits.clear();
    }
  }
  return out;
}

Status decode_bytes(const Bytes& bytes, Request& request, const Dialect& dialect = {}) {
  Message message;
  const Status status = split_message(bytes, dialect, message);
  return status.ok() ? decode(message, dialect, request) : status;
}

// A message: header for `opcode`, then `body`.
Bytes message(uint32_t opcode, const Bytes& body, uint16_t extension_words = 0) {
  fuse_in_header header{};
  header.len = static_cast<uint32_t>(sizeof header + body.size());
  header.opcode = opcode;
  header.unique = 2;
  header.nodeid = 1;
  header.total_extlen = extension_words;
  Bytes out(sizeof header);
  std::memcpy(out.data(), &header, sizeof header);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

template <class T>
void append(Bytes& out, const T& value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

void append_text(Bytes& out, std::string_view text) {
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
}

Bytes text(std::string_view value) {
  Bytes out;
  append_text(out, value);
  return out;
}

using namespace std::string_view_literals;

TEST(Decode, GoldenLookup) {
  // len 44, LOOKUP, unique 0x1234, node 1, uid 1000, gid 1001, pid 42, "abc".
  const Bytes bytes = from_hex(R"(2c000000 01000000 3412000000000000 0100000000000000
                                  e8030000 e9030000 2a000000 00000000 61626300)");
  Request request;
  ASSERT_TRUE(decode_bytes(bytes, request).ok());
  EXPECT_EQ(request.header.unique, 0x1234U);
  EXPECT_EQ(request.header.nodeid, 1U);
  EXPECT_EQ(request.header.uid, 1000U);
  EXPECT_EQ(request.header.gid, 1001U);
  EXPECT_EQ(request.name, "abc");
}

TEST(Decode, GoldenWrite) {
  // fh 7, offset 4096, size 3, no flags, then "xyz".
  const Bytes bytes = from_hex(R"(53000000 10000000 0a00000000000000 0500000000000000
                                  00000000 00000000 00000000 00000000
                                  0700000000000000 0010000000000000 03000000 00000000
                                  0000000000000000 00000000 00000000 78797a)");
  Request request;
  ASSERT_TRUE(decode_bytes(bytes, request).ok());
  const auto in = request.op<fuse_write_in>();
  EXPECT_EQ(in.fh, 7U);
  EXPECT_EQ(in.offset, 4096U);
  EXPECT_EQ(request.data.size(), 3U);
  EXPECT_EQ(std::memcmp(request.data.data(), "xyz", 3), 0);
}

TEST(Decode, GoldenRename2) {
  const Bytes bytes = from_hex(R"(3e000000 2d000000 0c00000000000000 0100000000000000
                                  00000000 00000000 00000000 00000000
                                  0900000000000000 01000000 00000000 6100 6262 6200)");
  Request request;
  ASSERT_TRUE(decode_bytes(bytes, request).ok());
  EXPECT_EQ(request.op<fuse_rename2_in>().newdir, 9U);
  EXPECT_EQ(request.op<fuse_rename2_in>().flags, 1U);
  EXPECT_EQ(request.name, "a");
  EXPECT_EQ(request.name2, "bbb");
}

TEST(Decode, TakesGroupsFromAnExtension) {
  Bytes body;
  append(body, fuse_mkdir_in{.mode = 0755, .umask = 022});
  append_text(body, "dir\0"sv);
  append(body, fuse_ext_header{.size = 20, .type = kExtensionGroups});
  append(body, uint32_t{2});
  append(body, uint32_t{100});
  append(body, uint32_t{200});
  append(body, uint32_t{0});  // padding to 8 bytes
  Request request;
  const Bytes bytes = message(FUSE_MKDIR, body, 3);  // the request's views point into it
  ASSERT_TRUE(decode_bytes(bytes, request).ok());
  EXPECT_EQ(request.name, "dir");
  ASSERT_EQ(request.group_count(), 2U);
  EXPECT_EQ(request.group(0), 100U);
  EXPECT_EQ(request.group(1), 200U);
}

TEST(Decode, RefusesBadNames) {
  Request request;
  EXPECT_EQ(decode_bytes(message(FUSE_LOOKUP, text("no end")), request).code(), Code::kInvalid);
  EXPECT_EQ(decode_bytes(message(FUSE_LOOKUP, text("\0"sv)), request).code(), Code::kInvalid);
  EXPECT_EQ(decode_bytes(message(FUSE_LOOKUP, text("a/b\0"sv)), request).code(), Code::kInvalid);
  EXPECT_EQ(decode_bytes(message(FUSE_UNLINK, text("..\0"sv)), request).code(), Code::kInvalid);
  EXPECT_TRUE(decode_bytes(message(FUSE_LOOKUP, text("..\0"sv)), request).ok());
  EXPECT_EQ(decode_bytes(message(FUSE_LOOKUP, text(std::string(256, 'n') + '\0')), request).code(), Code::kNameTooLong);
  EXPECT_TRUE(decode_bytes(message(FUSE_LOOKUP, text(std::string(255, 'n') + '\0')), request).ok());
  EXPECT_EQ(decode_bytes(message(FUSE_SYMLINK, text("a\0"sv)), request).code(), Code::kInvalid);
  EXPECT_EQ(decode_bytes(message(FUSE_SYMLINK, text("a\0\0"sv)), request).code(), Code::kInvalid);
}

TEST(Decode, RefusesLengthsThatLie) {
  Request request;
  Bytes lookup = message(FUSE_LOOKUP, text("abc\0"sv));
  lookup[0] = std::byte{45};  // one more than there is
  EXPECT_EQ(decode_bytes(lookup, request).code(), Code::kInvalid);

  Bytes write;
  append(write, fuse_write_in{.fh = 1, .size = 100});
  append_text(write, "short");
  EXPECT_EQ(decode_bytes(message(FUSE_WRITE, write), request).code(), Code::kInvalid);

  Bytes forgets;
  append(forgets, fuse_batch_forget_in{.count = 0xffffffff});
  append(forgets, fuse_forget_one{.nodeid = 2, .nlookup = 1});
  EXPECT_EQ(decode_bytes(message(FUSE_BATCH_FORGET, forgets), request).code(), Code::kInvalid);

  EXPECT_EQ(decode_bytes(message(FUSE_LOOKUP, text("abc\0"sv), 0xffff), request).code(), Code::kInvalid);
}

TEST(Decode, KnowsTheOlderSetxattr) {
  Bytes body;
  append(body, uint32_t{2});  // size
  append(body, uint32_t{0});  // flags
  append_text(body, "user.a\0hi"sv);
  Request request;
  const Bytes bytes = message(FUSE_SETXATTR, body);
  ASSERT_TRUE(decode_bytes(bytes, request, {.setxattr_ext = false}).ok());
  EXPECT_EQ(request.name, "user.a");
  EXPECT_EQ(request.data.size(), 2U);
}

TEST(Decode, NamesUnknownOpcodes) {
  Request request;
  EXPECT_EQ(decode_bytes(message(63, {}), request).code(), Code::kNotImplemented);
  EXPECT_EQ(decode_bytes(message(0xffffffff, {}), request).code(), Code::kNotImplemented);
  EXPECT_EQ(request.header.unique, 2U);
}

TEST(Decode, EveryPrefixOfAMessageIsRefusedOrWhole) {
  for (uint32_t opcode = 0; opcode < 64; ++opcode) {
    const Bytes whole = message(opcode, Bytes(300, std::byte{'x'}));
    for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(bytes));
      Request request;
      EXPECT_FALSE(decode_bytes(cut, request).ok());
    }
  }
}

TEST(Decode, SurvivesNoise) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 200'000; ++i) {
    Bytes body(random() % 200);
    for (std::byte& byte : body) byte = static_cast<std::byte>(random() % 4 ? random() : 0);
    Request request;
    const Status status = decode_bytes(message(random() % 64, body, static_cast<uint16_t>(random() % 4)), request);
    if (!status.ok()) continue;
    EXPECT_LE(request.name.size(), 255U);
    EXPECT_LE(request.data.size(), body.size());
  }
}

}  // namespace
}  // namespace firn::fuse
