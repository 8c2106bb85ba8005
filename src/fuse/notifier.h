// Notifier: tells the kernel to forget what it cached, when another door changed it.
//
// A thread of its own, because these writes wait for locks that are held by processes which wait for our replies.
// Invariant: a change is visible in the volume before it is queued here, so what the kernel asks after the
// notification is new; and the kernel orders a notification after the lookups that were in flight.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "fuse/protocol.h"
#include "vfs/volume.h"

namespace firn::fuse {

// Queued entries; beyond it the kernel is told to revalidate every name (7.44), or the oldest changes wait longer.
inline constexpr size_t kMaxQueuedEntries = 65536;

class Notifier final : public vfs::CacheObserver {
 public:
  // `fd`: the session's descriptor, not owned. `minor`: the protocol both sides speak.
  Notifier(int fd, uint32_t minor);
  // Drops what is queued. Does not wait for a blocked write longer than the connection lives: end it first.
  ~Notifier() override;

  void inode_changed(InodeId inode, bool data_too) override;
  void entry_changed(InodeId parent, std::string_view name) override;
  bool has_passed_on(std::shared_ptr<io::CancelToken> waiter) override;
  // The same, however long the kernel takes for one message.
  bool has_sent(std::shared_ptr<io::CancelToken> waiter);
  // What is queued is dropped, and further changes are ignored.
  void stop();

  uint64_t sent() const;

 private:
  struct Entry {
    InodeId parent;
    std::string name;
  };

  void run();
  // Under queue_mutex_: for the metrics.
  void tell_queued() const;
  // Under queue_mutex_. False: `waiter` is cancelled when all is sent.
  bool is_idle_or_waits(std::shared_ptr<io::CancelToken> waiter);
  // Under queue_mutex_.
  bool anything_queued() const { return !inodes_.empty() || !entries_.empty() || all_entries_; }
  void send_inode(InodeId inode, bool data_too);
  void send_entry(const Entry& entry);
  void send_epoch();
  void write_message(int32_t code, const void* body, size_t bytes, std::string_view name);

  const int fd_;
  const uint32_t minor_;
  std::atomic<int64_t> message_began_ns_ = 0;  // the one that is being sent
  mutable std::mutex queue_mutex_;             // guards everything below
  std::condition_variable changed_;
  std::unordered_map<InodeId, bool> inodes_;  // value: data too
  std::deque<Entry> entries_;
  bool all_entries_ = false;
  bool sending_ = false;
  bool stopping_ = false;
  // For what is queued to be sent; for what is being sent.
  std::vector<std::shared_ptr<io::CancelToken>> waiting_, waiting_for_sent_;
  uint64_t sent_ = 0;
  std::thread thread_;
};

}  // namespace firn::fuse
