#include "tier/metadata/table_fetch.h"

#include "tier/metadata/publisher.h"

namespace firn::tier {

io::Task<Result<void>> fetch_table(Bucket bucket, TableRef table, uint64_t request_bytes, TableSink sink,
                                   io::CancelToken* token) {
  const std::string name = table_key(table.epoch, table.number);
  ObjectReader reader({.type = ObjectType::kTable, .number = table.number, .max_plain_bytes = table.bytes}, name,
                      bucket.key);
  TableChecksum checksum;
  std::string carry;  // pieces for the checksum, which requests cut anywhere
  for (uint64_t offset = 0, object_bytes = 1; offset < object_bytes;) {
    const object::Fetched fetched =
        CO_TRY(co_await bucket.store.get(name, offset, request_bytes, io::within(bucket.request_ns, token)));
    if (fetched.bytes.empty()) break;
    offset += fetched.bytes.size();
    object_bytes = fetched.object_bytes;
    std::string plain = CO_TRY(co_await bucket.pool.run([&] { return reader.feed(fetched.bytes); }));
    carry += plain;
    std::string_view rest = carry;
    for (; rest.size() >= kPieceBytes; rest.remove_prefix(kPieceBytes)) checksum.add(rest.substr(0, kPieceBytes));
    carry = std::string(rest);
    if (!plain.empty()) CO_TRY(co_await sink(std::move(plain)));
  }
  CO_TRY(reader.finish());
  if (!carry.empty()) checksum.add(carry);
  if (reader.envelope().plain_bytes != table.bytes || checksum.value() != table.checksum)
    co_return fail(Code::kCorrupt, "the object " + name + " holds another table than its root says");
  co_return Result<void>();
}

}  // namespace firn::tier
