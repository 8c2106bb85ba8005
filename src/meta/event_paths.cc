#include "meta/event_paths.h"

#include <algorithm>

#include "io/reactor.h"
#include "meta/keys.h"
#include "meta/records.h"

namespace firn::meta {

namespace {

constexpr size_t kPage = 1024;
constexpr int kMaxDepth = 4096;        // deeper is a cycle, in a store that is damaged
constexpr size_t kMaxPaths = 1 << 14;  // remembered

bool is_directory(FileType type) { return type == FileType::kDirectory; }

bool moves_inode(const Event& event) {
  if (event.kind == EventKind::kRemoved || event.kind == EventKind::kRenamed || event.kind == EventKind::kExchanged)
    return is_directory(event.type);
  return false;
}

bool moves_other(const Event& event) {
  return event.other && is_directory(event.other_type);  // replaced, or exchanged
}

// Where the event found it.
EventPlace place_before(const Event& event, InodeId directory) {
  if (directory != event.inode) return event.at;
  return event.kind == EventKind::kRemoved ? event.at : event.from;
}

// Of a record from before inodes knew their names.
io::Task<Result<std::string>> look_up_name(kv::Transaction& transaction, InodeId parent, InodeId inode) {
  for (std::string after;;) {
    const auto pairs =
        CO_TRY(co_await transaction.scan(names_after(Prefix::kDirent, parent, after), kPage, kv::Isolation::kSnapshot));
    for (const kv::Pair& pair : pairs) {
      after = CO_TRY(name_of_key(pair.key));
      if (CO_TRY(decode_dirent(pair.value)).inode == inode) co_return after;
    }
    if (pairs.size() < kPage) co_return std::string();
    co_await io::stand_back();
  }
}

}  // namespace

void EventPaths::learn(const LoggedEvent& logged) {
  const bool inode = moves_inode(logged.event), other = moves_other(logged.event);
  if (inode) moves_.emplace(logged.event.inode, logged.sequence);
  if (other) moves_.emplace(logged.event.other, logged.sequence);
  if (inode || other) sequences_.insert(logged.sequence);
}

io::Task<Result<void>> EventPaths::catch_up(kv::Transaction& transaction) {
  at_.clear();
  const uint64_t oldest = log_.oldest();
  known_ = std::max(known_, oldest - 1);
  if (!sequences_.empty() && *sequences_.begin() < oldest) {
    std::erase_if(moves_, [oldest](const auto& move) { return move.second < oldest; });
    sequences_.erase(sequences_.begin(), sequences_.lower_bound(oldest));
  }
  // What the transaction does not see yet is learnt the next time, for these may be committed out of order.
  const uint64_t settled = log_.settled();
  for (uint64_t after = known_;;) {
    auto events = co_await log_.read(transaction, after, UINT64_MAX - 1, kPage);
    if (!events && events.error() == Code::kStale) {
      after = log_.oldest() - 1;
      continue;
    }
    if (!events) co_return fail(std::move(events).error());
    for (const LoggedEvent& event : *events) learn(event);
    if (events->size() < kPage) break;
    after = events->back().sequence;
    co_await io::stand_back();
  }
  known_ = std::max(known_, settled);
  co_return Result<void>();
}

io::Task<Result<EventPlace>> EventPaths::place_now(kv::Transaction& transaction, InodeId directory) {
  const Key key = inode_key(directory);
  const auto stored = CO_TRY(co_await transaction.get(key, kv::Isolation::kSnapshot));
  if (!stored) co_return EventPlace{};
  Inode inode = CO_TRY(decode_inode(directory, *stored));
  if (inode.name.empty()) inode.name = CO_TRY(co_await look_up_name(transaction, inode.attr.parent, directory));
  if (inode.name.empty()) co_return EventPlace{};
  co_return EventPlace{inode.attr.parent, std::move(inode.name)};
}

io::Task<Result<EventPlace>> EventPaths::place_of(kv::Transaction& transaction, InodeId directory, uint64_t sequence) {
  const auto move = moves_.lower_bound({directory, sequence + 1});
  if (move == moves_.end() || move->first != directory) co_return co_await place_now(transaction, directory);
  const Key key = event_key(move->second);
  const auto stored = CO_TRY(co_await transaction.get(key, kv::Isolation::kSnapshot));
  if (!stored) co_return EventPlace{};
  co_return place_before(CO_TRY(decode_event(*stored)), directory);
}

io::Task<Result<std::optional<std::string>>> EventPaths::directory_path(kv::Transaction& transaction, InodeId directory,
                                                                        uint64_t sequence) {
  std::string path;
  InodeId above = directory;
  for (int depth = 0; above != kRootInode; ++depth) {
    const EventPlace place = CO_TRY(co_await place_of(transaction, above, sequence));
    if (!place.parent || place.name.empty() || depth == kMaxDepth) co_return std::nullopt;
    path.insert(0, "/" + place.name);
    above = place.parent;
  }
  co_return path;
}

io::Task<Result<std::optional<std::string>>> EventPaths::path_of(kv::Transaction& transaction, const EventPlace& place,
                                                                 uint64_t sequence) {
  if (!place.parent) co_return std::nullopt;
  if (place.parent == kRootInode && place.name.empty()) co_return "/";
  if (place.name.empty()) co_return std::nullopt;
  // Nothing moved between two events unless one of them says so.
  const auto move = sequences_.upper_bound(at_sequence_);
  const bool moved = sequence < at_sequence_ || (move != sequences_.end() && *move <= sequence);
  if (moved || at_.size() > kMaxPaths) at_.clear();
  at_sequence_ = sequence;
  auto known = at_.find(place.parent);
  if (known == at_.end()) {
    auto path = CO_TRY(co_await directory_path(transaction, place.parent, sequence));
    known = at_.emplace(place.parent, std::move(path)).first;
  }
  if (!known->second) co_return std::nullopt;
  co_return *known->second + "/" + place.name;
}

}  // namespace firn::meta
