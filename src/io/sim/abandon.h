// What a simulated crash leaves behind: never resumed, never destroyed, and no leak to a checker of leaks.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#define FIRN_ABANDON(object) __lsan_ignore_object(object)
#endif
#endif
#ifndef FIRN_ABANDON
#define FIRN_ABANDON(object) (void)(object)
#endif

namespace firn::io {

// What it refers to is not a leak either.
inline void abandon(const void* object) { FIRN_ABANDON(object); }

}  // namespace firn::io
