#include "io/sim/sim_disk.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "io/reactor.h"
#include "io/sim/sim_file.h"

namespace firn::io {
namespace {

using internal::SimNode;
using internal::SimNodeRef;
using internal::SimTree;

constexpr uint64_t kMaxFiles = 1 << 20;

Timestamp wall_time() { return Reactor::current()->clock().now(); }

}  // namespace

FileStat internal::stat_of(const SimNode& node) {
  return {.bytes = node.now.bytes,
          .allocated_bytes = node.now.sectors.size() * kSectorBytes,
          .atime = node.now.atime,
          .mtime = node.now.mtime,
          .ctime = node.now.ctime,
          .is_directory = node.is_directory};
}

SimDisk::SimDisk(SimDiskOptions options) : SimDisk(options, SimTree()) {}

SimDisk::SimDisk(SimDiskOptions options, SimTree tree)
    : options_(options), random_(options.seed), tree_(std::move(tree)), used_sectors_(tree_.allocated_sectors()) {
  CHECK(options_.min_latency_ns <= options_.max_latency_ns);
}

std::unique_ptr<SimDisk> SimDisk::crash() {
  powered_ = false;
  SimDiskOptions options = options_;
  options.seed = random_.next();
  return std::unique_ptr<SimDisk>(new SimDisk(options, tree_.after_crash(random_)));
}

Task<Result<SimFault>> SimDisk::begin(SimCall call, const std::string& path) {
  const auto spread = static_cast<uint64_t>(options_.max_latency_ns - options_.min_latency_ns);
  (void)co_await sleep_for(options_.min_latency_ns + static_cast<int64_t>(random_.below(spread + 1)));
  if (!powered_) co_return fail(Code::kIo, path + ": the power is off");
  const uint64_t ordinal = calls_++;
  if (!faults_) co_return SimFault{};
  const SimFault fault = faults_({.call = call, .path = path, .ordinal = ordinal});
  const bool takes_effect = fault.after_effect || fault.partial;
  if (fault.code != Code::kOk && !takes_effect) co_return fail(fault.code, path + ": injected fault");
  co_return fault;
}

Task<Result<void>> SimDisk::begin_query(SimCall call, const std::string& path) {
  co_return outcome(CO_TRY(co_await begin(call, path)));
}

Result<void> SimDisk::outcome(const SimFault& fault) {
  if (fault.code == Code::kOk) return {};
  return fail(fault.code, "injected fault");
}

Result<void> SimDisk::reserve(uint64_t sectors) const {
  if ((used_sectors_ + sectors) * internal::kSectorBytes > options_.capacity_bytes - options_.reserved_bytes)
    return fail(Code::kNoSpace);
  return {};
}

void SimDisk::release_if_unused(const SimNode& node) {
  if (!node.named && node.opens == 0) used_sectors_ -= node.now.sectors.size();
}

SimNodeRef SimDisk::create(const SimTree::Place& place, bool directory) {
  SimNodeRef node = directory ? tree_.new_directory() : std::make_shared<SimNode>(false);
  node->now.atime = node->now.mtime = node->now.ctime = wall_time();
  node->named = true;
  tree_.link(place, node);
  return node;
}

Task<Result<std::unique_ptr<File>>> SimDisk::open(std::string path, OpenOptions options) {
  const SimFault fault = CO_TRY(co_await begin(SimCall::kOpen, path));
  auto place = CO_TRY(tree_.place(path));
  if (place.node && options.create && options.exclusive) co_return fail(Code::kExists, path);
  if (place.node && place.node->is_directory) co_return fail(Code::kIsDirectory, path);
  if (!place.node && !options.create) co_return fail(Code::kNotFound, path);
  if (!place.node) place.node = create(place, false);
  CO_TRY(outcome(fault));
  co_return std::make_unique<SimFile>(*this, std::move(path), std::move(place.node), options.write);
}

Task<Result<void>> SimDisk::make_directory(std::string path) {
  const SimFault fault = CO_TRY(co_await begin(SimCall::kMakeDirectory, path));
  const auto place = CO_TRY(tree_.place(path));
  if (place.node) co_return fail(Code::kExists, path);
  create(place, true);
  co_return outcome(fault);
}

Task<Result<void>> SimDisk::rename(std::string from, std::string to) {
  const SimFault fault = CO_TRY(co_await begin(SimCall::kRename, from));
  const auto source = CO_TRY(tree_.place(from));
  const auto target = CO_TRY(tree_.place(to));
  if (!source.node) co_return fail(Code::kNotFound, from);
  if (source.node == target.node) co_return outcome(fault);
  if (target.node) {
    if (target.node->is_directory && !source.node->is_directory) co_return fail(Code::kIsDirectory, to);
    if (!target.node->is_directory && source.node->is_directory) co_return fail(Code::kNotDirectory, to);
    if (!target.node->now.names.empty()) co_return fail(Code::kNotEmpty, to);
  }
  CO_TRY(tree_.rename(source, target));
  if (target.node) {
    target.node->named = false;
    release_if_unused(*target.node);
  }
  co_return outcome(fault);
}

Task<Result<void>> SimDisk::unlink(std::string path) {
  const SimFault fault = CO_TRY(co_await begin(SimCall::kUnlink, path));
  const auto place = CO_TRY(tree_.place(path));
  if (!place.node) co_return fail(Code::kNotFound, path);
  if (place.node->is_directory) co_return fail(Code::kIsDirectory, path);
  tree_.unlink(place);
  place.node->named = false;
  release_if_unused(*place.node);
  co_return outcome(fault);
}

Task<Result<FileStat>> SimDisk::stat(std::string path) {
  CO_TRY(co_await begin_query(SimCall::kStat, path));
  co_return internal::stat_of(*CO_TRY(tree_.find(path)));
}

Task<Result<std::vector<std::string>>> SimDisk::list(std::string path) {
  CO_TRY(co_await begin_query(SimCall::kList, path));
  const auto node = CO_TRY(tree_.find(path));
  if (!node->is_directory) co_return fail(Code::kNotDirectory, path);
  std::vector<std::string> names;
  for (const auto& [name, child] : node->now.names) names.push_back(name);
  co_return names;
}

Task<Result<void>> SimDisk::sync_directory(std::string path) {
  const SimFault fault = CO_TRY(co_await begin(SimCall::kSyncDirectory, path));
  const auto node = CO_TRY(tree_.find(path));
  if (!node->is_directory) co_return fail(Code::kNotDirectory, path);
  tree_.sync_directory(node);
  co_return outcome(fault);
}

Task<Result<DiskUsage>> SimDisk::usage(std::string path) {
  CO_TRY(co_await begin_query(SimCall::kUsage, path));
  CO_TRY(tree_.find(path));
  const uint64_t free_bytes = options_.capacity_bytes - std::min(options_.capacity_bytes, used_bytes());
  co_return DiskUsage{.total_bytes = options_.capacity_bytes,
                      .free_bytes = free_bytes,
                      .available_bytes = free_bytes - std::min(free_bytes, options_.reserved_bytes),
                      .total_files = kMaxFiles,
                      .free_files = kMaxFiles};
}

Task<Result<void>> SimDisk::sync_filesystem(std::string path) {
  const SimFault fault = CO_TRY(co_await begin(SimCall::kSyncFilesystem, path));
  CO_TRY(tree_.find(path));
  tree_.sync_all();
  co_return outcome(fault);
}

}  // namespace firn::io
