#include "nfs/duplicate_requests.h"

#include <xxhash.h>

#include <utility>

namespace firn::nfs {

DuplicateRequests::Key DuplicateRequests::key_of(const Address& client, std::span<const std::byte> record) {
  const XXH64_hash_t seed = XXH3_64bits(client.data(), client.size());
  const XXH128_hash_t hash = XXH3_128bits_withSeed(record.data(), record.size(), seed);
  return {hash.low64, hash.high64};
}

DuplicateRequests::Begun DuplicateRequests::begin(const Key& key, int64_t now_ns) {
  std::lock_guard lock(mutex_);
  while (!order_.empty() &&
         (order_.size() >= options_.most || now_ns - order_.front().second->begun_ns > options_.lifetime_ns)) {
    known_.erase(order_.front().first);
    order_.pop_front();
  }
  if (const auto found = known_.find(key); found != known_.end()) {
    const std::shared_ptr<Entry>& entry = found->second->second;
    return {entry, !std::exchange(entry->answering, true)};
  }
  auto entry = std::make_shared<Entry>();
  entry->begun_ns = now_ns;
  known_[key] = order_.insert(order_.end(), {key, entry});
  return {std::move(entry), true};
}

void DuplicateRequests::finish(Entry& entry, std::span<const std::byte> reply) {
  if (reply.size() <= options_.most_reply_bytes)
    entry.reply.assign(reinterpret_cast<const char*>(reply.data()), reply.size());
  entry.answered.set();
}

bool DuplicateRequests::recall(const Key& key, InodeId done, int64_t now_ns) {
  std::lock_guard lock(mutex_);
  if (order_.size() >= options_.most) return false;
  const auto [place, is_new] = known_.try_emplace(key);
  if (!is_new) return true;
  auto entry = std::make_shared<Entry>();
  entry->begun_ns = now_ns;
  entry->done = done;
  entry->answering = false;
  place->second = order_.insert(order_.begin(), {key, std::move(entry)});
  return true;
}

size_t DuplicateRequests::size() const {
  std::lock_guard lock(mutex_);
  return order_.size();
}

}  // namespace firn::nfs
