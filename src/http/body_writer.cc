#include "http/body_writer.h"

#include <algorithm>

namespace firn::http {
namespace {

constexpr uint64_t kPieceBytes = 512 << 10;

}  // namespace

BodyWriter::BodyWriter(Exchange& exchange, vfs::Volume& volume, vfs::Handle* handle)
    : exchange_(exchange),
      volume_(volume),
      handle_(handle),
      room_(std::min(kPieceBytes, exchange.request().content_length.value_or(kPieceBytes))),
      buffer_(io::make_buffer(room_)) {}

io::Task<Result<void>> BodyWriter::read_ahead() {
  while (held_ < room_) {
    const size_t bytes = CO_TRY(co_await exchange_.read_body({buffer_.get() + held_, room_ - held_}));
    if (bytes == 0) break;
    held_ += bytes;
  }
  co_return Result<void>();
}

io::Task<Result<uint64_t>> BodyWriter::write_all(vfs::StreamWriter::Options options) {
  vfs::StreamWriter writer(volume_, handle_, options);
  const Result<void> passed = co_await pass_on(writer, INT64_MAX - options.offset);
  co_await writer.close();
  CO_TRY(Result<void>(passed));
  co_return writer.written_bytes();
}

io::Task<Result<void>> BodyWriter::pass_on(vfs::StreamWriter& writer, uint64_t most_bytes) {
  while (held_ > 0) {
    if (held_ > most_bytes - writer.written_bytes()) co_return fail(Code::kFileTooBig, "no file is as large as that");
    CO_TRY(co_await writer.write({buffer_.get(), held_}));
    held_ = CO_TRY(co_await exchange_.read_body({buffer_.get(), room_}));
  }
  co_return Result<void>();
}

}  // namespace firn::http
