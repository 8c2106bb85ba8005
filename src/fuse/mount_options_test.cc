#include "fuse/mount_options.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "fuse/mount_point.h"

namespace firn::fuse {
namespace {

TEST(MountOptions, ReadsEveryKind) {
  MountOptions options;
  ASSERT_TRUE(parse_mount_options(
                  "ro,noatime,,transport=dev,passthrough=off,max_write=65536,readahead=0,allow_other,nodev", options)
                  .ok());
  EXPECT_TRUE(options.read_only);
  EXPECT_TRUE(options.no_atime);
  EXPECT_EQ(options.transport, TransportKind::kDev);
  EXPECT_FALSE(options.passthrough);
  EXPECT_EQ(options.max_write, 65536U);
  EXPECT_EQ(options.readahead, 0U);
  EXPECT_EQ(options.allow_other, true);
  EXPECT_EQ(mount_flags(options), static_cast<unsigned long>(MS_RDONLY | MS_NOATIME | MS_NODEV));
  ASSERT_TRUE(parse_mount_options("rw,transport=auto", options).ok());
  EXPECT_FALSE(options.read_only);
  EXPECT_FALSE(options.transport.has_value());
}

TEST(MountOptions, NamesTheMistake) {
  MountOptions options;
  Status status = parse_mount_options("ro,speed=9", options);
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_NE(status.message().find("speed=9"), std::string::npos) << status.message();
  status = parse_mount_options("transport=carrier-pigeon", options);
  EXPECT_NE(status.message().find("auto, uring and dev"), std::string::npos) << status.message();
  EXPECT_FALSE(parse_mount_options("max_write=12", options).ok());
  EXPECT_FALSE(parse_mount_options("max_write=65536x", options).ok());
  EXPECT_FALSE(parse_mount_options("readahead=-1", options).ok());
  EXPECT_FALSE(parse_mount_options("readahead=1G", options).ok());
  EXPECT_FALSE(parse_mount_options("passthrough=yes", options).ok());
}

TEST(MountOptions, EscapesForTheHelper) {
  MountOptions options;
  options.source = "a,b\\c";
  EXPECT_TRUE(fusermount_options(options, false).starts_with("fsname=a\\,b\\\\c,subtype=firn"));
}

TEST(MountPoint, FindsTheTopmostMount) {
  constexpr std::string_view kInfo =
      "36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/root rw\n"
      "37 36 0:40 / /mnt/with\\040space rw shared:2 - fuse.firn demo\\040volume rw,user_id=0\n"
      "38 37 0:41 / /mnt/with\\040space rw - tmpfs none rw\n";
  const auto entry = find_mount_in(kInfo, "/mnt/with space");
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->type, "tmpfs");
  EXPECT_EQ(entry->device, makedev(0, 41));
  EXPECT_EQ(find_mount_in(kInfo, "/mnt")->source, "/dev/root");
  EXPECT_FALSE(find_mount_in(kInfo, "/mn").has_value());
  EXPECT_FALSE(find_mount_in("garbage\n\n1 2 3", "/mnt").has_value());
}

}  // namespace
}  // namespace firn::fuse
