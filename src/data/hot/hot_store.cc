#include "data/hot/hot_store.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "data/hot/folder_sync.h"
#include "data/hot/id_source.h"
#include "data/hot/layout.h"
#include "data/hot/object_table.h"
#include "data/hot/open_file.h"
#include "data/hot/refiller.h"
#include "data/hot/scratch_pool.h"
#include "io/reactor.h"
#include "io/sync.h"

namespace firn::data {
namespace {

using internal::folder_of;
using internal::folder_path;
using internal::HotObject;
using internal::kFolders;

// A removed file that occupies more is shrunk in steps of this, so that no single call holds the disk's journal for
// long.
constexpr uint64_t kShrinkStepBytes = uint64_t{1} << 30;

class HotStore final : public Store {
 public:
  explicit HotStore(HotOptions options)
      : disk_(options.disk),
        root_(std::move(options.root)),
        table_(std::make_shared<internal::ObjectTable>(options.recent_objects)),
        folders_(disk_, root_),
        ids_(disk_, root_),
        pool_(options.min_ready, options.max_ready),
        refiller_({disk_, root_, gate_, pool_, *table_, folders_, ids_,
                   [this](std::vector<ObjectRef> objects) { discard(std::move(objects)); }}) {
    table_->set_background_closer([this](std::unique_ptr<io::File> file) { close_in_background(std::move(file)); });
  }
  ~HotStore() override {
    table_->set_background_closer({});
    table_->trim_recent(0);  // they hold the table; a store for reading is never stopped
  }

  io::Task<Result<ObjectRef>> lend(bool wait) override;
  ObjectRef try_lend() override;
  void give_back(ObjectRef object) override;
  std::vector<ObjectRef> take_waiting() override { return pool_.take_waiting(); }
  io::Task<void> make_ready(std::vector<ObjectRef> objects) override;

  io::Task<Result<ObjectRef>> open(BackingId id) override;
  io::Task<Result<io::FileStat>> stat(BackingId id) override { return disk_.stat(internal::backing_path(root_, id)); }
  io::Task<Result<void>> settle(ObjectRef object) override;
  io::Task<Result<void>> remove(BackingId id) override;
  io::Task<Result<std::vector<BackingId>>> list() override;

  io::Task<Result<void>> start(std::function<bool(BackingId)> is_referenced) override;
  io::Task<void> stop() override;
  io::Task<Result<void>> sync_all() override { return disk_.sync_filesystem(root_); }

  StoreStatistics statistics() const override { return {pool_.ready_count(), pool_.waiting_count(), table_->size()}; }
  io::Task<Result<io::DiskUsage>> usage() override { return disk_.usage(root_); }
  void set_passthrough_closer(std::function<void(int32_t)> closer) override {
    table_->set_passthrough_closer(std::move(closer));
  }

 private:
  io::Task<Result<void>> empty(Object& object);
  io::Task<Result<ObjectRef>> open_backing(BackingId id);
  io::Task<Result<void>> make_folders();
  io::Task<Result<void>> list_folder(unsigned folder, std::vector<BackingId>& ids);
  io::Task<Result<void>> adopt(BackingId id);
  io::Task<void> sync_folders(io::Gate::Entry entry, std::vector<unsigned> folders);
  void discard(std::vector<ObjectRef> objects);
  io::Task<void> remove_all(io::Gate::Entry entry, std::vector<ObjectRef> objects);
  void close_in_background(std::unique_ptr<io::File> file);
  static io::Task<void> shrink_and_close(io::Gate::Entry entry, std::unique_ptr<io::File> file);

