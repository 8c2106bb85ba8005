#include "nfs/open_files.h"

#include <fcntl.h>

#include "base/log.h"

namespace firn::nfs {
namespace {

constexpr int64_t kSweepNs = 1'000'000'000;

int64_t now_ns() { return io::Reactor::current()->clock().monotonic_ns(); }

io::Task<void> release(vfs::Volume& volume, vfs::Handle* handle, const OpenFile::OnLost& on_lost, FilePlace) {
  const InodeId inode = vfs::Volume::inode_of(handle);
  const Result<void> released = co_await volume.release(handle);
  if (released) co_return;
  log::error("nfs: closing inode {}: {}", inode.value, released.error().to_string());
  on_lost();
}

}  // namespace

OpenFile::~OpenFile() {
  if (handle_) io::detach(release(volume_, handle_, on_lost_, std::move(place_)));
}

io::Task<void> OpenFile::close() {
  vfs::Handle* handle = std::exchange(handle_, nullptr);
  if (handle) co_await release(volume_, handle, on_lost_, std::move(place_));
}

OpenFiles::File OpenFiles::find(InodeId inode, Purpose purpose) {
  std::lock_guard lock(mutex_);
  const auto found = kept_.find(inode);
  if (found == kept_.end()) return nullptr;
  Kept& kept = *found->second;
  kept.used_ns = now_ns();
  order_.splice(order_.begin(), order_, found->second);
  return purpose == Purpose::kRead || kept.writes ? kept.file : nullptr;
}

OpenFiles::Keeping OpenFiles::keep(InodeId inode, Purpose purpose, File file) {
  std::lock_guard lock(mutex_);
  auto found = kept_.find(inode);
  if (found == kept_.end()) {
    order_.push_front({.inode = inode, .file = nullptr});
    found = kept_.emplace(inode, order_.begin()).first;
  }
  Kept& kept = *found->second;
  kept.used_ns = now_ns();
  const bool writes = purpose == Purpose::kWrite;
  if (kept.file && (kept.writes || !writes)) return {.kept = kept.file, .replaced = nullptr};
  File replaced = std::exchange(kept.file, std::move(file));
  kept.writes = writes;
  return {.kept = kept.file, .replaced = std::move(replaced)};
}

OpenFiles::Order OpenFiles::take_unused() {
  Order taken;
  std::lock_guard lock(mutex_);
  for (auto kept = order_.rbegin(); kept != order_.rend(); ++kept) {
    if (kept->file.use_count() > 1) continue;
    kept_.erase(kept->inode);
    taken.splice(taken.begin(), order_, std::prev(kept.base()));
    break;
  }
  return taken;
}

io::Task<Result<FilePlace>> OpenFiles::enter() {
  for (;;) {
    io::Gate::Entry entry = gate_.enter();
    if (!entry) co_return fail(Code::kUnavailable);
    FilePlace place(&taken_, std::move(entry));
    if (taken_.fetch_add(1) < options_.most) co_return place;
    const Order unused = take_unused();
    if (unused.empty()) co_return fail(Code::kTooManyOpen);
    co_await unused.front().file->close();
  }
}

io::Task<Result<std::shared_ptr<OpenFile>>> OpenFiles::get(InodeId inode, Purpose purpose) {
  if (File file = find(inode, purpose)) co_return file;
  FilePlace place = CO_TRY(co_await enter());
  const meta::Credentials who{.kernel_checked = true, .door = options_.door};
  const int flags = purpose == Purpose::kRead ? O_RDONLY : O_RDWR;
  const vfs::Opened opened = CO_TRY(co_await options_.volume.open(who, inode, {.flags = flags}));
  auto file = std::make_shared<OpenFile>(options_.volume, opened.handle, options_.on_lost, std::move(place));
  Keeping now = keep(inode, purpose, std::move(file));
  if (now.replaced.use_count() == 1) co_await now.replaced->close();
  co_return now.kept;
}

void OpenFiles::adopt(InodeId inode, vfs::Handle* handle, FilePlace place) {
  auto file = std::make_shared<OpenFile>(options_.volume, handle, options_.on_lost, std::move(place));
  if (!gate_.closed()) (void)keep(inode, Purpose::kWrite, std::move(file));
}

io::Task<void> OpenFiles::forget(InodeId inode) {
  Order taken;
  {
    std::lock_guard lock(mutex_);
    const auto found = kept_.find(inode);
    if (found == kept_.end()) co_return;
    taken.splice(taken.begin(), order_, found->second);
    kept_.erase(found);
  }
  if (const File& file = taken.front().file; file.use_count() == 1) co_await file->close();
}

bool OpenFiles::empty() const {
  std::lock_guard lock(mutex_);
  return kept_.empty();
}

OpenFiles::Order OpenFiles::take_idle(int64_t now) {
  Order idle;
  std::lock_guard lock(mutex_);
  while (!order_.empty() && now - order_.back().used_ns > options_.idle_ns) {
    kept_.erase(order_.back().inode);
    idle.splice(idle.begin(), order_, std::prev(order_.end()));
  }
  return idle;
}

io::Task<void> OpenFiles::sweep(io::Gate::Entry) {
  while (co_await io::sleep_for(kSweepNs, &stopping_)) take_idle(now_ns()).clear();
}

void OpenFiles::start() { io::detach(sweep(gate_.enter())); }

io::Task<void> OpenFiles::stop() {
  stopping_.cancel();
  {
    Order all;
    std::lock_guard lock(mutex_);
    all.swap(order_);
    kept_.clear();
  }
  co_await gate_.close();
}

}  // namespace firn::nfs
