#include "meta/event.h"

#include "meta.pb.h"

namespace firn::meta {

namespace {

constexpr uint32_t kNanosecondsPerSecond = 1'000'000'000;

// Reused: its strings keep their capacity.
record::Event& event_message() {
  static thread_local record::Event message;
  return message;
}

bool valid_kind(uint32_t kind) { return kind >= uint32_t(EventKind::kCreated) && kind <= uint32_t(EventKind::kPolicy); }
bool valid_type(uint32_t type) {
  return type >= uint32_t(FileType::kRegular) && type <= uint32_t(FileType::kBlockDevice);
}

bool sound(const record::Event& m) {
  return valid_kind(m.kind()) && valid_type(m.type()) && m.inode() != 0 && m.nanoseconds() < kNanosecondsPerSecond &&
         m.name().size() <= kMaxNameBytes && m.from_name().size() <= kMaxNameBytes &&
         m.xattr().size() <= kMaxXattrNameBytes && (m.other() == 0 || valid_type(m.other_type()));
}

void write_other(const EventDraft& event, record::Event& m) {
  m.set_other(event.other.value);
  m.set_other_type(uint32_t(event.other_type));
  m.set_other_nlink(event.other_nlink);
}

}  // namespace

std::string_view encode_event(const EventDraft& event) {
  static thread_local std::string bytes;
  record::Event& m = event_message();
  m.Clear();
  m.set_kind(uint32_t(event.kind));
  m.set_inode(event.inode.value);
  m.set_type(uint32_t(event.type));
  m.set_nlink(event.nlink);
  m.set_size(event.size);
  m.set_seconds(event.time.seconds);
  m.set_nanoseconds(event.time.nanoseconds);
  if (event.uid) m.set_uid(*event.uid);
  m.set_parent(event.at.parent.value);
  m.set_name(event.at.name.data(), event.at.name.size());
  m.set_from_parent(event.from.parent.value);
  if (!event.from.name.empty()) m.set_from_name(event.from.name.data(), event.from.name.size());
  if (event.other) write_other(event, m);
  if (!event.xattr.empty()) m.set_xattr(event.xattr.data(), event.xattr.size());
  m.set_request_low(event.request[0]);
  m.set_request_high(event.request[1]);
  m.SerializeToString(&bytes);
  return bytes;
}

Result<Event> decode_event(std::string_view bytes) {
  record::Event& m = event_message();
  if (!m.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !sound(m))
    return fail(Code::kCorrupt, "malformed event");
  return Event{.kind = EventKind(m.kind()),
               .inode = InodeId(m.inode()),
               .type = FileType(m.type()),
               .nlink = m.nlink(),
               .size = m.size(),
               .time = {m.seconds(), m.nanoseconds()},
               .uid = m.has_uid() ? std::optional(m.uid()) : std::nullopt,
               .at = {InodeId(m.parent()), m.name()},
               .from = {InodeId(m.from_parent()), m.from_name()},
               .other = InodeId(m.other()),
               .other_type = m.other() == 0 ? FileType::kRegular : FileType(m.other_type()),
               .other_nlink = m.other() == 0 ? 0 : m.other_nlink(),
               .xattr = m.xattr(),
               .request = {m.request_low(), m.request_high()}};
}

}  // namespace firn::meta
