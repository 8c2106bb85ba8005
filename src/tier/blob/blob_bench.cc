// blob_bench: how fast whole chunks go into blobs and come out again, and parts of them come out.
//
//   blob_bench [FILE]      FILE: what is to be packed besides noise; the program itself when there is none
//
// Prints one line of JSON for each codec, with and without a key: MB of plain bytes per second of processor time, and
// stored bytes per plain one.
#include <ctime>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "object/testing/noise.h"
#include "tier/blob/frame.h"
#include "tier/blob/writer.h"

namespace firn::tier {
namespace {

constexpr size_t kChunkBytes = 4 << 20;
constexpr size_t kChunks = 12;
constexpr int kRounds = 5;  // the best of which counts

double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

template <class Work>
double best_mb_per_second(size_t bytes, Work work) {
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = processor_seconds();
    work();
    best = std::max(best, static_cast<double>(bytes) * 1e-6 / (processor_seconds() - begin));
  }
  return best;
}

FrameId frame(size_t number) { return {InodeId(1), ChunkIndex(number), 1}; }

void measure(const char* name, const std::vector<std::string>& chunks, Codec codec, std::optional<Key> key) {
  std::string blob;
  std::vector<FrameRef> refs;
  const size_t bytes = chunks.size() * kChunkBytes;
  object::Content content;
  const double append = best_mb_per_second(bytes, [&] {
    BlobWriter writer(BlobId(), codec, key);
    refs.clear();
    for (size_t i = 0; i < chunks.size(); ++i) refs.push_back(writer.append(frame(i), chunks[i]).value());
    content = writer.finish();
  });
  blob = content.flatten();
  if (key) key = blob_key(*key, BlobId());
  size_t opened = 0;
  const double open = best_mb_per_second(bytes, [&] {
    for (size_t i = 0; i < refs.size(); ++i)
      opened += open_frame(std::string_view(blob).substr(refs[i].offset, refs[i].bytes), frame(i), key)->size();
  });
  std::printf("{\"data\": \"%s\", \"codec\": %d, \"sealed\": %s, \"append\": %.0f, \"open\": %.0f, \"stored\": %.3f}\n",
              name, static_cast<int>(codec), key ? "true" : "false", append, open,
              static_cast<double>(blob.size()) / static_cast<double>(bytes));
}

std::vector<std::string> chunks_of(const std::string& content) {
  std::vector<std::string> chunks;
  for (size_t i = 0; i < kChunks; ++i) {
    std::string chunk = content.substr(i * kChunkBytes % content.size(), kChunkBytes);
    while (chunk.size() < kChunkBytes) chunk += content.substr(0, kChunkBytes - chunk.size());
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

int run(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (content.empty()) {
    std::fprintf(stderr, "blob_bench: %s: there is nothing to read\n", path);
    return 1;
  }
  for (const std::optional<Key> key : {std::optional<Key>(), std::optional<Key>(Key{})}) {
    measure("noise", chunks_of(object::testing::noise(kChunks * kChunkBytes, 1)), Codec::kStored, key);
    measure("noise", chunks_of(object::testing::noise(kChunks * kChunkBytes, 1)), Codec::kZstd, key);
    measure("file", chunks_of(content), Codec::kLz4, key);
    measure("file", chunks_of(content), Codec::kZstd, key);
  }
  return 0;
}

}  // namespace
}  // namespace firn::tier

int main(int argc, char** argv) { return firn::tier::run(argc > 1 ? argv[1] : "/proc/self/exe"); }
