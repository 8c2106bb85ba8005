#include "cli/content_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/time.h"
#include "cli/cache_folder.h"
#include "cli/files.h"
#include "cli/json.h"

namespace firn::cli {
namespace {

constexpr uint64_t kDefaultLimitBytes = 1ull << 30;
constexpr uint64_t kLeastBytes = 4096;
constexpr uint64_t kMaxShare = 4;  // of the limit, that one content may take: a quarter
constexpr uint64_t kUntrimmedShare = 16;
constexpr uint64_t kUntrimmedFiles = 4096;
constexpr uint64_t kMaxNameBytes = 64 << 10;
constexpr int64_t kAbandonedPartS = 24 * 3600;
constexpr std::array<const char*, 3> kFolders = {"content", "names", "parts"};

using Hash = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

void update(EVP_MD_CTX* hash, const void* data, size_t bytes) { CHECK(EVP_DigestUpdate(hash, data, bytes) == 1); }

std::string finish(EVP_MD_CTX* hash) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned bytes = 0;
  CHECK(EVP_DigestFinal_ex(hash, digest.data(), &bytes) == 1);
  return to_hex({reinterpret_cast<const char*>(digest.data()), bytes});
}

Hash new_hash() {
  Hash hash(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  CHECK(hash && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1);
  return hash;
}

std::string digest_of(std::string_view text) {
  const Hash hash = new_hash();
  update(hash.get(), text.data(), text.size());
  return finish(hash.get());
}

// Of all that the file has; empty: it cannot be read. It is at its beginning again.
std::string digest_of_file(int fd) {
  std::vector<char> buffer(256 << 10);
  const Hash hash = new_hash();
  for (off_t offset = 0;;) {
    const ssize_t bytes = pread(fd, buffer.data(), buffer.size(), offset);
    if (bytes < 0) return "";
    if (bytes == 0) return finish(hash.get());
    update(hash.get(), buffer.data(), static_cast<size_t>(bytes));
    offset += bytes;
  }
}

bool is_digest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// A strong one, in quotes.
bool is_tag(const std::string& tag) { return tag.size() >= 2 && tag.starts_with('"') && tag.ends_with('"'); }

std::string read_small(const std::string& path) {
  io::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::string text(kMaxNameBytes, '\0');
  const ssize_t bytes = fd ? read(fd.get(), text.data(), text.size()) : -1;
  text.resize(static_cast<size_t>(std::max<ssize_t>(bytes, 0)));
  return text;
}

}  // namespace

struct ContentCache::Held {
  std::string path;
  uint64_t bytes = 0;
  int64_t used_s = 0;
  bool part = false;
};

ContentCache::ContentCache(Options options) : options_(std::move(options)) {}

ContentCache::~ContentCache() {
  if (untrimmed_files_ > 0) (void)trim();  // what it cannot trim, the next command does
}

Result<std::unique_ptr<ContentCache>> ContentCache::of_user() {
  const char* size = std::getenv("FIRN_CACHE_SIZE");
  uint64_t limit = kDefaultLimitBytes;
  if (size && *size) {
    const Result<uint64_t> parsed = parse_size(size);
    if (!parsed) return fail(Code::kInvalid, fmt::format("FIRN_CACHE_SIZE: {}", parsed.error().message()));
    limit = *parsed;
  }
  if (limit == 0) return nullptr;
  return std::make_unique<ContentCache>(Options{.folder = user_cache_folder() + "/contents", .limit_bytes = limit});
}

std::string ContentCache::name_path(const Source& source) const {
  return options_.folder + "/names/" + digest_of(source.url + "\n" + source.path);
}

bool ContentCache::make_folders() const {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(options_.folder).parent_path(), error);
  if (error || !make_folder(options_.folder)) return false;
  return std::ranges::all_of(
      kFolders, [this](const char* name) { return make_folder(options_.folder + "/" + name).has_value(); });
}

std::optional<ContentCache::Known> ContentCache::find(const Source& source) {
  const nlohmann::json name = nlohmann::json::parse(read_small(name_path(source)), nullptr, false);
  if (!name.is_object()) return std::nullopt;
  Known known;
  try {
    known.tag = name.at("tag").get<std::string>();
    known.digest = name.at("sha256").get<std::string>();
    known.bytes = name.at("bytes").get<uint64_t>();
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
  if (!is_tag(known.tag) || !is_digest(known.digest)) return std::nullopt;
  const std::string path = content_path(known.digest);
  known.fd = io::UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!known.fd) return std::nullopt;
  if (digest_of_file(known.fd.get()) != known.digest) {
    unlink(path.c_str());
    return std::nullopt;
  }
  // trim() goes by it.
  (void)futimens(known.fd.get(), nullptr);
  return known;
}

