#include "tier/metadata/log_queue.h"

#include <algorithm>

#include "tier/metadata/log_payload.h"

namespace firn::tier {

void LogQueue::committed(kv::Version version, std::string_view batch) {
  bool ring = false;
  {
    std::lock_guard lock(loads_mutex_);
    last_ = version;
    if (dropping_) return;
    const uint64_t before = bytes_;
    const uint64_t bytes = sizeof(uint32_t) + batch.size();
    if (limits_.max_bytes != 0 && before + bytes > limits_.max_bytes) {
      dropping_ = ring = true;
      loads_.clear();
      bytes_ = commits_ = 0;
    } else {
      if (loads_.empty() || loads_.back().payload.size() + bytes > limits_.load_bytes) loads_.emplace_back();
      Load& load = loads_.back();
      append_commit(load.payload, batch);
      load.through = version;
      ++load.commits;
      ++commits_;
      bytes_ += bytes;
      ring = before == 0 || (before < limits_.ring_bytes && bytes_ >= limits_.ring_bytes);
    }
  }
  if (ring) alarm_.ring();
}

LogQueue::Load LogQueue::take() {
  std::lock_guard lock(loads_mutex_);
  if (loads_.empty()) return {};
  Load load = std::move(loads_.front());
  loads_.pop_front();
  bytes_ -= load.payload.size();
  commits_ -= load.commits;
  return load;
}

void LogQueue::stop() {
  std::lock_guard lock(loads_mutex_);
  dropping_ = true;
}

bool LogQueue::has_dropped() const {
  std::lock_guard lock(loads_mutex_);
  return dropping_;
}

kv::Version LogQueue::restart() {
  std::lock_guard lock(loads_mutex_);
  dropping_ = false;
  loads_.clear();
  bytes_ = commits_ = 0;
  return last_;
}

kv::Version LogQueue::last(kv::Version version) const {
  std::lock_guard lock(loads_mutex_);
  return std::max(last_, version);
}

uint64_t LogQueue::bytes() const {
  std::lock_guard lock(loads_mutex_);
  return bytes_;
}

uint64_t LogQueue::commits() const {
  std::lock_guard lock(loads_mutex_);
  return commits_;
}

}  // namespace firn::tier
