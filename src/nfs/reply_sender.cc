#include "nfs/reply_sender.h"

#include <utility>

namespace firn::nfs {
namespace {

constexpr size_t kSmallBytes = 16 << 10;

}  // namespace

io::Task<Result<void>> ReplySender::send(const Reply& reply) {
  const std::span<const std::byte> head = reply.head.bytes();
  if (reply.part.bytes == 0 && head.size() <= kSmallBytes) co_return co_await send_small(head);
  const io::Mutex::Guard turn = co_await sending_.lock();
  if (broken_) co_return fail(Code::kUnavailable);
  const Result<void> sent = co_await send_reply(socket_, reply, io::within(timeout_ns_, token_));
  if (!sent) broken_ = true;
  co_return sent;
}

io::Task<Result<void>> ReplySender::send_small(std::span<const std::byte> bytes) {
  gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
  const uint64_t end = gathered_bytes_ += bytes.size();
  const io::Mutex::Guard turn = co_await sending_.lock();
  if (broken_) co_return fail(Code::kUnavailable);
  if (sent_bytes_ >= end) co_return {};  // with somebody else's
  const std::vector<std::byte> all = std::exchange(gathered_, {});
  const uint64_t through = gathered_bytes_;
  const Result<void> sent = co_await socket_.send(all, io::within(timeout_ns_, token_));
  if (sent) sent_bytes_ = through;
  if (!sent) broken_ = true;
  co_return sent;
}

}  // namespace firn::nfs
