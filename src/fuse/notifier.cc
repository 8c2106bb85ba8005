#include "fuse/notifier.h"

#include <sys/uio.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/metrics.h"
#include "base/time.h"

namespace firn::fuse {
namespace {

constexpr uint32_t kEpochMinor = 44;
constexpr int64_t kStuckNs = 500'000'000;  // for one message

}  // namespace

Notifier::Notifier(int fd, uint32_t minor) : fd_(fd), minor_(minor), thread_([this] { run(); }) {}

Notifier::~Notifier() {
  stop();
  thread_.join();
}

void Notifier::stop() {
  std::vector<std::shared_ptr<io::CancelToken>> waiting;
  {
    std::lock_guard lock(queue_mutex_);
    stopping_ = true;
    changed_.notify_all();
    waiting = std::exchange(waiting_, {});
    std::ranges::move(std::exchange(waiting_for_sent_, {}), std::back_inserter(waiting));
  }
  for (const auto& waiter : waiting) waiter->cancel();
}

bool Notifier::has_passed_on(std::shared_ptr<io::CancelToken> waiter) {
  std::lock_guard lock(queue_mutex_);
  // The kernel is busy where that message is about: who comes now is not to wait for it, too.
  if (sending_ && system_clock().monotonic_ns() - message_began_ns_ > kStuckNs) return true;
  return is_idle_or_waits(std::move(waiter));
}

bool Notifier::has_sent(std::shared_ptr<io::CancelToken> waiter) {
  std::lock_guard lock(queue_mutex_);
  return is_idle_or_waits(std::move(waiter));
}

bool Notifier::is_idle_or_waits(std::shared_ptr<io::CancelToken> waiter) {
  if (stopping_ || (!sending_ && !anything_queued())) return true;
  (anything_queued() ? waiting_ : waiting_for_sent_).push_back(std::move(waiter));
  return false;
}

void Notifier::tell_queued() const {
  static metrics::Gauge& gauge = metrics::process_registry().gauge(
      "firn_fuse_notifier_queue", "What the kernel is to be told to forget, and was not told yet.");
  gauge.set(static_cast<int64_t>(inodes_.size() + entries_.size() + (all_entries_ ? 1 : 0)));
}

void Notifier::inode_changed(InodeId inode, bool data_too) {
  std::lock_guard lock(queue_mutex_);
  if (stopping_) return;
  inodes_[inode] |= data_too;
  tell_queued();
  changed_.notify_one();
}

void Notifier::entry_changed(InodeId parent, std::string_view name) {
  std::lock_guard lock(queue_mutex_);
  if (stopping_) return;
  if (entries_.size() >= kMaxQueuedEntries && minor_ >= kEpochMinor) {
    entries_.clear();
    all_entries_ = true;
  } else {
    entries_.push_back({parent, std::string(name)});
  }
  tell_queued();
  changed_.notify_one();
}

uint64_t Notifier::sent() const {
  std::lock_guard lock(queue_mutex_);
  return sent_;
}

void Notifier::run() {
  std::unique_lock lock(queue_mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || anything_queued(); });
    if (stopping_) return;
    sending_ = true;
    message_began_ns_ = system_clock().monotonic_ns();
    waiting_for_sent_ = std::exchange(waiting_, {});
    auto inodes = std::exchange(inodes_, {});
    auto entries = std::exchange(entries_, {});
    const bool all_entries = std::exchange(all_entries_, false);
    tell_queued();
    lock.unlock();
    for (const auto& [inode, data_too] : inodes) send_inode(inode, data_too);
    if (all_entries) send_epoch();
    for (const Entry& entry : entries) send_entry(entry);
    lock.lock();
    sent_ += inodes.size() + entries.size() + (all_entries ? 1 : 0);
    sending_ = false;
    const auto done = std::exchange(waiting_for_sent_, {});
    lock.unlock();
    for (const auto& waiter : done) waiter->cancel();
    lock.lock();
  }
}

void Notifier::send_inode(InodeId inode, bool data_too) {
  // A negative offset means attributes only; length 0 means to the end.
  const fuse_notify_inval_inode_out body{.ino = inode.value, .off = data_too ? 0 : -1, .len = 0};
  write_message(FUSE_NOTIFY_INVAL_INODE, &body, sizeof body, {});
}

void Notifier::send_entry(const Entry& entry) {
  const fuse_notify_inval_entry_out body{
      .parent = entry.parent.value, .namelen = static_cast<uint32_t>(entry.name.size()), .flags = 0};
  write_message(FUSE_NOTIFY_INVAL_ENTRY, &body, sizeof body, entry.name);
}

void Notifier::send_epoch() { write_message(kNotifyIncEpoch, nullptr, 0, {}); }

void Notifier::write_message(int32_t code, const void* body, size_t bytes, std::string_view name) {
  static char nul = 0;
  fuse_out_header header{.len = 0, .error = code, .unique = 0};
  iovec parts[4] = {{&header, sizeof header},
                    {const_cast<void*>(body), bytes},
                    {const_cast<char*>(name.data()), name.size()},
                    {&nul, name.empty() ? size_t{0} : size_t{1}}};
  for (const iovec& part : parts) header.len += static_cast<uint32_t>(part.iov_len);
  message_began_ns_ = system_clock().monotonic_ns();
  // ENOENT: the kernel does not know that inode or name. Other failures mean that the connection ended.
  (void)!writev(fd_, parts, 4);
}

}  // namespace firn::fuse
