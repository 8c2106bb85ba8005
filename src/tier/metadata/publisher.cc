#include "tier/metadata/publisher.h"

#include <algorithm>
#include <set>

#include "base/checksum.h"
#include "base/failpoint.h"
#include "tier/metadata/concurrently.h"

namespace firn::tier {

namespace {

constexpr int kMaxAdopted = 4;  // earlier attempts that turn out to have arrived; there can be but one

using TableId = std::pair<uint64_t, uint64_t>;
TableId id_of(const TableRef& table) { return {table.epoch, table.number}; }

}  // namespace

void TableChecksum::add(std::string_view piece) { value_ = checksum64(piece, value_); }

const TableRef* Publisher::find_sent(const kv::Table& table) const {
  const auto same = [&](const TableRef& ref) {
    return !table.identity.empty() && ref.identity == table.identity && ref.bytes == table.bytes;
  };
  for (const std::vector<TableRef>* tables : {&root_.root.tables, &sent_})
    if (const auto found = std::ranges::find_if(*tables, same); found != tables->end()) return &*found;
  return nullptr;
}

io::Task<Result<std::vector<TableRef>>> Publisher::upload(kv::Checkpoint& checkpoint, io::CancelToken* token) {
  std::vector<TableRef> refs;
  std::vector<size_t> missing;
  for (size_t i = 0; i < checkpoint.tables().size(); ++i) {
    const kv::Table& table = checkpoint.tables()[i];
    const TableRef* known = find_sent(table);
    refs.push_back(known != nullptr ? *known : TableRef{.identity = table.identity, .bytes = table.bytes});
    refs.back().name = table.name;
    if (known == nullptr) missing.push_back(i);
  }
  CO_TRY(co_await concurrently(missing.size(), options_.tables_in_flight, [&](size_t index) {
    return send(checkpoint, missing[index], refs[missing[index]], token);
  }));
  co_return refs;
}

uint64_t Publisher::table_number(const std::string& identity) {
  if (identity.empty()) return ++tables_made_;
  uint64_t& number = begun_[identity];
  if (number == 0) number = ++tables_made_;
  return number;
}

io::Task<Result<void>> Publisher::send(kv::Checkpoint& checkpoint, size_t index, TableRef& ref,
                                       io::CancelToken* token) {
  if (Status status = log_.fenced(); !status.ok()) co_return fail(std::move(status));
  ref.epoch = log_.epoch();
  ref.number = table_number(ref.identity);
  const std::string name = table_key(ref.epoch, ref.number);
  const Envelope envelope{.type = ObjectType::kTable,
                          .sealed = bucket_.key.has_value(),
                          .epoch = ref.epoch,
                          .number = ref.number,
                          .writer = log_.writer(),
                          .nonce = random_bytes16(bucket_.random),
                          .plain_bytes = ref.bytes};
  object::Content content = CO_TRY(co_await make_table(checkpoint, index, envelope, name, ref.checksum));
  const auto put = co_await claim_and_look(bucket_, name, std::move(content), envelope, token);
  if (!put && put.error() == Code::kIo) abandon(ref);
  const std::optional<Envelope> other = CO_TRY(std::move(put));
  failpoint("root.after_table");
  // An earlier attempt of this writer, of the same table, serves as well.
  if (other && other->writer != log_.writer()) co_return fail(log_.fence_by(*other));
  begun_.erase(ref.identity);
  sent_.push_back(ref);
  co_return Result<void>();
}

// Whatever is under that number: the next attempt takes another one.
void Publisher::abandon(TableRef ref) {
  begun_.erase(ref.identity);
  ref.identity.clear();
  sent_.push_back(std::move(ref));
}

io::Task<Result<object::Content>> Publisher::make_table(kv::Checkpoint& checkpoint, size_t index, Envelope envelope,
                                                        std::string name, uint64_t& checksum) {
  ObjectWriter writer(envelope, name, bucket_.codec, bucket_.key);
  TableChecksum sum;
  for (uint64_t offset = 0; offset < envelope.plain_bytes; offset += kPieceBytes) {
    const uint64_t bytes = std::min<uint64_t>(kPieceBytes, envelope.plain_bytes - offset);
    const std::string piece = CO_TRY(co_await checkpoint.read(index, offset, bytes));
    co_await bucket_.pool.run([&] {
      sum.add(piece);
      writer.append(piece);
    });
  }
  checksum = sum.value();
  co_return writer.finish();
}

// What the former root needed and this one does not, or what was sent and is not needed after all, may be removed once
// no root before this one is kept.
Root Publisher::next_root(const std::vector<TableRef>& tables) const {
  Root next = succeed(root_, io::Reactor::current()->clock().now().seconds);
  next.database = options_.database;
  next.tables = tables;
  next.tables_made = tables_made_;
  const uint64_t number = root_.number + 1;
  std::set<TableId> needed;
  for (const TableRef& table : tables) needed.insert(id_of(table));
  std::erase_if(next.dropped, [&](const Root::Dropped& one) { return needed.contains({one.epoch, one.number}); });
  std::set<TableId> listed;
  for (const Root::Dropped& one : next.dropped) listed.insert({one.epoch, one.number});
  const auto drop = [&](TableId id) {
    if (needed.contains(id) || !listed.insert(id).second) return;
    next.dropped.push_back({.epoch = id.first, .number = id.second, .root = number});
  };
  for (const TableRef& table : root_.root.tables) drop(id_of(table));
  for (const TableRef& table : sent_) drop(id_of(table));
  for (const auto& [identity, begun] : begun_) drop({log_.epoch(), begun});
  return next;
}

io::Task<Result<void>> Publisher::put(std::vector<TableRef> tables, std::string manifest, uint64_t first_log,
                                      io::CancelToken* token) {
  for (int adopted = 0; adopted < kMaxAdopted; ++adopted) {
    Root next = next_root(tables);
    next.manifest = manifest;
    next.first_log = first_log;
    next.log_epoch = log_.epoch();  // for that is behind this writer's fence
    if (CO_TRY(co_await put_once(std::move(next), token))) co_return Result<void>();
  }
  co_return fail(Code::kInternal, "roots of this writer appear that it never put");
}

Envelope Publisher::header(uint64_t number, uint64_t plain_bytes) const {
  return {.type = ObjectType::kRoot,
          .sealed = bucket_.key.has_value(),
          .epoch = log_.epoch(),
          .number = number,
          .writer = log_.writer(),
          .nonce = random_bytes16(bucket_.random),
          .plain_bytes = plain_bytes};
}

void Publisher::distrust(const std::vector<TableRef>& tables) {
  std::set<TableId> damaged;
  for (const TableRef& table : tables) damaged.insert(id_of(table));
  for (std::vector<TableRef>* known : {&root_.root.tables, &sent_})
    for (TableRef& table : *known)
      if (damaged.contains(id_of(table))) table.identity.clear();
}

io::Task<Result<void>> Publisher::put_again(io::CancelToken* token) {
  if (Status status = log_.fenced(); !status.ok()) co_return fail(std::move(status));
  const std::string payload = encode_root(root_.root);
  const Envelope envelope = header(root_.number, payload.size());
  const std::string name = root_key(envelope.number);
  object::Content content =
      co_await bucket_.pool.run([&] { return make_object(envelope, name, payload, bucket_.codec, bucket_.key); });
  const auto other = CO_TRY(co_await claim_and_look(bucket_, name, std::move(content), envelope, token));
  if (other && other->writer != log_.writer()) co_return fail(log_.fence_by(*other));
  co_return Result<void>();
}

// False: an earlier attempt that had seemed to fail is there. It was right when it was put, so it is a root like any
// other, and the next one follows it.
io::Task<Result<bool>> Publisher::put_once(Root next, io::CancelToken* token) {
  if (Status status = log_.fenced(); !status.ok()) co_return fail(std::move(status));
  const std::string payload = encode_root(next);
  if (payload.size() > kMaxRootBytes) co_return fail(Code::kNoSpace, "the root has become too large");
  const Envelope envelope = header(root_.number + 1, payload.size());
  const std::string name = root_key(envelope.number);
  object::Content content =
      co_await bucket_.pool.run([&] { return make_object(envelope, name, payload, bucket_.codec, bucket_.key); });
  failpoint("root.before_put");
  const auto other = CO_TRY(co_await claim_and_look(bucket_, name, std::move(content), envelope, token));
  failpoint("root.after_put");
  if (other && other->writer != log_.writer()) co_return fail(log_.fence_by(*other));
  if (other) {
    root_ = CO_TRY(co_await read_root(bucket_, envelope.number, token));
    log_.note_root(root_.number);
    std::erase_if(sent_, [&](const TableRef& table) { return table.number <= root_.root.tables_made; });
    co_return false;
  }
  root_ = {.number = envelope.number, .envelope = envelope, .root = std::move(next)};
  log_.note_root(root_.number);
  sent_.clear();
  begun_.clear();
  co_return true;
}

}  // namespace firn::tier
