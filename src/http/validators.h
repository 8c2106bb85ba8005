// Which version of a file a client has, or wants: entity tags, dates, and conditions on them (RFC 9110, 8.8 and 13).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"
#include "meta/types.h"

namespace firn::http {

// Names a version of a file: its inode, size, time of modification and time of change. PUT makes another inode, and
// inodes are not used twice. What is written in place moves the time of change, which nobody can set back. That clock
// moves in ticks, for the kernel as for the volume (base/time.h): the tag is a strong one once its tick is over.
std::string etag_of(const meta::Attr& attr);

// Whether any change after `seen`, a time that was read before `attr` was, gives the file another tag.
inline bool is_settled(const meta::Attr& attr, Timestamp seen) { return attr.ctime < seen; }

// ETag and Last-Modified; no tag where it is not settled: content that is not told apart must not be taken for known.
Headers validator_headers(const meta::Attr& attr, bool settled);

// "Sun, 06 Nov 1994 08:49:37 GMT"; empty outside of the years 1 to 9999.
std::string http_date(int64_t seconds);
// That, or one of the two obsolete forms. Seconds since 1970.
std::optional<int64_t> parse_http_date(std::string_view text);

enum class Verdict : uint8_t {
  kProceed,
  kNotModified,  // 304
  kFailed,       // 412
};
// If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in their order of precedence. `current`: what the
// path names now; nullopt: nothing.
Verdict check_conditions(const Request& request, const std::optional<meta::Attr>& current);
bool has_conditions(const Request& request);

// Whether a Range header is to be heeded: there is no If-Range, or it names this very version.
bool range_applies(const Request& request, const meta::Attr& attr, bool settled, Timestamp now);

}  // namespace firn::http
