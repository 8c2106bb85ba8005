#include "http/body_writer.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

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

io::Task<Result<void>> BodyWriter::read_all(vfs::DoorId door) {
  CO_TRY(co_await read_ahead());
  if (held_ < room_) co_return Result<void>();
  // The daemon's own: whoever asks may write to the file, but need not to any folder.
  const meta::Credentials daemon{.door = door};
  kept_ = CO_TRY(co_await volume_.create_unnamed(daemon, kRootInode, {.mode = 0600}, {.flags = O_RDWR})).handle;
  co_return co_await keep_rest();
}

io::Task<Result<void>> BodyWriter::keep_rest() {
  const io::Buffer buffer = io::make_buffer(room_);
  vfs::StreamWriter writer(volume_, kept_, {});
  Result<void> done;
  while (done) {
    const Result<size_t> bytes = co_await exchange_.read_body({buffer.get(), room_});
    if (!bytes) done = fail(bytes.error());
    if (!bytes || *bytes == 0) break;
    done = co_await writer.write({buffer.get(), *bytes});
  }
  co_await writer.close();
  co_return done;
}

io::Task<Result<size_t>> BodyWriter::next() {
  if (!kept_) co_return co_await exchange_.read_body({buffer_.get(), room_});
  const size_t bytes = CO_TRY(co_await volume_.read(kept_, kept_read_bytes_, {buffer_.get(), room_}));
  kept_read_bytes_ += bytes;
  co_return bytes;
}

io::Task<void> BodyWriter::close() {
  // It goes with its last handle; what was in it is in its place, or not wanted.
  if (kept_) (void)co_await volume_.release(std::exchange(kept_, nullptr));
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
    held_ = CO_TRY(co_await next());
  }
  co_return Result<void>();
}

}  // namespace firn::http