ContentCache::Part::Part(std::string path, io::UniqueFd fd)
    : path_(std::move(path)), fd_(std::move(fd)), hash_(new_hash().release()) {}

ContentCache::Part::~Part() {
  if (fd_) unlink(path_.c_str());
}

void ContentCache::Part::append(std::span<const std::byte> data) {
  update(hash_.get(), data.data(), data.size());
  bytes_ += data.size();
  while (!failed_ && !data.empty()) {
    const ssize_t bytes = write(fd_.get(), data.data(), data.size());
    if (bytes < 0 && errno == EINTR) continue;
    failed_ = bytes < 0;
    if (!failed_) data = data.subspan(static_cast<size_t>(bytes));
  }
}

std::optional<ContentCache::Part> ContentCache::begin(uint64_t bytes) {
  if (bytes < kLeastBytes || bytes > options_.limit_bytes / kMaxShare || !make_folders()) return std::nullopt;
  const std::string path = fmt::format("{}/parts/{:016x}", options_.folder, system_random().next());
  io::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return std::nullopt;
  return Part(path, std::move(fd));
}

void ContentCache::keep(Part part, const Source& source, const std::string& tag, uint64_t bytes) {
  if (part.failed_ || part.bytes_ != bytes || !is_tag(tag)) return;
  const std::string digest = finish(part.hash_.get());
  const nlohmann::json name = {{"tag", tag}, {"sha256", digest}, {"bytes", bytes}};
  if (rename(part.path_.c_str(), content_path(digest).c_str()) != 0) return;
  part.fd_.reset();
  const std::string text = dump_json(name);
  const std::string path = fmt::format("{}/parts/{:016x}", options_.folder, system_random().next());
  io::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool written = fd && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || rename(path.c_str(), name_path(source).c_str()) != 0) unlink(path.c_str());
  note_added(bytes);
}

void ContentCache::note_added(uint64_t bytes) {
  untrimmed_files_ += 2;
  if ((untrimmed_bytes_ += bytes) < options_.limit_bytes / kUntrimmedShare && untrimmed_files_ < kUntrimmedFiles)
    return;
  untrimmed_bytes_ = untrimmed_files_ = 0;
  (void)trim();
}

std::vector<ContentCache::Held> ContentCache::held() const {
  std::vector<Held> files;
  for (const char* folder : kFolders) {
    std::error_code error;
    std::filesystem::directory_iterator at(options_.folder + "/" + folder, error), end;
    for (; !error && at != end; at.increment(error)) {
      struct stat info{};
      const std::string path = at->path().string();
      if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
      files.push_back({.path = path,
                       .bytes = static_cast<uint64_t>(info.st_size),
                       .used_s = info.st_mtim.tv_sec,
                       .part = std::string_view(folder) == "parts"});
    }
  }
  return files;
}

Status ContentCache::trim() {
  io::UniqueFd lock(open((options_.folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock || flock(lock.get(), LOCK_EX) != 0) return Status::from_errno(errno, options_.folder);
  std::vector<Held> files = held();
  std::ranges::sort(files, {}, &Held::used_s);
  uint64_t sum = 0;
  for (const Held& file : files) sum += file.bytes;
  const int64_t now_s = system_clock().now().seconds;
  for (const Held& file : files) {
    const bool abandoned = file.part && now_s - file.used_s > kAbandonedPartS;
    if (!abandoned && (sum <= options_.limit_bytes || file.part)) continue;
    if (unlink(file.path.c_str()) == 0) sum -= file.bytes;
  }
  return {};
}

Status ContentCache::clear() {
  for (const Held& file : held())
    if (unlink(file.path.c_str()) != 0 && errno != ENOENT) return Status::from_errno(errno, file.path);
  return {};
}

ContentCache::Usage ContentCache::usage() const {
  Usage usage{.folder = options_.folder, .limit_bytes = options_.limit_bytes};
  for (const Held& file : held()) {
    usage.files += file.path.contains("/content/") ? 1 : 0;
    usage.bytes += file.bytes;
  }
  return usage;
}

}  // namespace firn::cli