  io::Disk& disk_;
  const std::string root_;
  io::Gate gate_;
  const std::shared_ptr<internal::ObjectTable> table_;
  internal::FolderSync folders_;
  internal::IdSource ids_;
  internal::ScratchPool pool_;
  internal::Refiller refiller_;
};

ObjectRef HotStore::try_lend() {
  auto taken = pool_.take();
  if (taken.low) refiller_.kick(false);
  return std::move(taken.object);
}

io::Task<Result<ObjectRef>> HotStore::lend(bool wait) {
  for (;;) {
    if (auto object = try_lend(); object || !wait) co_return object;
    refiller_.kick(true);
    auto step = pool_.current_step();
    if (!step) {
      if (gate_.closed()) co_return fail(Code::kUnavailable);
      continue;
    }
    co_await step->done.wait();
    if (step->status.ok()) continue;
    if (auto object = try_lend()) co_return object;
    co_return fail(step->status);
  }
}

void HotStore::give_back(ObjectRef object) { pool_.add_waiting(std::move(object)); }

io::Task<void> HotStore::make_ready(std::vector<ObjectRef> objects) {
  std::vector<ObjectRef> emptied;
  emptied.reserve(objects.size());
  for (ObjectRef& object : objects) {
    if ((co_await empty(*object)).has_value()) {
      emptied.push_back(std::move(object));
      continue;
    }
    // It cannot be emptied, so nobody else may get it; what remove() cannot undo either, the next start() finds.
    BackingId id = object->id();
    object = nullptr;
    (void)co_await remove(id);
  }
  discard(pool_.add_ready(std::move(emptied)));
}

io::Task<Result<void>> HotStore::empty(Object& object) {
  auto stat = CO_TRY(co_await object.file().stat());
  if (stat.bytes == 0 && stat.allocated_bytes == 0) co_return {};
  CO_TRY(co_await object.file().truncate(0));
  // ext4 and XFS take a file that was cut short for one that is being replaced: at its next close they write it out
  // (auto_da_alloc, XFS_ITRUNCATED), and the next small file would wait for the disk in its close. This close, of a
  // file without data, is the next one instead.
  (void)co_await disk_.open(internal::backing_path(root_, object.id()), {});
  co_return {};
}

io::Task<Result<ObjectRef>> HotStore::open(BackingId id) {
  auto found = table_->find(id);
  if (found.object) co_return std::move(found.object);
  if (found.must_open) {
    table_->finish_opening(id, found.opening, co_await open_backing(id));
  } else {
    co_await found.opening->done.wait();
  }
  co_return found.opening->result;
}

io::Task<Result<ObjectRef>> HotStore::open_backing(BackingId id) {
  auto path = internal::backing_path(root_, id);
  auto file = CO_TRY(co_await internal::open_file(disk_, *table_, std::move(path), {.write = true}));
  // Nobody knows whether a crash came between this name's creation and its sync: settle() must sync once.
  co_return table_->add(id, std::move(file), folders_.ticket(folder_of(id)));
}

io::Task<Result<void>> HotStore::settle(ObjectRef object) {
  auto& hot = static_cast<HotObject&>(*object);
  CO_TRY(co_await folders_.sync(folder_of(hot.id()), hot.name_ticket()));
  table_->keep(object);
  co_return {};
}

io::Task<Result<void>> HotStore::remove(BackingId id) {
  table_->forget(id);
  auto removed = co_await disk_.unlink(internal::backing_path(root_, id));
  if (!removed && removed.error() == Code::kNotFound) co_return {};
  co_return removed;
}

io::Task<Result<void>> HotStore::list_folder(unsigned folder, std::vector<BackingId>& ids) {
  auto names = co_await disk_.list(folder_path(root_, folder));
  if (!names) {
    if (names.error() == Code::kNotFound) co_return {};
    co_return fail(std::move(names).error());
  }
  for (const std::string& name : *names) {
    if (auto id = internal::parse_backing_name(folder, name)) ids.push_back(*id);
  }
  co_return {};
}

io::Task<Result<std::vector<BackingId>>> HotStore::list() {
  std::vector<BackingId> ids;
  for (unsigned folder = 0; folder < kFolders; ++folder) CO_TRY(co_await list_folder(folder, ids));
  co_return ids;
}

io::Task<Result<void>> HotStore::make_folders() {
  auto made = co_await disk_.make_directory(root_);
  if (!made && !(made.error() == Code::kExists)) co_return made;
  auto names = CO_TRY(co_await disk_.list(root_));
  std::ranges::sort(names);
  for (unsigned folder = 0; folder < kFolders; ++folder) {
    std::string path = folder_path(root_, folder);
    if (std::ranges::binary_search(names, path.substr(root_.size() + 1))) continue;
    CO_TRY(co_await disk_.make_directory(std::move(path)));
  }
  // Also when all were there: the run that made them may have been cut short.
  CO_TRY(co_await disk_.sync_directory(root_));
  auto parent = std::filesystem::path(root_).parent_path().string();
  co_return co_await disk_.sync_directory(parent.empty() ? "." : std::move(parent));
}

io::Task<Result<void>> HotStore::adopt(BackingId id) {
  auto object = CO_TRY(co_await open_backing(id));
  // A program that outlived the mount may still have it open or mapped, and would write into the next file it is lent
  // for.
  if (object->file().open_elsewhere() != false) co_return fail(Code::kBusy);
  CO_TRY(co_await empty(*object));
  discard(pool_.add_ready({std::move(object)}));
  co_return {};
}

io::Task<Result<void>> HotStore::start(std::function<bool(BackingId)> is_referenced) {
  CO_TRY(co_await make_folders());
  BackingId highest;
  std::vector<unsigned> adopted_in;
  for (unsigned folder = 0; folder < kFolders; ++folder) {
    std::vector<BackingId> ids;
    CO_TRY(co_await list_folder(folder, ids));
    for (BackingId id : ids) {
      highest = std::max(highest, id);
      if (is_referenced(id)) continue;
      if (pool_.has_room() && (co_await adopt(id)).has_value()) {
        if (adopted_in.empty() || adopted_in.back() != folder) adopted_in.push_back(folder);
      } else {
        CO_TRY(co_await remove(id));
      }
    }
  }
  CO_TRY(co_await ids_.load(highest));
  if (auto entry = gate_.enter()) io::detach(sync_folders(std::move(entry), std::move(adopted_in)));
  refiller_.kick(true);
  co_return {};
}

// So that settling an adopted file is free; on failure settle() tries again and reports.
io::Task<void> HotStore::sync_folders(io::Gate::Entry, std::vector<unsigned> folders) {
  for (unsigned folder : folders) {
    if (gate_.closed()) break;
    (void)co_await folders_.sync(folder, folders_.ticket(folder));
  }
}

io::Task<void> HotStore::stop() {
  co_await gate_.close();
  pool_.close();
  table_->set_background_closer({});
  table_->trim_recent(0);
}

void HotStore::discard(std::vector<ObjectRef> objects) {
  if (objects.empty()) return;
  // After stop(), and outside a reactor, they only close: the next start() adopts or removes their files.
  if (!io::Reactor::current()) return;
  if (auto entry = gate_.enter()) io::detach(remove_all(std::move(entry), std::move(objects)));
}

io::Task<void> HotStore::remove_all(io::Gate::Entry, std::vector<ObjectRef> objects) {
  co_await io::yield();
  while (!objects.empty()) {
    BackingId id = objects.back()->id();
    objects.pop_back();
    (void)co_await remove(id);
  }
}

void HotStore::close_in_background(std::unique_ptr<io::File> file) {
  if (!io::Reactor::current()) return;
  if (auto entry = gate_.enter()) io::detach(shrink_and_close(std::move(entry), std::move(file)));
}

io::Task<void> HotStore::shrink_and_close(io::Gate::Entry, std::unique_ptr<io::File> file) {
  co_await io::yield();
  auto stat = co_await file->stat();
  if (!stat) co_return;
  // By what is allocated: a sparse file may be exabytes long and yet be freed in one step.
  for (uint64_t steps = stat->allocated_bytes / kShrinkStepBytes; steps > 0; --steps) {
    uint64_t bytes = stat->bytes / (stat->allocated_bytes / kShrinkStepBytes + 1) * steps;
    if (!(co_await file->truncate(bytes))) co_return;
  }
}

}  // namespace

std::unique_ptr<Store> make_hot_store(HotOptions options) { return std::make_unique<HotStore>(std::move(options)); }

}  // namespace firn::data
