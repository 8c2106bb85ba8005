#include "meta/volume.h"

#include "meta.pb.h"
#include "meta/inode.h"
#include "meta/keys.h"
#include "meta/records.h"

namespace firn::meta {

std::string encode_volume(const VolumeSettings& settings) {
  record::VolumeRecord message;
  message.set_format_version(settings.format_version);
  message.set_id(settings.id);
  message.set_chunk_bytes(settings.chunk_bytes);
  message.set_inline_max_bytes(settings.inline_max_bytes);
  message.set_created_seconds(settings.created.seconds);
  message.set_created_nanoseconds(settings.created.nanoseconds);
  message.set_name(settings.name);
  for (const TierPlace& tier : settings.tiers) {
    record::TierPlace& place = *message.add_tiers();
    place.set_name(tier.name);
    place.set_url(tier.url);
  }
  message.set_compression(settings.compression);
  message.set_dedup(settings.dedup);
  message.set_durability(settings.durability);
  message.set_wrapped_key(settings.wrapped_key);
  return message.SerializeAsString();
}

Result<VolumeSettings> decode_volume(std::string_view bytes) {
  record::VolumeRecord message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || message.format_version() == 0)
    return fail(Code::kCorrupt, "the volume record is damaged");
  if (message.format_version() > kFormatVersion)
    return fail(Code::kNotSupported, "the volume has format version " + std::to_string(message.format_version()) +
                                         ", this firn reads up to " + std::to_string(kFormatVersion) +
                                         ": use a newer firn");
  VolumeSettings settings{.format_version = message.format_version(),
                          .id = message.id(),
                          .chunk_bytes = message.chunk_bytes(),
                          .inline_max_bytes = message.inline_max_bytes(),
                          .created = {message.created_seconds(), message.created_nanoseconds()},
                          .name = message.name(),
                          .compression = message.compression(),
                          .dedup = message.dedup(),
                          .durability = message.durability(),
                          .wrapped_key = message.wrapped_key()};
  for (const record::TierPlace& tier : message.tiers()) settings.tiers.push_back({tier.name(), tier.url()});
  return settings;
}

namespace {

Inode root_inode(const VolumeSettings& settings, const RootOwner& owner) {
  Inode root;
  root.attr.inode = root.attr.parent = kRootInode;
  root.attr.type = FileType::kDirectory;
  root.attr.mode = owner.mode & 07777;
  root.attr.nlink = 2;
  root.attr.uid = owner.uid;
  root.attr.gid = owner.gid;
  root.attr.size = 4096;
  root.attr.atime = root.attr.mtime = root.attr.ctime = root.attr.btime = settings.created;
  return root;
}

// Whether the engine holds any key at all.
io::Task<Result<bool>> is_empty(kv::Transaction& transaction) {
  const auto some = CO_TRY(co_await transaction.scan({std::string(), std::string(1, '\xff')}, 1));
  co_return some.empty();
}

io::Task<Result<bool>> write_first_records(kv::Transaction& transaction, const VolumeSettings& settings,
                                           const RootOwner& root) {
  if (CO_TRY(co_await transaction.get(volume_key()))) co_return fail(Code::kExists, "there is a volume already");
  if (!CO_TRY(co_await is_empty(transaction))) co_return fail(Code::kNotEmpty, "the metadata store is not empty");
  transaction.put(volume_key(), encode_volume(settings));
  transaction.put(inode_key(kRootInode), encode_inode(root_inode(settings, root)));
  transaction.put(counter_key(kNextInodeCounter), encode_counter(kRootInode.value + 1));
  transaction.put(counter_key(kInodesCounter), encode_counter(1));
  transaction.put(counter_key(kBytesCounter), encode_counter(0));
  co_return true;
}

io::Task<Result<bool>> write_volume(kv::Transaction& transaction, const VolumeSettings& settings) {
  transaction.put(volume_key(), encode_volume(settings));
  co_return true;
}

io::Task<Result<record::BootSession>> read_session(kv::Transaction& transaction) {
  record::BootSession message;
  const auto stored = CO_TRY(co_await transaction.get(counter_key(kSessionName)));
  if (stored && !message.ParseFromString(*stored)) co_return fail(Code::kCorrupt, "the session record is damaged");
  if (!stored) message.set_clean(true);
  co_return message;
}

io::Task<Result<Session>> write_session(kv::Transaction& transaction, const std::string& boot_id) {
  record::BootSession message = CO_TRY(co_await read_session(transaction));
  Session session;
  session.clean = message.clean();
  session.number = message.session() + (message.session() == 0 || message.boot_id() != boot_id ? 1 : 0);
  message.set_boot_id(boot_id);
  message.set_session(session.number);
  message.set_clean(false);
  transaction.put(counter_key(kSessionName), message.SerializeAsString());
  co_return session;
}

io::Task<Result<bool>> write_clean_end(kv::Transaction& transaction) {
  record::BootSession message = CO_TRY(co_await read_session(transaction));
  message.set_clean(true);
  transaction.put(counter_key(kSessionName), message.SerializeAsString());
  co_return true;
}

}  // namespace

io::Task<Result<void>> format(kv::Engine& engine, VolumeSettings settings, RootOwner root) {
  CO_TRY(co_await kv::transact<bool>(
      engine, [&](kv::Transaction& transaction) { return write_first_records(transaction, settings, root); }));
  co_return co_await engine.sync(engine.last_version());
}

io::Task<Result<VolumeSettings>> load_volume(kv::Engine& engine) {
  const auto transaction = engine.begin();
  const auto stored = CO_TRY(co_await transaction->get(volume_key()));
  if (!stored) {
    if (CO_TRY(co_await is_empty(*transaction))) co_return fail(Code::kNotFound, "no volume here: run firn init");
    co_return fail(Code::kCorrupt,
                   "half-initialised volume: it has no volume record; remove it and run firn init again");
  }
  const VolumeSettings settings = CO_TRY(decode_volume(*stored));
  const bool complete = CO_TRY(co_await transaction->get(inode_key(kRootInode))).has_value() &&
                        CO_TRY(co_await transaction->get(counter_key(kNextInodeCounter))).has_value();
  if (!complete)
    co_return fail(Code::kCorrupt,
                   "half-initialised volume: it has no root directory; remove it and run firn init again");
  co_return settings;
}

io::Task<Result<void>> save_volume(kv::Engine& engine, VolumeSettings settings) {
  CO_TRY(co_await kv::transact<bool>(
      engine, [&](kv::Transaction& transaction) { return write_volume(transaction, settings); }));
  co_return co_await engine.sync(engine.last_version());
}

io::Task<Result<Session>> begin_session(kv::Engine& engine, std::string boot_id) {
  const Session session = CO_TRY(co_await kv::transact<Session>(
      engine, [&](kv::Transaction& transaction) { return write_session(transaction, boot_id); }));
  CO_TRY(co_await engine.sync(engine.last_version()));
  co_return session;
}

io::Task<Result<bool>> was_clean(kv::Engine& engine) {
  auto transaction = engine.begin();
  auto stored = CO_TRY(co_await transaction->get(counter_key(kSessionName)));
  record::BootSession session;
  if (!stored) co_return true;
  if (!session.ParseFromString(*stored)) co_return fail(Code::kCorrupt, "the session record does not parse");
  co_return session.clean();
}

io::Task<Result<void>> end_session(kv::Engine& engine) {
  CO_TRY(
      co_await kv::transact<bool>(engine, [](kv::Transaction& transaction) { return write_clean_end(transaction); }));
  co_return co_await engine.sync(engine.last_version());
}

}  // namespace firn::meta
