// A real mount of a volume in memory, over both transports. Needs root and /dev/fuse.
#include "fuse/session.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "fuse/test_session.h"

namespace firn::fuse {
namespace {

namespace fs = std::filesystem;

std::string pattern(size_t bytes) {
  std::string content(bytes, 'x');
  for (size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>(i * 31 + (i >> 12));
  return content;
}

TEST_P(SessionTest, UsesTheTransportThatWasAskedFor) {
  const SessionInfo info = session_->info();
  EXPECT_EQ(info.transport, GetParam().transport) << info.transport_reason;
  put("a", "x");
  if (GetParam().transport == TransportKind::kUring) {
    EXPECT_GT(session_->info().uring_requests, 0U);
  } else {
    EXPECT_EQ(session_->info().uring_requests, 0U);
    EXPECT_GT(session_->info().dev_requests, 0U);
  }
  EXPECT_TRUE(info.passthrough) << info.passthrough_reason;
  EXPECT_GE(info.protocol_minor, 38U);
  EXPECT_EQ(info.readahead_bytes, 1U << 20);
}

TEST_P(SessionTest, WritesAndReadsBack) {
  put("small", "hello");
  EXPECT_EQ(get("small"), "hello");
  EXPECT_EQ(info_of("small").st_size, 5);
  const std::string big = pattern(5 << 20);
  put("big", big);
  EXPECT_TRUE(get("big") == big);
  EXPECT_EQ(info_of("big").st_size, 5 << 20);
  std::ofstream(path("small"), std::ios::app) << " world";
  EXPECT_EQ(get("small"), "hello world");
  EXPECT_EQ(info_of("small").st_size, 11);
}

// Of the smaller parts, a reply has more pieces than the kernel takes at once.
TEST_P(SessionTest, SendsWhatIsLent) {
  const std::string content = pattern(3'000'001);
  put("f", content);
  const Fd file(open(path("f").c_str(), O_RDONLY | O_DIRECT));
  for (const size_t part_bytes : {20'001U, 23U}) {
    volume_.lent_part_bytes = part_bytes;
    for (const size_t at : {0U, 4096U, 1U << 20, 2'990'080U}) {
      std::string part(1 << 20, '?');
      part.resize(static_cast<size_t>(pread(file.get(), part.data(), part.size(), static_cast<off_t>(at))));
      EXPECT_TRUE(part == content.substr(at, 1 << 20)) << at;
    }
    if (!GetParam().passthrough) EXPECT_GT(volume_.lent_parts, content.size() / part_bytes / 3);
  }
}

TEST_P(SessionTest, MapsAFile) {
  put("map", std::string(8192, 'a'));
  const Fd file(open(path("map").c_str(), O_RDWR));
  auto* memory = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_EQ(memory[5000], 'a');
  memory[5000] = 'b';
  ASSERT_EQ(msync(memory, 8192, MS_SYNC), 0);
  munmap(memory, 8192);
  EXPECT_EQ(get("map")[5000], 'b');
}

TEST_P(SessionTest, ListsDirectories) {
  std::set<std::string> expected;
  for (int i = 0; i < 700; ++i) {
    expected.insert("file-with-a-name-" + std::to_string(i));
    put("file-with-a-name-" + std::to_string(i), std::to_string(i));
  }
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(root_)) found.insert(entry.path().filename());
  EXPECT_EQ(found, expected);
  fs::remove(path("file-with-a-name-5"));
  expected.erase("file-with-a-name-5");
  found.clear();
  for (const auto& entry : fs::directory_iterator(root_)) found.insert(entry.path().filename());
  EXPECT_EQ(found, expected);
}

TEST_P(SessionTest, RenamesLinksAndRemoves) {
  ASSERT_EQ(mkdir(path("d").c_str(), 0755), 0);
  put("d/a", "A");
  put("d/b", "B");
  ASSERT_EQ(rename(path("d/a").c_str(), path("d/c").c_str()), 0);
  EXPECT_EQ(get("d/c"), "A");
  EXPECT_EQ(renameat2(AT_FDCWD, path("d/b").c_str(), AT_FDCWD, path("d/c").c_str(), RENAME_NOREPLACE), -1);
  EXPECT_EQ(errno, EEXIST);
  ASSERT_EQ(renameat2(AT_FDCWD, path("d/b").c_str(), AT_FDCWD, path("d/c").c_str(), RENAME_EXCHANGE), 0);
  EXPECT_EQ(get("d/c"), "B");
  ASSERT_EQ(link(path("d/c").c_str(), path("d/hard").c_str()), 0);
  EXPECT_EQ(info_of("d/hard").st_nlink, 2U);
  ASSERT_EQ(unlink(path("d/c").c_str()), 0);
  EXPECT_EQ(info_of("d/hard").st_nlink, 1U);
  ASSERT_EQ(symlink("d/hard", path("soft").c_str()), 0);
  EXPECT_EQ(get("soft"), "B");
  EXPECT_EQ(fs::read_symlink(path("soft")), "d/hard");
  EXPECT_EQ(rmdir(path("d").c_str()), -1);
  EXPECT_EQ(errno, ENOTEMPTY);
  fs::remove_all(path("d"));
  EXPECT_FALSE(fs::exists(path("d")));
}

TEST_P(SessionTest, KeepsAttributes) {
  put("f", "x");
  ASSERT_EQ(chmod(path("f").c_str(), 0640), 0);
  ASSERT_EQ(chown(path("f").c_str(), 12, 34), 0);
  const timespec times[2] = {{-1000, 7}, {1LL << 33, 999'999'999}};
  ASSERT_EQ(utimensat(AT_FDCWD, path("f").c_str(), times, 0), 0);
  struct stat info = info_of("f");
  EXPECT_EQ(info.st_mode, S_IFREG | 0640U);
  EXPECT_EQ(info.st_uid, 12U);
  EXPECT_EQ(info.st_gid, 34U);
  EXPECT_EQ(info.st_atim.tv_sec, -1000);
  EXPECT_EQ(info.st_atim.tv_nsec, 7);
  EXPECT_EQ(info.st_mtim.tv_sec, 1LL << 33);
  EXPECT_EQ(info.st_mtim.tv_nsec, 999'999'999);
  ASSERT_EQ(truncate(path("f").c_str(), 1LL << 40), 0);
  EXPECT_EQ(info_of("f").st_size, 1LL << 40);
  struct statx extended{};
  ASSERT_EQ(statx(AT_FDCWD, path("f").c_str(), 0, STATX_BTIME, &extended), 0);
  EXPECT_TRUE(extended.stx_mask & STATX_BTIME);
  EXPECT_GT(extended.stx_btime.tv_sec, 1'000'000'000);
}

TEST_P(SessionTest, MakesSpecialFiles) {
  ASSERT_EQ(mknod(path("fifo").c_str(), S_IFIFO | 0600, 0), 0);
  ASSERT_EQ(mknod(path("device").c_str(), S_IFCHR | 0600, makedev(300, 70000)), 0);
  EXPECT_TRUE(S_ISFIFO(info_of("fifo").st_mode));
  EXPECT_TRUE(S_ISCHR(info_of("device").st_mode));
  EXPECT_EQ(info_of("device").st_rdev, makedev(300, 70000));
}

TEST_P(SessionTest, KeepsExtendedAttributes) {
  put("f", "x");
  const std::string file = path("f");
  EXPECT_EQ(getxattr(file.c_str(), "user.none", nullptr, 0), -1);
  EXPECT_EQ(errno, ENODATA);
  ASSERT_EQ(setxattr(file.c_str(), "user.a", "12345", 5, 0), 0);
  EXPECT_EQ(setxattr(file.c_str(), "user.a", "1", 1, XATTR_CREATE), -1);
  EXPECT_EQ(errno, EEXIST);
  char buffer[64];
  EXPECT_EQ(getxattr(file.c_str(), "user.a", nullptr, 0), 5);
  EXPECT_EQ(getxattr(file.c_str(), "user.a", buffer, 2), -1);
  EXPECT_EQ(errno, ERANGE);
  ASSERT_EQ(getxattr(file.c_str(), "user.a", buffer, sizeof buffer), 5);
  EXPECT_EQ(std::string(buffer, 5), "12345");
  EXPECT_EQ(listxattr(file.c_str(), buffer, sizeof buffer), 7);
  EXPECT_STREQ(buffer, "user.a");
  const std::string large(60000, 'v');
  ASSERT_EQ(setxattr(file.c_str(), "user.large", large.data(), large.size(), 0), 0);
  std::string back(65536, 0);
  ASSERT_EQ(getxattr(file.c_str(), "user.large", back.data(), back.size()), 60000);
  EXPECT_EQ(back.substr(0, 60000), large);
  ASSERT_EQ(removexattr(file.c_str(), "user.a"), 0);
  EXPECT_EQ(getxattr(file.c_str(), "user.a", buffer, sizeof buffer), -1);
}

TEST_P(SessionTest, PunchesSeeksAndCopies) {
  put("f", std::string(1 << 20, 'd'));
  const Fd file(open(path("f").c_str(), O_RDWR));
  ASSERT_EQ(fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 65536), 0);
  EXPECT_EQ(lseek(file.get(), 0, SEEK_HOLE), 65536);
  EXPECT_EQ(lseek(file.get(), 65536, SEEK_DATA), 131072);
  ASSERT_EQ(fallocate(file.get(), 0, 1 << 20, 4096), 0);
  EXPECT_EQ(info_of("f").st_size, (1 << 20) + 4096);
  const Fd copy(open(path("copy").c_str(), O_RDWR | O_CREAT, 0600));
  EXPECT_EQ(copy_file_range(file.get(), nullptr, copy.get(), nullptr, 4096, 0), 4096);
  EXPECT_EQ(fsync(copy.get()), 0);
  EXPECT_EQ(fdatasync(copy.get()), 0);
}

TEST_P(SessionTest, KeepsUnlinkedFilesWhileOpen) {
  put("f", "still here");
  const Fd file(open(path("f").c_str(), O_RDONLY));
  ASSERT_EQ(unlink(path("f").c_str()), 0);
  char buffer[32];
  EXPECT_EQ(read(file.get(), buffer, sizeof buffer), 10);
  const Fd unnamed(open(root_.c_str(), O_TMPFILE | O_RDWR, 0600));
  ASSERT_TRUE(unnamed) << strerror(errno);
  EXPECT_EQ(write(unnamed.get(), "abc", 3), 3);
}

TEST_P(SessionTest, AnswersIoctls) {
  put("f", "x");
  const Fd file(open(path("f").c_str(), O_RDONLY));
  int flags = FS_APPEND_FL;
  ASSERT_EQ(ioctl(file.get(), FS_IOC_SETFLAGS, &flags), 0) << strerror(errno);
  flags = 0;
  ASSERT_EQ(ioctl(file.get(), FS_IOC_GETFLAGS, &flags), 0);
  EXPECT_EQ(flags, FS_APPEND_FL);
  EXPECT_EQ(ioctl(file.get(), FIONREAD + 77, &flags), -1);
  EXPECT_EQ(errno, ENOTTY);
}

TEST_P(SessionTest, ReportsSpace) {
  struct statfs space{};
  ASSERT_EQ(statfs(root_.c_str(), &space), 0);
  EXPECT_EQ(space.f_blocks, 1000U);
  EXPECT_EQ(space.f_bavail, 500U);
  EXPECT_EQ(space.f_namelen, 255);
}

TEST_P(SessionTest, ShowsChangesOfOtherDoors) {
  EXPECT_FALSE(fs::exists(path("new")));  // cached as absent now
  EXPECT_EQ(fs::directory_iterator(root_), fs::directory_iterator());
  volume_.create_behind(kRootInode, "new");
  bool seen = false;
  for (int i = 0; i < 200 && !seen; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    seen = fs::exists(path("new"));
  }
  EXPECT_TRUE(seen);
  EXPECT_GT(session_->info().notifications, 0U);
}

TEST_P(SessionTest, ForgetsWhatTheKernelForgot) {
  for (int i = 0; i < 50; ++i) put("f" + std::to_string(i), "x");
  for (int i = 0; i < 50; ++i) unlink(path("f" + std::to_string(i)).c_str());
  for (int i = 0; i < 200 && volume_.inodes() > 1; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(volume_.inodes(), 1U);
  EXPECT_EQ(volume_.open_handles(), 0U);
}

TEST_P(SessionTest, ServesManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string name = "t" + std::to_string(t) + "-" + std::to_string(i % 7);
        put(name, std::string(static_cast<size_t>(i * 100), static_cast<char>('a' + t)));
        EXPECT_EQ(get(name).size(), static_cast<size_t>(i * 100));
        EXPECT_EQ(unlink(path(name).c_str()), 0);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_P(SessionTest, EndsWhenUnmountedFromOutside) {
  put("f", "x");
  ASSERT_EQ(umount2(root_.c_str(), 0), 0);
  io::block_on(*reactors_, session_->wait_unmounted());
  EXPECT_FALSE(session_->info().connected);
  session_.reset();
  mount();
  EXPECT_EQ(get("f"), "x");
}

TEST_P(SessionTest, RefusesToUnmountWhileBusy) {
  put("f", "x");
  const Fd file(open(path("f").c_str(), O_RDONLY));
  const auto result = io::block_on(*reactors_, session_->unmount({}));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), Code::kBusy);
  EXPECT_EQ(get("f"), "x");
}

TEST_P(SessionTest, StopsThoughSomebodyUsesIt) {
  put("f", "x");
  const Fd file(open(path("f").c_str(), O_RDONLY));
  io::block_on(*reactors_, session_->stop(50'000'000));
  EXPECT_FALSE(session_->info().connected);
  struct stat info{};
  fstat(file.get(), &info);
}

TEST_P(SessionTest, StopsThoughSomebodyHoldsWhatWasDetached) {
  put("f", "x");
  const Fd file(open(path("f").c_str(), O_RDONLY));
  ASSERT_EQ(umount2(root_.c_str(), MNT_DETACH), 0);
  io::block_on(*reactors_, session_->stop(50'000'000));
  EXPECT_FALSE(session_->info().connected);
  int flags = 0;
  EXPECT_EQ(ioctl(file.get(), FS_IOC_GETFLAGS, &flags), -1);
  EXPECT_EQ(errno, ENOTCONN);
}

TEST_P(SessionTest, StopsWithoutTouchingAnotherMountInItsPlace) {
  put("f", "x");
  const Fd file(open(path("f").c_str(), O_RDONLY));
  ASSERT_EQ(umount2(root_.c_str(), MNT_DETACH), 0);
  ASSERT_EQ(::mount("none", root_.c_str(), "tmpfs", 0, "size=1m"), 0);
  put("of another", "y");
  io::block_on(*reactors_, session_->stop(50'000'000));
  EXPECT_FALSE(session_->info().connected);
  EXPECT_EQ(get("of another"), "y");
  EXPECT_EQ(umount2(root_.c_str(), 0), 0);
}

// The hook takes its time, so that a reply that does not wait for it is seen before it is done.
TEST_P(SessionTest, RepliesAfterTheSubmitHook) {
  std::atomic<size_t> handed_over = 0;
  const auto hand_over = [this, &handed_over] {
    const size_t made = volume_.inodes();
    if (made == handed_over.load()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    handed_over.store(made);
  };
  const auto set_hooks = [this](const std::function<void()>& hook) {
    for (unsigned i = 0; i < reactors_->size(); ++i)
      io::block_on(reactors_->reactor(i), [](io::UringReactor* reactor, std::function<void()> set) -> io::Task<void> {
        reactor->set_submit_hook(std::move(set));
        co_return;
      }(&reactors_->reactor(i), hook));
  };
  set_hooks(hand_over);
  for (size_t i = 0; i < 30; ++i) {
    ASSERT_EQ(mkdir(path("d" + std::to_string(i)).c_str(), 0755), 0);
    EXPECT_GE(handed_over.load(), i + 2) << "with the root";
  }
  set_hooks({});
}

TEST_P(SessionTest, RefusesASecondMount) {
  MountOptions options;
  options.mount_point = root_;
  auto second = io::block_on(*reactors_, Session::mount(options, {volume_, access_log_, *reactors_}));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Code::kBusy);
  EXPECT_NE(second.error().message().find("already"), std::string::npos) << second.error().message();
}

// Until a line has `wanted`.
std::string read_log(int fd, const std::string& wanted) {
  std::string text;
  char buffer[65536];
  while (text.find(wanted) == std::string::npos) {
    const ssize_t bytes = read(fd, buffer, sizeof buffer);
    if (bytes <= 0) return text + "the log ended";
    text.append(buffer, static_cast<size_t>(bytes));
  }
  return text;
}

TEST_P(SessionTest, TheAccessLogTellsEachReaderWhatManyThreadsDo) {
  put("a", "x");
  const Fd first(open(path(".firn/accesslog").c_str(), O_RDONLY));
  const Fd second(open(path(".firn/accesslog").c_str(), O_RDONLY));
  ASSERT_TRUE(first && second);
  std::vector<std::thread> workers;
  for (int worker = 0; worker < 4; ++worker)
    workers.emplace_back([this, worker] {
      for (int i = 0; i < 50; ++i) mkdir(path("d" + std::to_string(worker * 50 + i)).c_str(), 0700);
    });
  for (std::thread& worker : workers) worker.join();
  mkdir(path("last").c_str(), 0700);
  for (const Fd* log : {&first, &second}) {
    const std::string text = read_log(log->get(), "op=MKDIR inode=1 name=\"last\"");
    for (int i = 0; i < 200; ++i)
      EXPECT_NE(text.find("op=MKDIR inode=1 name=\"d" + std::to_string(i) + "\""), std::string::npos) << i;
  }
}

TEST_P(SessionTest, EndsWhileSomebodyWaitsForTheAccessLog) {
  const Fd log(open(path(".firn/accesslog").c_str(), O_RDONLY));
  ASSERT_TRUE(log);
  std::thread reader([&log] { read_log(log.get(), "nobody does this"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  io::block_on(*reactors_, session_->stop(100'000'000));
  reader.join();
  session_.reset();
}

INSTANTIATE_TEST_SUITE_P(All, SessionTest,
                         ::testing::Values(Setup{TransportKind::kDev, false}, Setup{TransportKind::kDev, true},
                                           Setup{TransportKind::kUring, false}, Setup{TransportKind::kUring, true}),
                         [](const auto& parameter) {
                           return std::string(transport_name(parameter.param.transport)) +
                                  (parameter.param.passthrough ? "Passthrough" : "Cached");
                         });

}  // namespace
}  // namespace firn::fuse
