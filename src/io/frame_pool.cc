#include "io/frame_pool.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "base/check.h"

// Under a sanitizer every frame comes from malloc, so that a use after free shows.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FIRN_PLAIN_FRAMES 1
#endif
#endif

namespace firn::io::internal {

#ifdef FIRN_PLAIN_FRAMES

void* allocate_frame(size_t bytes) {
  void* frame = std::malloc(bytes);
  CHECK(frame);
  return frame;
}

void free_frame(void* frame, size_t) noexcept { std::free(frame); }

#else

namespace {

constexpr size_t kClassBytes = 64;
constexpr size_t kClasses = 32;  // frames of up to 2 KiB are kept
// A thread that only frees (frames migrate with switch_to) keeps at most this many of each class.
constexpr uint32_t kMaxFramesPerClass = 256;

struct FreeFrame {
  FreeFrame* next;
};

struct FreeLists {
  std::array<FreeFrame*, kClasses> heads;
  std::array<uint32_t, kClasses> counts;
  bool cleaner_registered;
  bool closed;  // the thread is ending: frames go straight back to malloc
};

// Zero-initialised and trivial, so that reaching it costs no guard; the cleaner below frees the lists.
constinit thread_local FreeLists lists{};

struct Cleaner {
  ~Cleaner() {
    lists.closed = true;
    for (FreeFrame*& head : lists.heads)
      while (head) std::free(std::exchange(head, head->next));
  }
};

void register_cleaner() {
  static thread_local Cleaner cleaner;
  (void)cleaner;
  lists.cleaner_registered = true;
}

constexpr size_t class_of(size_t bytes) { return (bytes - 1) / kClassBytes; }

[[gnu::noinline]] void* allocate_slow(size_t bytes) {
  const size_t rounded = (class_of(bytes) + 1) * kClassBytes;
  void* frame = std::malloc(rounded);
  CHECK(frame);
  return frame;
}

}  // namespace

void* allocate_frame(size_t bytes) {
  const size_t index = class_of(bytes);
  if (index >= kClasses || !lists.heads[index]) [[unlikely]]
    return allocate_slow(bytes);
  FreeFrame* frame = lists.heads[index];
  lists.heads[index] = frame->next;
  --lists.counts[index];
  return frame;
}

void free_frame(void* frame, size_t bytes) noexcept {
  const size_t index = class_of(bytes);
  if (index >= kClasses || lists.counts[index] >= kMaxFramesPerClass || lists.closed) [[unlikely]] {
    std::free(frame);
    return;
  }
  if (!lists.cleaner_registered) [[unlikely]]
    register_cleaner();
  auto* free_one = static_cast<FreeFrame*>(frame);
  free_one->next = lists.heads[index];
  lists.heads[index] = free_one;
  ++lists.counts[index];
}

#endif

}  // namespace firn::io::internal
