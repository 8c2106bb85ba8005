// A per-thread free list for coroutine frames: a request makes a handful of them, all of a few sizes.
#pragma once

#include <cstddef>

namespace firn::io::internal {

void* allocate_frame(size_t bytes);
// May run on another thread than allocate_frame did; the frame joins that thread's list.
void free_frame(void* frame, size_t bytes) noexcept;

}  // namespace firn::io::internal
