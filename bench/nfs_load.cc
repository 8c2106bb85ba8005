// nfs_load: asks an NFSv3 server for one kind of thing with libnfs, as fast as it answers, and throws away what comes.
// bench/run calls it for firn and for NFS-Ganesha alike.
//
//   nfs_load read   PORT MOUNTPORT EXPORT --connections N --depth N --bytes N
//   nfs_load write  PORT MOUNTPORT EXPORT --connections N --depth N --bytes N
//   nfs_load create PORT MOUNTPORT EXPORT --connections N --depth N --files N     likewise stat, remove
//
// A connection has a thread of its own and keeps `depth` calls waiting. Connection i reads and writes the file
// "data<i>" of `bytes` bytes, in calls of 1 MiB; a write ends with one COMMIT. The others do one call to each of the
// files "c<i>-0" to "c<i>-<files - 1>"; stat is LOOKUP. Prints one line of JSON: calls, bytes, seconds.
#include <nfsc/libnfs.h>
// After it: it has no includes of its own.
#include <nfsc/libnfs-raw-mount.h>
#include <nfsc/libnfs-raw-nfs.h>
#include <nfsc/libnfs-raw.h>
#include <poll.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr uint32_t kCallBytes = 1 << 20;

struct Arguments {
  std::string work, path;
  int port = 0, mount_port = 0;
  size_t connections = 1, depth = 1, files = 1;
  uint64_t bytes = 0;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "nfs_load: %s\n", what.c_str());
  std::exit(1);
}

// One connection to one port; every call ends in `done`.
class Connection {
 public:
  using Done = std::function<void(void* result)>;

