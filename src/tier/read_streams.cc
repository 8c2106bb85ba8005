#include "tier/read_streams.h"

#include <algorithm>

namespace firn::tier {

namespace {

constexpr unsigned kOrderedStreak = 2;  // reads that must have gone on before what follows is fetched
constexpr uint64_t kActiveReads = 64;   // of the file: who had none of them takes no share

uint64_t distance(uint64_t a, uint64_t b) { return std::max(a, b) - std::min(a, b); }

}  // namespace

bool ReadStreams::is_active(const Stream& stream) const {
  return stream.in_order() && reads_ - stream.last_read < kActiveReads;
}

size_t ReadStreams::active() const {
  const auto count = std::ranges::count_if(streams_, [this](const Stream& one) { return is_active(one); });
  return std::max<size_t>(static_cast<size_t>(count), 1);
}

// Much, where somebody is known to read in order, and for the last read, which may have begun that. Elsewhere reads
// here and there would soon look like going on.
uint64_t ReadStreams::slack_of(const Stream& stream, uint64_t read_bytes) const {
  const bool much = is_active(stream) || &stream == &streams_.back();
  return much ? options_.slack_bytes : std::min(read_bytes, options_.slack_bytes);
}

std::vector<ReadStreams::Stream>::iterator ReadStreams::find(uint64_t offset, uint64_t end) {
  auto nearest = streams_.end();
  for (auto one = streams_.begin(); one != streams_.end(); ++one) {
    const uint64_t slack = slack_of(*one, end - offset);
    if (offset > one->next + slack || end + slack < one->next) continue;
    if (nearest == streams_.end() || distance(offset, one->next) <= distance(offset, nearest->next)) nearest = one;
  }
  return nearest;
}

// The window doubles with every chunk that is come to in order, and closes when a read does not go on. What begins at
// the file's begin is taken for reading in order; elsewhere a few reads must have gone on.
void ReadStreams::advance(Stream& stream, uint64_t offset, uint64_t end, bool goes_on) const {
  if (offset == 0) stream.window = 0;
  if (goes_on && end > stream.next) ++stream.streak;
  const bool in_order = offset == 0 || stream.in_order() || stream.streak >= kOrderedStreak;
  const uint64_t last = (end - 1) / options_.chunk_bytes;
  const bool new_chunk = stream.next == 0 || last != (stream.next - 1) / options_.chunk_bytes;
  if (in_order && (new_chunk || !stream.in_order())) stream.window = std::max<uint64_t>(stream.window * 2, 1);
  stream.next = goes_on ? std::max(stream.next, end) : end;
}

void ReadStreams::add(const Stream& stream) {
  const auto like_it = [&](const Stream& one) { return one.in_order() == stream.in_order(); };
  if (std::ranges::count_if(streams_, like_it) >= static_cast<ptrdiff_t>(kMaxStreams))
    streams_.erase(std::ranges::find_if(streams_, like_it));
  streams_.push_back(stream);
}

ReadStreams::Advice ReadStreams::note(uint64_t offset, uint64_t end, uint64_t most_chunks) {
  ++reads_;
  Stream stream;
  const auto found = find(offset, end);
  const bool goes_on = found != streams_.end();
  if (goes_on) {
    stream = *found;
    streams_.erase(found);
  }
  advance(stream, offset, end, goes_on);
  stream.last_read = reads_;
  add(stream);
  Stream& added = streams_.back();
  if (!added.in_order()) return {};
  // With the chunk that it is at, of as many as one alone would have with its own.
  const uint64_t share = (most_chunks + 1) / active();
  added.window = std::min(added.window, std::max<uint64_t>(share, 2) - 1);
  const uint64_t chunk_end = (end - 1) / options_.chunk_bytes + 1 + added.window;
  added.ahead_end = std::max(added.ahead_end, chunk_end * options_.chunk_bytes);
  return {.in_order = true, .window = added.window};
}

bool ReadStreams::awaits(uint64_t offset, uint64_t end) const {
  return std::ranges::any_of(streams_, [&](const Stream& one) {
    const uint64_t passed = one.next - std::min(one.next, options_.slack_bytes);
    return passed < end && offset < one.ahead_end;
  });
}

}  // namespace firn::tier
