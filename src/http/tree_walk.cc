#include "http/tree_walk.h"

#include "http/path_walk.h"
#include "io/reactor.h"
#include "io/sync.h"

namespace firn::http {

namespace {

constexpr size_t kPage = 256;

bool is_gone(const Status& status) { return status == Code::kNotFound || status == Code::kStale; }

class Walker {
 public:
  explicit Walker(const TreeWalk& walk) : walk_(walk), at_once_(walk.at_once) {}

  io::Task<Result<void>> run(std::string path) {
    const vfs::Attr attr = CO_TRY(co_await resolve(walk_.volume, {}, path, LastLink::kKeep));
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    folders_.push_back({std::move(path), attr.inode});
    Result<void> listed;
    if (attr.type == meta::FileType::kRegular) {
      co_await begin(std::exchange(folders_.back().path, ""), attr);
    } else {
      while (!folders_.empty() && listed && !failed() && !cancelled()) {
        const Folder next = std::move(folders_.back());
        folders_.pop_back();
        listed = co_await list(next);
      }
    }
    co_await gate_.close();
    CO_TRY(std::move(listed));
    std::lock_guard lock(mutex_);
    co_return std::move(result_);
  }

 private:
  struct Folder {
    std::string path;
    InodeId inode;
  };

  bool cancelled() const { return walk_.token != nullptr && walk_.token->cancelled(); }
  bool failed() {
    std::lock_guard lock(mutex_);
    return !result_.has_value();
  }

  io::Task<Result<void>> list(const Folder& folder) {
    if (walk_.enter) {
      Result<void> entered = co_await walk_.enter(folder.inode);
      if (!entered && is_gone(entered.error())) co_return Result<void>();
      CO_TRY(std::move(entered));
    }
    Result<vfs::DirHandle*> handle = co_await walk_.volume.open_directory({}, folder.inode);
    if (!handle && (is_gone(handle.error()) || handle.error() == Code::kNotDirectory)) co_return Result<void>();
    vfs::DirHandle* const opened = CO_TRY(std::move(handle));
    Result<void> done;
    for (uint64_t cookie = 0; done && !failed() && !cancelled();) {
      const auto page = co_await walk_.volume.list(opened, cookie, kPage, true);
      if (!page) done = fail(page.error());
      if (!page || page->empty()) break;
      cookie = page->back().cookie;
      for (const vfs::Listed& entry : *page) co_await take(folder, entry);
    }
    walk_.volume.release_directory(opened);
    co_return done;
  }

  io::Task<void> take(const Folder& folder, const vfs::Listed& entry) {
    if (entry.name == "." || entry.name == "..") co_return;
    std::string path = (folder.path == "/" ? "" : folder.path) + "/" + entry.name;
    if (entry.type == meta::FileType::kDirectory)
      folders_.push_back({std::move(path), entry.inode});
    else if (entry.type == meta::FileType::kRegular && entry.attr)
      co_await begin(std::move(path), *entry.attr);
  }

  io::Task<void> begin(std::string path, vfs::Attr attr) {
    co_await at_once_.acquire();
    io::detach([](Walker* self, std::string at, vfs::Attr of, io::Gate::Entry) -> io::Task<void> {
      Result<void> visited = co_await self->walk_.visit(std::move(at), std::move(of));
      if (!visited && !is_gone(visited.error())) {
        std::lock_guard lock(self->mutex_);
        if (self->result_) self->result_ = std::move(visited);
      }
      self->at_once_.release();
    }(this, std::move(path), std::move(attr), gate_.enter()));
  }

  const TreeWalk& walk_;
  std::vector<Folder> folders_;
  io::Semaphore at_once_;
  io::Gate gate_;
  std::mutex mutex_;  // guards the result
  Result<void> result_;
};

}  // namespace

io::Task<Result<void>> walk_files(const TreeWalk& walk, std::string path) {
  Walker walker(walk);
  co_return co_await walker.run(std::move(path));
}

io::Task<Result<void>> find_paths(vfs::Volume& volume, std::map<InodeId, std::string>& paths) {
  size_t missing = paths.size();
  if (missing == 0) co_return Result<void>();
  io::CancelToken found_all;
  const TreeWalk walk{
      .volume = volume, .token = &found_all, .visit = [&](std::string path, vfs::Attr attr) -> io::Task<Result<void>> {
        const auto found = paths.find(attr.inode);
        if (found == paths.end() || !found->second.empty()) co_return Result<void>();
        found->second = std::move(path);
        if (--missing == 0) found_all.cancel();
        co_return Result<void>();
      }};
  co_return co_await walk_files(walk, "/");
}

}  // namespace firn::http
