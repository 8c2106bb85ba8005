#include "kv/shipping.h"

namespace firn::kv {

namespace {

constexpr char kErase = 0;
constexpr char kPut = 1;
constexpr int kMaxVarintBytes = 5;

void append_bytes(std::string& batch, std::string_view bytes) {
  for (auto left = static_cast<uint32_t>(bytes.size());; left >>= 7) {
    if (left < 0x80) {
      batch.push_back(static_cast<char>(left));
      break;
    }
    batch.push_back(static_cast<char>(left | 0x80));
  }
  batch.append(bytes);
}

}  // namespace

void append_put(std::string& batch, std::string_view key, std::string_view value) {
  batch.push_back(kPut);
  append_bytes(batch, key);
  append_bytes(batch, value);
}

void append_erase(std::string& batch, std::string_view key) {
  batch.push_back(kErase);
  append_bytes(batch, key);
}

bool BatchReader::take(std::string_view& bytes, size_t max_bytes) {
  uint64_t length = 0;
  for (int i = 0;; ++i) {
    if (i == kMaxVarintBytes || rest_.empty()) return false;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    length |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) break;
  }
  if (length > max_bytes || length > rest_.size()) return false;
  bytes = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return true;
}

bool BatchReader::next() {
  if (rest_.empty() || !status_.ok()) return false;
  const char kind = rest_.front();
  rest_.remove_prefix(1);
  erases_ = kind == kErase;
  value_ = {};
  if ((kind == kErase || kind == kPut) && take(key_, kMaxKeyBytes) && (erases_ || take(value_, kMaxValueBytes)))
    return true;
  status_ = Status(Code::kCorrupt, "a batch of writes is malformed");
  return false;
}

}  // namespace firn::kv
