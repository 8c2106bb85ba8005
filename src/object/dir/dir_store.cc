#include "object/dir/dir_store.h"

#include <atomic>
#include <mutex>

#include "io/sync.h"
#include "object/abandonable.h"
#include "object/dir/root.h"

namespace firn::object {

namespace {

// Who is told of what arrives, for as long as there is somebody: a call that hung may go on after the store has gone.
class Arrivals {
 public:
  explicit Arrivals(std::function<void(uint64_t bytes)> tell) : tell_(std::move(tell)) {}
  void note(uint64_t bytes) {
    std::lock_guard lock(tell_mutex_);
    if (tell_) tell_(bytes);
  }
  void end() {
    std::lock_guard lock(tell_mutex_);
    tell_ = nullptr;
  }

 private:
  std::mutex tell_mutex_;  // guards tell_, and is held while it is called
  std::function<void(uint64_t bytes)> tell_;
};

class DirStore final : public ObjectStore {
 public:
  explicit DirStore(DirStoreOptions options)
      : path_(std::move(options.path)),
        id_(std::move(options.id)),
        if_absent_(options.apart_from_machines ? dir::IfPresent::kRefuseOfMachines : dir::IfPresent::kRefuse),
        file_system_(options.file_system ? *options.file_system : dir::Root::kernel()),
        stall_timeout_ns_(options.stall_timeout_ns),
        arrivals_(std::make_shared<Arrivals>(std::move(options.on_arrival))),
        pool_(make_abandonable_pool(options.threads)) {}
  ~DirStore() override { arrivals_->end(); }

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    CO_TRY(check_key(key));
    if (content.bytes() > kMaxObjectBytes) co_return fail(Code::kInvalid, "the object is too large");
    const bool sweep = !swept_.exchange(true);
    const dir::IfPresent if_present = options.if_absent ? if_absent_ : dir::IfPresent::kReplace;
    co_return co_await in_root(until, content.bytes(), [=](dir::Root& root) -> Result<void> {
      if (sweep) root.sweep();
      TRY(root.put(key, content, if_present));
      return {};
    });
  }

  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    CO_TRY(check_key(key));
    co_return co_await in_root(until, bytes, [=, arrivals = arrivals_](dir::Root& root) {
      return root.get(key, offset, bytes, [&arrivals](uint64_t more) { arrivals->note(more); });
    });
  }

  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    CO_TRY(check_key(key));
    co_return co_await in_root(until, 0, [=](dir::Root& root) { return root.head(key); });
  }

  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    CO_TRY(check_key(key));
    co_return co_await in_root(until, 0, [=](dir::Root& root) -> Result<void> {
      TRY(root.remove(key));
      return {};
    });
  }

  std::string describe() const override { return path_; }
  io::Task<void> close() override { co_return; }

 private:
  // `call`: Root& -> Result<T>; owns all that it touches. With a body it may take long on a slow line: then it is hung
  // when the folder answers to nothing else either. Without one its deadline is early.
  template <class Call>
  io::Task<std::invoke_result_t<Call, dir::Root&>> in_root(io::Until until, uint64_t body_bytes, Call call) {
    io::CancelToken ended;
    const io::CancelToken::Scope passed_on(until.token, [&ended] { ended.cancel(); });
    io::Gate gate;
    if (body_bytes > 0) io::detach(watch(&ended, gate.enter()));
    auto outcome = co_await run_abandonable(*pool_, {.deadline_ns = until.deadline_ns, .token = &ended},
                                            [path = path_, id = id_, &file_system = file_system_,
                                             call = std::move(call)]() -> std::invoke_result_t<Call, dir::Root&> {
                                              Result<dir::Root> root = dir::Root::open(path, id, file_system);
                                              if (!root) return fail(std::move(root).error());
                                              return call(*root);
                                            });
    ended.cancel();
    co_await gate.close();
    if (outcome) co_return *std::move(outcome);
    if (until.token && until.token->cancelled()) co_return fail(Code::kInterrupted, path_ + ": cancelled");
    co_return fail(Code::kTimedOut, path_ + " does not answer");
  }

  // Ends the call when the folder does not answer.
  io::Task<void> watch(io::CancelToken* ended, io::Gate::Entry) {
    while (co_await io::sleep_for(stall_timeout_ns_ / 2, ended)) {
      const int64_t asked_ns = io::Reactor::current()->clock().monotonic_ns();
      const auto answer = co_await run_abandonable(*watchers_, io::within(stall_timeout_ns_ / 2, ended),
                                                   [path = path_, id = id_] { return dir::Root::open(path, id); });
      const int64_t now_ns = io::Reactor::current()->clock().monotonic_ns();
      if (answer)
        answered_ns_ = now_ns;
      else if (answered_ns_.load() < asked_ns)  // nor has it answered others, who may have been asked first
        ended->cancel();
    }
  }

  const std::string path_;
  const std::string id_;
  const dir::IfPresent if_absent_;
  const dir::FileSystem& file_system_;
  const int64_t stall_timeout_ns_;
  const std::shared_ptr<Arrivals> arrivals_;
  std::atomic<int64_t> answered_ns_ = 0;  // to a watcher, when (monotonic)
  std::atomic<bool> swept_ = false;
  std::unique_ptr<io::BlockingPool> pool_;
  std::unique_ptr<io::BlockingPool> watchers_ = make_abandonable_pool(1);
};

}  // namespace

Status create_dir_store(const std::string& path, const std::string& id) { return dir::Root::create(path, id); }

Status remove_dir_store(const std::string& path, const std::string& id) { return dir::Root::destroy(path, id); }

std::unique_ptr<ObjectStore> open_dir_store(DirStoreOptions options) {
  return std::make_unique<DirStore>(std::move(options));
}

}  // namespace firn::object
