#include "tier/metadata/root.h"

#include <algorithm>
#include <cstring>

#include "bucket.pb.h"

namespace firn::tier {

namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxIdentityBytes = 64;
constexpr uint64_t kMaxLeaseMs = 24 * 3600 * 1000;

const char* problem_of(const bucket::Root& m) {
  if (m.database().size() != sizeof(Bytes16)) return "has no database id";
  if (m.first_log() == 0 || m.first_kept_log() == 0) return "has an impossible log position";
  if (m.manifest().empty() && m.tables_size() != 0) return "has tables and no manifest";
  for (const auto& table : m.tables()) {
    if (table.name().empty() || table.name().size() > kMaxNameBytes || table.identity().size() > kMaxIdentityBytes)
      return "has a table with an impossible name";
    if (table.bytes() > kMaxTableBytes || table.number() == 0) return "has an impossible table";
  }
  if (m.lease_ms() > kMaxLeaseMs) return "has an impossible lease";
  for (const auto& past : m.past())
    if (past.first_log() > m.first_log()) return "needs less log than the one before it";
  return nullptr;
}

void encode_leavings(const Root& root, bucket::Root& m) {
  for (const Root::Past& past : root.past) {
    auto* to = m.add_past();
    to->set_number(past.number);
    to->set_first_log(past.first_log);
    to->set_replaced(past.replaced);
  }
  for (const Root::Dropped& dropped : root.dropped) {
    auto* to = m.add_dropped();
    to->set_epoch(dropped.epoch);
    to->set_number(dropped.number);
    to->set_root(dropped.root);
  }
  for (const Root::Fence& fence : root.fences) {
    auto* to = m.add_fences();
    to->set_number(fence.number);
    to->set_seconds(fence.seconds);
  }
  for (const uint64_t number : root.signposts) m.add_signposts(number);
  for (const Root::Sweep& sweep : root.sweeps) {
    auto* to = m.add_sweeps();
    to->set_epoch(sweep.epoch);
    to->set_first(sweep.first);
    to->set_seconds(sweep.seconds);
  }
}

void decode_leavings(const bucket::Root& m, Root& root) {
  for (const auto& past : m.past()) root.past.push_back({past.number(), past.first_log(), past.replaced()});
  for (const auto& dropped : m.dropped()) root.dropped.push_back({dropped.epoch(), dropped.number(), dropped.root()});
  for (const auto& fence : m.fences()) root.fences.push_back({fence.number(), fence.seconds()});
  root.signposts.assign(m.signposts().begin(), m.signposts().end());
  for (const auto& sweep : m.sweeps()) root.sweeps.push_back({sweep.epoch(), sweep.first(), sweep.seconds()});
}

}  // namespace

std::string encode_root(const Root& root) {
  bucket::Root m;
  m.set_volume(root.volume);
  m.set_database(root.database.data(), root.database.size());
  m.set_seconds(root.seconds);
  m.set_first_log(root.first_log);
  if (root.log_epoch != 0) m.set_log_epoch(root.log_epoch);
  m.set_manifest(root.manifest);
  for (const TableRef& table : root.tables) {
    auto* to = m.add_tables();
    to->set_name(table.name);
    to->set_identity(table.identity);
    to->set_epoch(table.epoch);
    to->set_number(table.number);
    to->set_bytes(table.bytes);
    to->set_checksum(table.checksum);
  }
  m.set_tables_made(root.tables_made);
  m.set_first_kept_log(root.first_kept_log);
  m.set_lease_ms(root.lease_ms);
  if (root.first_pin != 1) m.set_first_pin(root.first_pin);
  if (root.first_kept_pin != 1) m.set_first_kept_pin(root.first_kept_pin);
  encode_leavings(root, m);
  return m.SerializeAsString();
}

Result<Root> decode_root(std::string_view bytes) {
  bucket::Root m;
  if (bytes.size() > kMaxRootBytes || !m.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail(Code::kCorrupt, "a root does not parse");
  if (const char* problem = problem_of(m)) return fail(Code::kCorrupt, std::string("a root ") + problem);
  Root root{.volume = m.volume(),
            .seconds = m.seconds(),
            .first_log = m.first_log(),
            .log_epoch = m.log_epoch(),
            .manifest = m.manifest(),
            .tables_made = m.tables_made(),
            .first_kept_log = m.first_kept_log(),
            .first_pin = std::max<uint64_t>(1, m.first_pin()),
            .first_kept_pin = std::max<uint64_t>(1, m.first_kept_pin()),
            .lease_ms = m.lease_ms()};
  std::memcpy(root.database.data(), m.database().data(), root.database.size());
  for (const auto& table : m.tables())
    root.tables.push_back(
        {table.name(), table.identity(), table.epoch(), table.number(), table.bytes(), table.checksum()});
  decode_leavings(m, root);
  return root;
}

}  // namespace firn::tier
