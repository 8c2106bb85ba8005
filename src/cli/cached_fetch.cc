#include "cli/cached_fetch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <vector>

namespace firn::cli {
namespace {

constexpr int kWhole = 200, kNotModified = 304;
constexpr size_t kBufferBytes = 256 << 10;

Status copy_from(int fd, const BodySink& sink) {
  std::vector<std::byte> buffer(kBufferBytes);
  for (;;) {
    const ssize_t bytes = read(fd, buffer.data(), buffer.size());
    if (bytes < 0) return Status::from_errno(errno, "the content cache");
    if (bytes == 0) return {};
    TRY(sink(std::span(buffer).first(static_cast<size_t>(bytes))));
  }
}

Result<uint64_t> length_of(const Client::Head& head) {
  const std::string text = head.header("content-length");
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (head.status == kWhole && error == std::errc() && end == text.data() + text.size()) return bytes;
  return fail(Code::kIo, fmt::format("the daemon answered {}, and not with the file", head.status));
}

}  // namespace

Result<ContentCache*> cache_for(const Served& served) {
  static const Result<std::unique_ptr<ContentCache>> cache = ContentCache::of_user();
  if (!served.remote || served.remote->trust == Trust::kFound) return nullptr;
  if (!cache) return fail(cache.error());
  return cache->get();
}

Status fetch_cached(Client& client, ContentCache* cache, const Target& target, const CachedFetch& fetch) {
  const ContentCache::Source source{.url = target.served.text(), .path = target.inner};
  const auto known = cache ? cache->find(source) : std::nullopt;
  std::optional<ContentCache::Part> part;
  uint64_t bytes = 0, came = 0;
  std::string tag;
  bool unchanged = false;
  Client::Incoming incoming{.begin = [&](const Client::Head& head) -> Status {
                              unchanged = known && head.status == kNotModified;
                              bytes = unchanged ? known->bytes : TRY(length_of(head));
                              tag = unchanged ? known->tag : head.header("etag");
                              if (!unchanged && cache && !tag.empty())
                                if (auto begun = cache->begin(bytes)) part.emplace(*std::move(begun));
                              return fetch.begin ? fetch.begin(bytes, tag) : Status();
                            },
                            .sink = [&](std::span<const std::byte> data) -> Status {
                              came += data.size();
                              if (part) part->append(data);
                              return fetch.sink(data);
                            }};
  if (known) incoming.headers = fmt::format("If-None-Match: {}\r\n", known->tag);
  TRY(client.fetch(file_route(target), incoming));
  if (unchanged) return copy_from(known->fd.get(), fetch.sink);
  if (came != bytes) return Status(Code::kIo, fmt::format("{} bytes came, and {} were announced", came, bytes));
  if (part) cache->keep(*std::move(part), source, tag, bytes);
  return {};
}

}  // namespace firn::cli
