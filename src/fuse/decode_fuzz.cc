// Any bytes as a message of either transport: the decoder must stay within them.
#include <cstdlib>

#include "fuse/decode.h"

using namespace firn::fuse;

namespace {

uint64_t sum(std::span<const std::byte> bytes) {
  uint64_t total = 0;
  for (const std::byte byte : bytes) total += static_cast<uint64_t>(byte);
  return total;
}

// Reads every byte that a view covers, so that the sanitizer sees one that points outside.
uint64_t touch(const Request& request) {
  uint64_t total =
      sum(request.data) + sum(std::as_bytes(std::span(request.name))) + sum(std::as_bytes(std::span(request.name2)));
  for (size_t i = 0; i < request.group_count(); ++i) total += request.group(i);
  return total;
}

void run(const Message& message, const Dialect& dialect) {
  Request request;
  if (!decode(message, dialect, request).ok()) return;
  if (request.name.size() > 255 || request.name2.size() > 4095) std::abort();
  volatile uint64_t sink = touch(request);
  (void)sink;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  for (const bool ext : {true, false}) {
    const Dialect dialect{.setxattr_ext = ext};
    Message message;
    if (split_message(bytes, dialect, message).ok()) run(message, dialect);
    // Over io_uring the lengths are not the header's: the structure has a fixed place, the rest is what it is.
    if (size < sizeof message.header + kUringHeaderBytes) continue;
    std::memcpy(&message.header, data, sizeof message.header);
    message.op = bytes.subspan(sizeof message.header, kUringHeaderBytes);
    message.rest = bytes.subspan(sizeof message.header + kUringHeaderBytes);
    run(message, dialect);
  }
  return 0;
}
