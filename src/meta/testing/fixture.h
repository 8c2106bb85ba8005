// What meta's tests share: a service on each kind of engine, a clock that moves at every look, and plain calls.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kv/testing/engine_host.h"
#include "meta/local_service.h"
#include "meta/volume.h"

namespace firn::meta::testing {

using kv::testing::run;

// A second later at every look, so that a test sees every touch of a timestamp.
class TickingClock : public Clock {
 public:
  Timestamp now() override { return {1'700'000'000 + ++ticks_, 123}; }
  int64_t monotonic_ns() override { return 0; }

 private:
  std::atomic<int64_t> ticks_ = 0;
};

inline Credentials root() { return {}; }
inline Credentials user(uint32_t uid, uint32_t gid = 0, std::vector<uint32_t> groups = {}) {
  return {.uid = uid, .gid = gid == 0 ? uid : gid, .groups = std::move(groups)};
}
inline Credentials through_kernel(Credentials who) {
  who.kernel_checked = true;
  return who;
}

inline NodeSpec regular(uint32_t mode = 0644) { return {.type = FileType::kRegular, .mode = mode}; }
inline NodeSpec directory(uint32_t mode = 0755) { return {.type = FileType::kDirectory, .mode = mode}; }
inline NodeSpec symlink(std::string target) { return {.type = FileType::kSymlink, .target = std::move(target)}; }

template <class T>
Code code_of(const Result<T>& result) {
  return result ? Code::kOk : result.error().code();
}

// A service as plain calls, which fail the test when a call fails that is expected to work.
class Volume {
 public:
  Volume(kv::Engine& engine, Options options) : service_(engine, options) {}

  LocalService& service() { return service_; }

  Attr mkdir(InodeId parent, std::string_view name, uint32_t mode = 0755, const Credentials& who = root()) {
    return value(run(service_.make_node(who, parent, name, directory(mode))), name);
  }
  Attr file(InodeId parent, std::string_view name, uint32_t mode = 0644, const Credentials& who = root()) {
    return value(run(service_.create(who, parent, name, regular(mode), true)), name).attr;
  }
  Attr make(InodeId parent, std::string_view name, const NodeSpec& spec, const Credentials& who = root()) {
    return value(run(service_.make_node(who, parent, name, spec)), name);
  }
  Attr stat(InodeId inode) { return value(run(service_.getattr(inode)), "stat"); }
  Attr lookup(InodeId parent, std::string_view name) { return value(run(service_.lookup(root(), parent, name)), name); }
  Attr chmod(InodeId inode, uint32_t mode) {
    return value(run(service_.setattr(root(), inode, SetAttr{.mode = mode})), "chmod");
  }
  Attr set(InodeId inode, const SetAttr& change) { return value(run(service_.setattr(root(), inode, change)), "set"); }

  Code lookup_code(InodeId parent, std::string_view name, const Credentials& who = root()) {
    return code_of(run(service_.lookup(who, parent, name)));
  }
  Code make_code(InodeId parent, std::string_view name, const NodeSpec& spec, const Credentials& who = root()) {
    return code_of(run(service_.make_node(who, parent, name, spec)));
  }
  Code link(InodeId inode, InodeId parent, std::string_view name, const Credentials& who = root()) {
    return code_of(run(service_.link(who, inode, parent, name)));
  }
  Code unlink(InodeId parent, std::string_view name, const Credentials& who = root()) {
    return code_of(run(service_.unlink(who, parent, name)));
  }
  Code rmdir(InodeId parent, std::string_view name, const Credentials& who = root()) {
    return code_of(run(service_.rmdir(who, parent, name)));
  }
  Code rename(InodeId parent, std::string_view name, InodeId new_parent, std::string_view new_name,
              RenameOptions options = {}, const Credentials& who = root()) {
    return code_of(run(service_.rename(who, parent, name, new_parent, new_name, options)));
  }
  Code setattr(InodeId inode, const SetAttr& change, const Credentials& who = root()) {
    return code_of(run(service_.setattr(who, inode, change)));
  }
  Code access(InodeId inode, int mask, const Credentials& who) {
    return code_of(run(service_.access(who, inode, mask)));
  }
  Code setxattr(InodeId inode, std::string_view name, std::string_view bytes, XattrMode mode = XattrMode::kEither,
                const Credentials& who = root()) {
    return code_of(run(service_.setxattr(who, inode, name, bytes, mode)));
  }
  Result<std::string> getxattr(InodeId inode, std::string_view name, const Credentials& who = root()) {
    return run(service_.getxattr(who, inode, name));
  }
  Code removexattr(InodeId inode, std::string_view name, const Credentials& who = root()) {
    return code_of(run(service_.removexattr(who, inode, name)));
  }
  std::vector<std::string> listxattr(InodeId inode, const Credentials& who = root()) {
    return value(run(service_.listxattr(who, inode)), "listxattr");
  }
  std::vector<std::string> names(InodeId parent) {
    std::vector<std::string> all;
    for (const DirEntry& entry : value(run(service_.readdir(parent, {}, {.limit = 100'000})), "readdir"))
      all.push_back(entry.name);
    return all;
  }
  Attr update(InodeId inode, const ContentUpdate& change) {
    return value(run(service_.update_content(inode, change)), "update_content");
  }
  std::vector<InodeId> orphans() { return value(run(service_.list_orphans(InodeId(), 1000)), "orphans"); }
  Usage usage() { return value(run(service_.usage()), "usage"); }

 private:
  template <class T>
  static T value(Result<T> result, std::string_view what) {
    EXPECT_TRUE(result) << what << ": " << result.error().to_string();
    return result ? *std::move(result) : T{};
  }

  LocalService service_;
};

// The configurations that every suite runs on: with caches and without, in memory and on disk.
enum class Kind { kMemOwned, kMemShared, kRocksdb };

inline std::string kind_name(const ::testing::TestParamInfo<Kind>& info) {
  switch (info.param) {
    case Kind::kMemOwned:
      return "mem_owned";
    case Kind::kMemShared:
      return "mem_shared";
    case Kind::kRocksdb:
      return "rocksdb";
  }
  return "";
}

inline Options small_options(Clock& clock, Kind kind) {
  return {.clock = &clock,
          .exclusive_owner = kind != Kind::kMemShared,
          .inode_cache_entries = 64,
          .dirent_cache_entries = 64,
          .boot_session = 7};
}

class ServiceTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::kRocksdb) {
      auto opened = kv::open_rocksdb(kv::testing::small_rocksdb(folder_.path() + "/db"));
      ASSERT_TRUE(opened) << opened.error().to_string();
      engine_ = *std::move(opened);
    } else {
      engine_ = kv::make_mem_engine();
    }
    const auto formatted = run(format(*engine_, VolumeSettings{.id = "0123456789abcdef"}, RootOwner{.mode = 0777}));
    ASSERT_TRUE(formatted) << formatted.error().to_string();
    volume_ = std::make_unique<Volume>(*engine_, small_options(clock_, GetParam()));
  }
  void TearDown() override {
    volume_.reset();
    if (engine_) EXPECT_TRUE(run(engine_->close()));
  }
  Volume& v() { return *volume_; }
  LocalService& service() { return volume_->service(); }

  TickingClock clock_;
  kv::testing::ScratchFolder folder_;
  std::unique_ptr<kv::Engine> engine_;
  std::unique_ptr<Volume> volume_;
};

#define FIRN_META_SUITE(name)                                                                            \
  class name : public ::firn::meta::testing::ServiceTest {};                                             \
  INSTANTIATE_TEST_SUITE_P(                                                                              \
      Engines, name,                                                                                     \
      ::testing::Values(::firn::meta::testing::Kind::kMemOwned, ::firn::meta::testing::Kind::kMemShared, \
                        ::firn::meta::testing::Kind::kRocksdb),                                          \
      ::firn::meta::testing::kind_name)

}  // namespace firn::meta::testing
