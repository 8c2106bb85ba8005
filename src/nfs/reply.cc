#include "nfs/reply.h"

namespace firn::nfs {

// Pages that are on their way when the file is cut off may reach the client as zeros, as they may for whoever reads a
// local file at that moment (docs/decisions/0021).
io::Task<Result<void>> send_reply(io::Socket& socket, const Reply& reply, io::Until until) {
  const FilePart& part = reply.part;
  if (part.bytes == 0) co_return co_await socket.send(reply.head.bytes(), until);
  CO_TRY(co_await socket.send_ahead(reply.head.bytes(), until));
  for (uint32_t done = 0; done < part.bytes;) {
    const size_t sent = CO_TRY(co_await socket.send_file(*part.backing, part.offset + done, part.bytes - done, until));
    if (sent == 0) co_return fail(Code::kIo, "the file was cut off meanwhile");
    done += static_cast<uint32_t>(sent);
  }
  constexpr std::byte kZeros[4] = {};
  const size_t padding = xdr_padded_bytes(part.bytes) - part.bytes;
  if (padding > 0) CO_TRY(co_await socket.send(std::span(kZeros).first(padding), until));
  co_return {};
}

}  // namespace firn::nfs
