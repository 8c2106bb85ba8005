#include "data/hot/refiller.h"

#include <algorithm>

#include "data/hot/open_file.h"

namespace firn::data::internal {

// Shared by the creators of one batch, which all run on one reactor.
struct Refiller::Batch {
  IdRun ids;
  size_t next = 0;      // the next id to create
  size_t creators = 0;  // still at work
  bool publish_at_once = false;
  std::vector<ObjectRef> made;
  Status status;
  io::Event done;
};

void Refiller::kick(bool insist) {
  io::Reactor* reactor = io::Reactor::current();
  if (!reactor || !parts_.pool.begin_refill(reactor->clock().monotonic_ns(), insist)) return;
  auto entry = parts_.gate.enter();
  if (!entry) return parts_.pool.end_refill(Code::kUnavailable, reactor->clock().monotonic_ns());
  io::detach(run(std::move(entry)));
}

io::Task<void> Refiller::run(io::Gate::Entry entry) {
  co_await io::yield();  // whoever triggered this is answering a request
  Status status;
  while (size_t missing = parts_.pool.shortfall()) {
    if (parts_.gate.closed()) break;
    status = co_await make_batch(std::min(missing, kBatchFiles));
    if (!status.ok()) break;
    parts_.pool.step_done({});
  }
  parts_.pool.end_refill(std::move(status), io::Reactor::current()->clock().monotonic_ns());
}

io::Task<Status> Refiller::make_batch(size_t limit) {
  auto batch = std::make_shared<Batch>();
  batch->ids = CO_TRY(co_await parts_.ids.take(limit));
  batch->creators = std::min(kCreators, batch->ids.count);
  // While callers go without, a file whose name is not durable yet is better than none: settling it waits for the sync.
  batch->publish_at_once = parts_.pool.dry();
  for (size_t i = batch->creators; i > 0; --i) io::detach(create_files(batch));
  co_await batch->done.wait();

  unsigned folder = folder_of(batch->ids.first);
  if (batch->publish_at_once) {
    sync_in_background(folder);
  } else if (batch->next > 0) {
    auto synced = co_await parts_.folders.sync(folder, parts_.folders.ticket(folder));
    if (!synced && batch->status.ok()) batch->status = synced.error();
  }
  parts_.discard(parts_.pool.add_ready(std::move(batch->made)));
  co_return std::move(batch->status);
}

// While the pool is dry the next batch does not wait for this one's sync. One such sync at a time: the names that it
// leaves out are synced when their files are settled.
void Refiller::sync_in_background(unsigned folder) {
  auto entry = parts_.gate.enter();
  if (entry && !syncing_.exchange(true)) io::detach(sync_folder(std::move(entry), folder));
}

io::Task<void> Refiller::sync_folder(io::Gate::Entry, unsigned folder) {
  (void)co_await parts_.folders.sync(folder, parts_.folders.ticket(folder));
  syncing_ = false;
}

io::Task<void> Refiller::create_files(std::shared_ptr<Batch> batch) {
  while (batch->status.ok() && batch->next < batch->ids.count) {
    auto object = co_await create_file(batch->ids.at(batch->next++));
    if (!object) {
      batch->status = std::move(object).error();
    } else if (batch->publish_at_once) {
      parts_.discard(parts_.pool.add_ready({*std::move(object)}));
    } else {
      batch->made.push_back(*std::move(object));
    }
  }
  if (--batch->creators == 0) batch->done.set();
}

io::Task<Result<ObjectRef>> Refiller::create_file(BackingId id) {
  io::OpenOptions options{.write = true, .create = true, .exclusive = true};
  auto file = CO_TRY(co_await open_file(parts_.disk, parts_.table, backing_path(parts_.root, id), options));
  co_return parts_.table.add(id, std::move(file), parts_.folders.ticket(folder_of(id)));
}

}  // namespace firn::data::internal
