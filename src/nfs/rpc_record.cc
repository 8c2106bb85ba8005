#include "nfs/rpc_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace firn::nfs {

io::Task<Result<bool>> RecordReader::fill(io::Until until) {
  if (begin_ > 0) std::memmove(inbox_.get(), inbox_.get() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  const size_t received = CO_TRY(co_await socket_.recv({inbox_.get() + end_, kInboxBytes - end_}, until));
  end_ += received;
  co_return received > 0;
}

io::Task<Result<void>> RecordReader::take(std::span<std::byte> to, io::Until until) {
  const size_t here = std::min(to.size(), end_ - begin_);
  if (here > 0) std::memcpy(to.data(), inbox_.get() + begin_, here);
  begin_ += here;
  to = to.subspan(here);
  while (!to.empty()) {
    const size_t received = CO_TRY(co_await socket_.recv(to, until));
    if (received == 0) co_return fail(Code::kInvalid, "the stream ended in the middle of a record");
    to = to.subspan(received);
  }
  co_return {};
}

io::Task<Result<uint32_t>> RecordReader::mark(io::Until until) {
  while (pending().size() < kRecordMarkBytes)
    if (!CO_TRY(co_await fill(until))) co_return fail(Code::kInvalid, "the stream ended in the middle of a record");
  const uint32_t value = load_be<uint32_t>(pending().data());
  begin_ += kRecordMarkBytes;
  co_return value;
}

Status RecordReader::add_room(Record& record, size_t fragment_bytes) const {
  if (fragment_bytes > limits_.record_bytes - record.size)
    return Status(Code::kInvalid, fmt::format("a record of more than {} bytes", limits_.record_bytes));
  auto bytes = io::make_buffer(record.size + fragment_bytes);
  if (record.size > 0) std::memcpy(bytes.get(), record.bytes.get(), record.size);
  record.bytes = std::move(bytes);
  return {};
}

io::Task<Result<std::optional<Record>>> RecordReader::next() {
  if (pending().empty()) {
    const Result<bool> more = co_await fill(io::within(limits_.idle_timeout_ns, token_));
    if (!more && more.error().code() != Code::kTimedOut) co_return fail(more.error());
    if (!more || !*more) co_return std::optional<Record>();
  }
  const io::Until until = io::within(limits_.record_timeout_ns, token_);
  Record record;
  for (size_t fragments = 0; fragments < limits_.fragments; ++fragments) {
    const uint32_t value = CO_TRY(co_await mark(until));
    const size_t bytes = value & ~kLastFragment;
    CO_TRY(add_room(record, bytes));
    CO_TRY(co_await take({record.bytes.get() + record.size, bytes}, until));
    record.size += bytes;
    if (value & kLastFragment) co_return std::optional<Record>(std::move(record));
  }
  co_return fail(Code::kInvalid, "a record of too many fragments");
}

}  // namespace firn::nfs
