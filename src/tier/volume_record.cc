#include "tier/volume_record.h"

#include "base/bytes.h"
#include "base/checksum.h"

namespace firn::tier {

namespace {

constexpr std::string_view kMagic = "firnvolm";
constexpr uint16_t kVersion = 1;
constexpr size_t kHeaderBytes = 16;  // magic, version:u16, 0:u16, record_bytes:u32
constexpr size_t kChecksumBytes = 8;
constexpr size_t kIdBytes = 16;

template <class T>
void append_le(std::string& to, T value) {
  char bytes[sizeof value];
  store_le(bytes, value);
  to.append(bytes, sizeof bytes);
}

std::unexpected<Status> damaged(const char* what) {
  return fail(Code::kCorrupt, std::string("the object \"volume\" is damaged: ") + what);
}

}  // namespace

Result<std::string> encode_volume_object(const meta::VolumeSettings& settings) {
  const std::string record = meta::encode_volume(settings);
  if (kHeaderBytes + record.size() + kChecksumBytes > kMaxVolumeObjectBytes)
    return fail(Code::kInvalid, "the volume's record is too large");
  std::string bytes(kMagic);
  append_le(bytes, kVersion);
  append_le(bytes, uint16_t{0});
  append_le(bytes, static_cast<uint32_t>(record.size()));
  bytes += record;
  append_le(bytes, checksum64(bytes));
  return bytes;
}

Result<meta::VolumeSettings> decode_volume_object(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes + kChecksumBytes || bytes.size() > kMaxVolumeObjectBytes)
    return damaged("its size is impossible");
  if (!bytes.starts_with(kMagic)) return fail(Code::kCorrupt, "the object \"volume\" is not firn's");
  const auto version = load_le<uint16_t>(bytes.data() + 8);
  if (version > kVersion) return fail(Code::kNotSupported, "the object \"volume\" is a newer firn's");
  const size_t record_bytes = load_le<uint32_t>(bytes.data() + 12);
  if (version == 0 || load_le<uint16_t>(bytes.data() + 10) != 0 ||
      record_bytes != bytes.size() - kHeaderBytes - kChecksumBytes)
    return damaged("its header is wrong");
  const std::string_view covered = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (load_le<uint64_t>(bytes.data() + covered.size()) != checksum64(covered)) return damaged("its checksum is wrong");
  meta::VolumeSettings settings = TRY(meta::decode_volume(covered.substr(kHeaderBytes)));
  if (settings.id.size() != kIdBytes) return damaged("its id is");
  return settings;
}

}  // namespace firn::tier
