#include "meta/acl.h"

#include <cstring>

namespace firn::meta {

namespace {

constexpr uint32_t kVersion = 2;
constexpr size_t kHeaderBytes = 4;
constexpr size_t kEntryBytes = 8;

template <class T>
T load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <class T>
void store(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

bool known(AclTag tag) {
  switch (tag) {
    case AclTag::kUserObj:
    case AclTag::kUser:
    case AclTag::kGroupObj:
    case AclTag::kGroup:
    case AclTag::kMask:
    case AclTag::kOther:
      return true;
  }
  return false;
}

bool is_named(AclTag tag) { return tag == AclTag::kUser || tag == AclTag::kGroup; }

// Tags ascend in the only order allowed; only named entries repeat.
bool well_formed(const Acl& acl) {
  uint32_t seen = 0;
  uint32_t last = 0;
  for (const AclEntry& entry : acl) {
    const auto tag = uint32_t(entry.tag);
    if (!known(entry.tag) || entry.permissions > 7 || tag < last) return false;
    if (tag == last && !is_named(entry.tag)) return false;
    seen |= tag;
    last = tag;
  }
  constexpr uint32_t kNeeded = uint32_t(AclTag::kUserObj) | uint32_t(AclTag::kGroupObj) | uint32_t(AclTag::kOther);
  constexpr uint32_t kNamed = uint32_t(AclTag::kUser) | uint32_t(AclTag::kGroup);
  return (seen & kNeeded) == kNeeded && (!(seen & kNamed) || (seen & uint32_t(AclTag::kMask)));
}

AclEntry* find(Acl& acl, AclTag tag) {
  for (AclEntry& entry : acl)
    if (entry.tag == tag) return &entry;
  return nullptr;
}

// The entry that the group bits of the mode stand for.
AclEntry* group_class(Acl& acl) {
  AclEntry* mask = find(acl, AclTag::kMask);
  return mask ? mask : find(acl, AclTag::kGroupObj);
}

void narrow(AclEntry* entry, uint32_t& mode, unsigned shift) {
  if (!entry) return;
  entry->permissions = uint16_t(entry->permissions & (mode >> shift) & 7);
  mode &= ~(7u << shift) | (uint32_t(entry->permissions) << shift);
}

}  // namespace

Result<Acl> parse_acl(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || (bytes.size() - kHeaderBytes) % kEntryBytes != 0) return fail(Code::kInvalid);
  if (load<uint32_t>(bytes.data()) != kVersion) return fail(Code::kNotSupported);
  Acl acl;
  acl.reserve((bytes.size() - kHeaderBytes) / kEntryBytes);
  for (size_t at = kHeaderBytes; at < bytes.size(); at += kEntryBytes) {
    const char* entry = bytes.data() + at;
    acl.push_back({AclTag(load<uint16_t>(entry)), load<uint16_t>(entry + 2), load<uint32_t>(entry + 4)});
  }
  if (!acl.empty() && !well_formed(acl)) return fail(Code::kInvalid);
  return acl;
}

std::string encode_acl(const Acl& acl) {
  std::string bytes;
  bytes.reserve(kHeaderBytes + acl.size() * kEntryBytes);
  store(bytes, kVersion);
  for (const AclEntry& entry : acl) {
    store(bytes, uint16_t(entry.tag));
    store(bytes, entry.permissions);
    store(bytes, entry.id);
  }
  return bytes;
}

bool acl_permits(const Acl& acl, const Credentials& who, uint32_t owner, uint32_t group, int mask) {
  const auto wanted = uint32_t(mask);
  uint32_t limit = 7;
  for (const AclEntry& entry : acl)
    if (entry.tag == AclTag::kMask) limit = entry.permissions;
  const auto grants = [&](const AclEntry& entry, uint32_t most) {
    return (entry.permissions & most & wanted) == wanted;
  };

  bool in_group_class = false;
  for (const AclEntry& entry : acl) {
    switch (entry.tag) {
      case AclTag::kUserObj:
        if (who.uid == owner) return grants(entry, 7);
        break;
      case AclTag::kUser:
        if (who.uid == entry.id) return grants(entry, limit);
        break;
      case AclTag::kGroupObj:
      case AclTag::kGroup:
        if (!who.in_group(entry.tag == AclTag::kGroup ? entry.id : group)) break;
        if (grants(entry, limit)) return true;
        in_group_class = true;
        break;
      case AclTag::kMask:
        break;
      case AclTag::kOther:
        return !in_group_class && grants(entry, 7);
    }
  }
  return false;
}

uint32_t acl_mode(const Acl& acl) {
  Acl copy = acl;
  const auto bits = [](const AclEntry* entry) { return entry ? uint32_t(entry->permissions) : 0u; };
  return bits(find(copy, AclTag::kUserObj)) << 6 | bits(group_class(copy)) << 3 | bits(find(copy, AclTag::kOther));
}

bool acl_is_mode(const Acl& acl) {
  for (const AclEntry& entry : acl)
    if (is_named(entry.tag) || entry.tag == AclTag::kMask) return false;
  return true;
}

void acl_chmod(Acl& acl, uint32_t mode) {
  const auto set = [](AclEntry* entry, uint32_t bits) {
    if (entry) entry->permissions = uint16_t(bits & 7);
  };
  set(find(acl, AclTag::kUserObj), mode >> 6);
  set(group_class(acl), mode >> 3);
  set(find(acl, AclTag::kOther), mode);
}

void acl_inherit(Acl& acl, uint32_t& mode) {
  narrow(find(acl, AclTag::kUserObj), mode, 6);
  narrow(group_class(acl), mode, 3);
  narrow(find(acl, AclTag::kOther), mode, 0);
}

}  // namespace firn::meta
