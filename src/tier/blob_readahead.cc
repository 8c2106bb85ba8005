#include "tier/blob_readahead.h"

#include <algorithm>

#include "tier/blob/format.h"

namespace firn::tier {

namespace {

constexpr uint64_t kCreditPerByte = 4;
constexpr uint64_t kNearBytes = 1 << 20;  // readers side by side, or an order that is not quite that of the blob
constexpr size_t kMaxMarks = 32;          // of one blob: readers that are each somewhere else in it
constexpr size_t kMaxBlobs = 1024;        // that are remembered
constexpr uint64_t kRecentCalls = 64;     // a range that served none of so many is given up by its reader

uint64_t end_of(Extent place) { return place.offset + place.bytes; }

}  // namespace

bool BlobReadahead::Range::holds(Extent other) const {
  return place.offset <= other.offset && end_of(other) <= end_of(place);
}

// ---- what is known of a blob ----

BlobReadahead::Blob& BlobReadahead::blob_of(const Key& key) {
  const auto [found, is_new] = blobs_.try_emplace(key);
  Blob& blob = found->second;
  if (is_new) {
    blob.used = blobs_by_use_.insert(blobs_by_use_.end(), key);
    for (auto old = blobs_by_use_.begin(); blobs_.size() > kMaxBlobs && old != std::prev(blobs_by_use_.end());) {
      const auto known = blobs_.find(*old);
      if (!known->second.ranges.empty()) {
        ++old;
        continue;
      }
      if (last_ == &known->second) last_ = nullptr;
      blobs_.erase(known);
      old = blobs_by_use_.erase(old);
    }
  } else {
    blobs_by_use_.splice(blobs_by_use_.end(), blobs_by_use_, blob.used);
  }
  return blob;
}

bool BlobReadahead::note(Blob& blob, Extent place) {
  const auto distance = [&](uint64_t mark) { return mark > place.offset ? mark - place.offset : place.offset - mark; };
  const auto nearest = std::ranges::min_element(blob.marks, {}, distance);
  const bool near = nearest != blob.marks.end() && distance(*nearest) <= kNearBytes;
  if (near) blob.marks.erase(nearest);
  blob.marks.push_back(end_of(place));
  if (blob.marks.size() > kMaxMarks) blob.marks.pop_front();
  return near;
}

bool BlobReadahead::last_is_at_its_end() const {
  return last_ != nullptr && !last_->marks.empty() && last_->marks.back() + kNearBytes >= last_->bytes;
}

BlobReadahead::RangeRef BlobReadahead::find(const Blob& blob, Extent place) const {
  const auto after = blob.ranges.upper_bound(place.offset);
  if (after == blob.ranges.begin()) return nullptr;
  const RangeRef& range = std::prev(after)->second;
  return range->holds(place) ? range : nullptr;
}

// ---- ranges ----

void BlobReadahead::drop(const RangeRef& range) {
  if (range->blob == nullptr) return;
  Blob& blob = *std::exchange(range->blob, nullptr);
  statistics_.cached_bytes -= range->place.bytes;
  ranges_.erase(range->used);
  blob.ranges.erase(range->place.offset);
}

bool BlobReadahead::make_room(uint64_t bytes) {
  for (auto old = ranges_.begin(); statistics_.cached_bytes + bytes > options_.cache_bytes && old != ranges_.end();) {
    const RangeRef range = *old++;
    if (range->done.is_set()) drop(range);
  }
  return statistics_.cached_bytes + bytes <= options_.cache_bytes;
}

void BlobReadahead::note_served(const RangeRef& range, uint64_t bytes) {
  if (range->blob == nullptr) return;
  range->unserved_bytes -= std::min(bytes, range->unserved_bytes);
  // What was read once is on the local disk; a range ends in the middle of a frame, which comes with the next.
  if (range->unserved_bytes < bytes) return drop(range);
  range->last_call = calls_;
  ranges_.splice(ranges_.end(), ranges_, range->used);
}

// Of the cache for one range: not more than can be kept while other places are read by turns.
uint64_t BlobReadahead::share() const {
  const auto is_waited_for = [this](const RangeRef& range) {
    return calls_ - range->last_call < kRecentCalls && range->unserved_bytes > range->place.bytes / 8;
  };
  return options_.cache_bytes / (2 * static_cast<uint64_t>(1 + std::ranges::count_if(ranges_, is_waited_for)));
}

BlobReadahead::RangeRef BlobReadahead::plan(Blob& blob, const Wanted& wanted) {
  const uint64_t most = std::min(options_.range_bytes, share());
  uint64_t end = std::min({end_of(wanted.place) + blob.credit, wanted.place.offset + most, wanted.blob_bytes});
  const auto next = blob.ranges.lower_bound(wanted.place.offset);
  if (next != blob.ranges.end()) end = std::min(end, next->first);
  if (end <= end_of(wanted.place) || !make_room(end - wanted.place.offset)) return nullptr;
  auto range = std::make_shared<Range>();
  range->blob = &blob;
  range->place = {.offset = wanted.place.offset, .bytes = end - wanted.place.offset};
  range->unserved_bytes = range->place.bytes;
  range->last_call = calls_;
  range->used = ranges_.insert(ranges_.end(), range);
  blob.ranges.emplace(range->place.offset, range);
  blob.credit -= end - end_of(wanted.place);
  statistics_.cached_bytes += range->place.bytes;
  ++statistics_.ranges;
  return range;
}

io::Task<void> BlobReadahead::fetch(RangeRef range, const Wanted& wanted, io::Until until) {
  Result<object::Fetched> got = co_await wanted.tier.store.get(key_of(blob_id_of_name(wanted.blob)),
                                                               range->place.offset, range->place.bytes, until);
  {
    std::lock_guard lock(mutex_);
    if (got) {
      range->bytes = std::move(got->bytes);
      statistics_.range_bytes += range->bytes.size();
    } else if (range->blob != nullptr) {
      range->blob->credit = 0;
      drop(range);
    }
  }
  range->done.set();
}

io::Task<Result<BlobReadahead::Got>> BlobReadahead::get(Wanted wanted, io::Until until) {
  RangeRef range;
  bool mine = false;
  {
    std::lock_guard lock(mutex_);
    Blob& blob = blob_of({wanted.tier.name, wanted.blob});
    // Who comes from one blob to the first frame of another goes on in it.
    if (blob.marks.empty() && wanted.place.offset == kBlobHeaderBytes && last_is_at_its_end()) {
      blob.credit = std::exchange(last_->credit, 0);
      blob.marks.push_back(wanted.place.offset);
    }
    blob.bytes = wanted.blob_bytes;
    last_ = &blob;
    ++calls_;
    const bool near = note(blob, wanted.place);
    range = find(blob, wanted.place);
    if (!range && near) {
      range = plan(blob, wanted);
      mine = range != nullptr;
    }
    blob.credit = std::min(blob.credit + kCreditPerByte * wanted.place.bytes, options_.range_bytes);
  }
  if (mine) co_await fetch(range, wanted, until);
  if (range) {
    co_await range->done.wait();
    std::lock_guard lock(mutex_);
    const uint64_t begin = wanted.place.offset - range->place.offset;
    if (range->bytes.size() >= begin + wanted.place.bytes) {
      note_served(range, wanted.place.bytes);
      if (!mine) ++statistics_.served;
      co_return Got{range->bytes.substr(begin, wanted.place.bytes), /*shared=*/true};
    }
  }
  object::Fetched alone = CO_TRY(co_await wanted.tier.store.get(key_of(blob_id_of_name(wanted.blob)),
                                                                wanted.place.offset, wanted.place.bytes, until));
  co_return Got{std::move(alone.bytes)};
}

void BlobReadahead::forget(const Tier& tier, const std::string& blob) {
  std::lock_guard lock(mutex_);
  const auto known = blobs_.find({tier.name, blob});
  if (known == blobs_.end()) return;
  known->second.credit = 0;
  while (!known->second.ranges.empty()) drop(RangeRef(known->second.ranges.begin()->second));
}

BlobReadaheadStatistics BlobReadahead::statistics() const {
  std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace firn::tier