  Connection(int port, int program, int version) : rpc_(rpc_init_context()) {
    if (!rpc_) die("no memory");
    bool ready = false;
    const Done done = [&](void*) { ready = true; };
    if (rpc_connect_port_async(rpc_, "127.0.0.1", port, program, version, &Connection::on_done,
                               const_cast<Done*>(&done)) != 0)
      die(rpc_get_error(rpc_));
    serve_until([&] { return ready; });
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { rpc_destroy_context(rpc_); }

  // `done` lives until it was called.
  template <class Send, class Arguments>
  void call(Send send, Arguments arguments, const Done& done) {
    if (send(rpc_, &Connection::on_done, arguments, const_cast<Done*>(&done)) != 0) die(rpc_get_error(rpc_));
  }

  template <class Condition>
  void serve_until(Condition condition) {
    while (!condition()) {
      pollfd ready{.fd = rpc_get_fd(rpc_), .events = static_cast<short>(rpc_which_events(rpc_)), .revents = 0};
      if (poll(&ready, 1, 60'000) <= 0) die("the server does not answer");
      if (rpc_service(rpc_, ready.revents) < 0) die(rpc_get_error(rpc_));
    }
  }

 private:
  static void on_done(rpc_context* rpc, int status, void* data, void* done) {
    if (status != RPC_STATUS_SUCCESS) die(rpc_get_error(rpc));
    (*static_cast<const Done*>(done))(data);
  }

  rpc_context* rpc_;
};

struct Handle {
  std::string bytes;
  nfs_fh3 get() { return {.data = {.data_len = static_cast<u_int>(bytes.size()), .data_val = bytes.data()}}; }
};

void expect_ok(nfsstat3 status, const char* what) {
  if (status != NFS3_OK) die(std::string(what) + ": NFS status " + std::to_string(status));
}

Handle mount(const Arguments& arguments) {
  Connection connection(arguments.mount_port, MOUNT_PROGRAM, MOUNT_V3);
  Handle root;
  bool answered = false;
  const Connection::Done done = [&](void* data) {
    const auto* result = static_cast<mountres3*>(data);
    if (result->fhs_status != MNT3_OK) die("mount: status " + std::to_string(result->fhs_status));
    const auto& handle = result->mountres3_u.mountinfo.fhandle;
    root.bytes.assign(handle.fhandle3_val, handle.fhandle3_len);
    answered = true;
  };
  std::string path = arguments.path;
  connection.call(rpc_mount3_mnt_async, path.data(), done);
  connection.serve_until([&] { return answered; });
  return root;
}

// One connection's share of the work.
class Worker {
 public:
  Worker(const Arguments& arguments, Handle root, size_t index)
      : arguments_(arguments),
        root_(std::move(root)),
        index_(index),
        connection_(arguments.port, NFS_PROGRAM, NFS_V3) {}

  void prepare() {
    if (arguments_.work == "read" || arguments_.work == "write") open_data();
  }

  void run() {
    if (arguments_.work == "read") return keep_busy(calls_of_data(), [this](size_t i) { read(i); });
    if (arguments_.work == "write") {
      keep_busy(calls_of_data(), [this](size_t i) { write(i); });
      return keep_busy(1, [this](size_t) { commit(); });
    }
    if (arguments_.work == "create")
      return keep_busy(arguments_.files, [this](size_t i) { create(name_of(i), on_created_); });
    if (arguments_.work == "stat")
      return keep_busy(arguments_.files, [this](size_t i) { look_up(name_of(i), on_found_); });
    if (arguments_.work == "remove") return keep_busy(arguments_.files, [this](size_t i) { remove(i); });
    die("unknown work " + arguments_.work);
  }

  uint64_t calls() const { return calls_; }
  uint64_t bytes() const { return bytes_; }

 private:
  // begin(i) for each, `depth` of them at once.
  template <class Begin>
  void keep_busy(size_t count, Begin begin) {
    const size_t end = calls_ + count;
    size_t next = calls_;
    const size_t first = next;
    connection_.serve_until([&] {
      for (; next < end && next - calls_ < arguments_.depth; ++next) begin(next - first);
      return calls_ == end;
    });
  }

  size_t calls_of_data() const { return arguments_.bytes / kCallBytes; }
  std::string name_of(size_t i) const { return "c" + std::to_string(index_) + "-" + std::to_string(i); }
  diropargs3 in_root(std::string& name) { return {.dir = root_.get(), .name = name.data()}; }

  void open_data() {
    const std::string name = "data" + std::to_string(index_);
    const auto do_one = [this](auto begin) {
      const size_t before = calls_;
      begin();
      connection_.serve_until([&] { return calls_ > before; });
      calls_ = before;
    };
    if (arguments_.work == "write") do_one([&] { create(name, on_created_); });
    do_one([&] { look_up(name, on_opened_); });
  }

  void create(std::string name, const Connection::Done& done) {
    CREATE3args arguments{};
    arguments.where = in_root(name);
    arguments.how.mode = UNCHECKED;
    arguments.how.createhow3_u.obj_attributes.mode.set_it = 1;
    arguments.how.createhow3_u.obj_attributes.mode.set_mode3_u.mode = 0644;
    connection_.call(rpc_nfs3_create_async, &arguments, done);
  }
  void look_up(std::string name, const Connection::Done& done) {
    LOOKUP3args arguments{.what = in_root(name)};
    connection_.call(rpc_nfs3_lookup_async, &arguments, done);
  }
  void remove(size_t i) {
    std::string name = name_of(i);
    REMOVE3args arguments{.object = in_root(name)};
    connection_.call(rpc_nfs3_remove_async, &arguments, on_removed_);
  }
  void read(size_t i) {
    READ3args arguments{.file = data_.get(), .offset = i * kCallBytes, .count = kCallBytes};
    connection_.call(rpc_nfs3_read_async, &arguments, on_read_);
  }
  void write(size_t i) {
    WRITE3args arguments{.file = data_.get(),
                         .offset = i * kCallBytes,
                         .count = kCallBytes,
                         .stable = UNSTABLE,
                         .data = {.data_len = kCallBytes, .data_val = content_.data()}};
    connection_.call(rpc_nfs3_write_async, &arguments, on_written_);
  }
  void commit() {
    COMMIT3args arguments{.file = data_.get(), .offset = 0, .count = 0};
    connection_.call(rpc_nfs3_commit_async, &arguments, on_committed_);
  }

  void check_verifier(const char* verifier) {
    if (verifier_.empty()) verifier_.assign(verifier, NFS3_WRITEVERFSIZE);
    if (verifier_ != std::string_view(verifier, NFS3_WRITEVERFSIZE)) die("the server was restarted");
  }

  const Connection::Done on_created_ = [this](void* data) {
    expect_ok(static_cast<CREATE3res*>(data)->status, "CREATE");
    ++calls_;
  };
  const Connection::Done on_found_ = [this](void* data) {
    expect_ok(static_cast<LOOKUP3res*>(data)->status, "LOOKUP");
    ++calls_;
  };
  const Connection::Done on_opened_ = [this](void* data) {
    on_found_(data);
    const nfs_fh3& handle = static_cast<LOOKUP3res*>(data)->LOOKUP3res_u.resok.object;
    data_.bytes.assign(handle.data.data_val, handle.data.data_len);
  };
  const Connection::Done on_removed_ = [this](void* data) {
    expect_ok(static_cast<REMOVE3res*>(data)->status, "REMOVE");
    ++calls_;
  };
  const Connection::Done on_read_ = [this](void* data) {
    const auto* result = static_cast<READ3res*>(data);
    expect_ok(result->status, "READ");
    if (result->READ3res_u.resok.data.data_len != kCallBytes) die("READ: too short");
    bytes_ += kCallBytes;
    ++calls_;
  };
  const Connection::Done on_written_ = [this](void* data) {
    const auto* result = static_cast<WRITE3res*>(data);
    expect_ok(result->status, "WRITE");
    if (result->WRITE3res_u.resok.count != kCallBytes) die("WRITE: too short");
    check_verifier(result->WRITE3res_u.resok.verf);
    bytes_ += kCallBytes;
    ++calls_;
  };
  const Connection::Done on_committed_ = [this](void* data) {
    const auto* result = static_cast<COMMIT3res*>(data);
    expect_ok(result->status, "COMMIT");
    check_verifier(result->COMMIT3res_u.resok.verf);
    ++calls_;
  };

  const Arguments& arguments_;
  Handle root_, data_;
  const size_t index_;
  std::string content_ = std::string(kCallBytes, 'x');
  std::string verifier_;
  size_t calls_ = 0;
  uint64_t bytes_ = 0;
  Connection connection_;
};

template <class Number>
Number number(std::string_view word) {
  Number value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) die("not a number: " + std::string(word));
  return value;
}

Arguments parse(const std::vector<std::string_view>& words) {
  if (words.size() < 4) die("usage: nfs_load WORK PORT MOUNTPORT EXPORT [--NAME N]...");
  Arguments arguments{.work = std::string(words[0]),
                      .path = std::string(words[3]),
                      .port = number<int>(words[1]),
                      .mount_port = number<int>(words[2])};
  for (size_t i = 4; i + 1 < words.size(); i += 2) {
    if (words[i] == "--connections")
      arguments.connections = number<size_t>(words[i + 1]);
    else if (words[i] == "--depth")
      arguments.depth = number<size_t>(words[i + 1]);
    else if (words[i] == "--files")
      arguments.files = number<size_t>(words[i + 1]);
    else if (words[i] == "--bytes")
      arguments.bytes = number<uint64_t>(words[i + 1]);
    else
      die("unknown option " + std::string(words[i]));
  }
  return arguments;
}

}  // namespace

int main(int count, char** words) {
  const Arguments arguments = parse({words + 1, words + count});
  const Handle root = mount(arguments);
  std::vector<std::unique_ptr<Worker>> workers;
  for (size_t i = 0; i < arguments.connections; ++i) {
    workers.push_back(std::make_unique<Worker>(arguments, root, i));
    workers.back()->prepare();
  }
  const auto begun = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (const auto& worker : workers) threads.emplace_back([&worker] { worker->run(); });
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begun;
  uint64_t calls = 0, bytes = 0;
  for (const auto& worker : workers) calls += worker->calls(), bytes += worker->bytes();
  std::printf("{\"calls\": %lu, \"bytes\": %lu, \"seconds\": %.6f}\n", calls, bytes, taken.count());
}
