#include "fuse/mount_options.h"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

namespace firn::fuse {
namespace {

struct Flag {
  std::string_view name;
  bool MountOptions::* member;
  bool value;
};

constexpr Flag kFlags[] = {
    {"ro", &MountOptions::read_only, true},
    {"rw", &MountOptions::read_only, false},
    {"noatime", &MountOptions::no_atime, true},
    {"atime", &MountOptions::no_atime, false},
    {"nosuid", &MountOptions::no_suid, true},
    {"suid", &MountOptions::no_suid, false},
    {"nodev", &MountOptions::no_dev, true},
    {"dev", &MountOptions::no_dev, false},
    {"noexec", &MountOptions::no_exec, true},
    {"exec", &MountOptions::no_exec, false},
    {"nonempty", &MountOptions::non_empty, true},
    {"default_permissions", &MountOptions::default_permissions, true},
    {"no_default_permissions", &MountOptions::default_permissions, false},
};

// Options of mount(8) that say nothing to a file system.
constexpr std::string_view kIgnored[] = {"defaults", "auto", "noauto", "user", "nouser", "_netdev", "nofail"};

Status bad_value(std::string_view name, std::string_view value, std::string_view allowed) {
  return {Code::kInvalid, fmt::format("mount option {}={}: allowed are {}", name, value, allowed)};
}

Result<bool> parse_switch(std::string_view name, std::string_view value) {
  if (value == "on") return true;
  if (value == "off") return false;
  return fail(bad_value(name, value, "on and off"));
}

Result<uint32_t> parse_bytes(std::string_view name, std::string_view value, uint32_t least, uint32_t most) {
  uint32_t bytes = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bytes);
  const bool whole = error == std::errc() && end == value.data() + value.size();
  if (!whole || bytes < least || bytes > most) {
    return fail(bad_value(name, value, fmt::format("{} to {} bytes", least, most)));
  }
  return bytes;
}

Status parse_transport(std::string_view value, MountOptions& options) {
  if (value == "uring") {
    options.transport = TransportKind::kUring;
  } else if (value == "dev") {
    options.transport = TransportKind::kDev;
  } else if (value == "auto") {
    options.transport.reset();
  } else {
    return bad_value("transport", value, "auto, uring and dev");
  }
  return {};
}

Status parse_valued(std::string_view name, std::string_view value, MountOptions& options) {
  if (name == "transport") return parse_transport(value, options);
  if (name == "max_write") {
    options.max_write = TRY(parse_bytes(name, value, kMinWriteBytes, kMaxWriteBytes));
    return {};
  }
  if (name == "readahead") {
    options.readahead = TRY(parse_bytes(name, value, 0, kMaxReadaheadBytes));
    return {};
  }
  if (name == "passthrough") {
    options.passthrough = TRY(parse_switch(name, value));
    return {};
  }
  if (name == "dircache") {
    options.cache_directories = TRY(parse_switch(name, value));
    return {};
  }
  if (name == "fsname") {
    options.source = value;
    return {};
  }
  return {Code::kInvalid, fmt::format("unknown mount option {}={}", name, value)};
}

Status parse_plain(std::string_view name, MountOptions& options) {
  for (const Flag& flag : kFlags) {
    if (name != flag.name) continue;
    options.*flag.member = flag.value;
    return {};
  }
  for (const std::string_view ignored : kIgnored) {
    if (name == ignored) return {};
  }
  if (name == "allow_other") {
    options.allow_other = true;
    return {};
  }
  if (name == "noallow_other") {
    options.allow_other = false;
    return {};
  }
  return {Code::kInvalid, fmt::format("unknown mount option {}", name)};
}

// fusermount3 splits at commas and unescapes backslashes.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ',' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

}  // namespace

Status parse_mount_options(std::string_view text, MountOptions& options) {
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      TRY(parse_plain(item, options));
    } else {
      TRY(parse_valued(item.substr(0, equals), item.substr(equals + 1), options));
    }
  }
  return {};
}

unsigned long mount_flags(const MountOptions& options) {
  unsigned long flags = 0;
  if (options.read_only) flags |= MS_RDONLY;
  if (options.no_atime) flags |= MS_NOATIME;
  if (options.no_suid) flags |= MS_NOSUID;
  if (options.no_dev) flags |= MS_NODEV;
  if (options.no_exec) flags |= MS_NOEXEC;
  return flags;
}

std::string mount_data(const MountOptions& options, int fd, bool allow_other) {
  return fmt::format("fd={},rootmode={:o},user_id={},group_id={},max_read={}{}{}", fd, S_IFDIR | 0755, getuid(),
                     getgid(), options.max_write, options.default_permissions ? ",default_permissions" : "",
                     allow_other ? ",allow_other" : "");
}

std::string fusermount_options(const MountOptions& options, bool allow_other) {
  std::string text = fmt::format("fsname={},subtype=firn,max_read={}", escaped(options.source), options.max_write);
  if (options.default_permissions) text += ",default_permissions";
  if (allow_other) text += ",allow_other";
  if (options.read_only) text += ",ro";
  if (options.no_atime) text += ",noatime";
  if (options.no_exec) text += ",noexec";
  return text;
}

}  // namespace firn::fuse
