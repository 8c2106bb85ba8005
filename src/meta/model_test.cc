// Random operations by several coroutines at once, each with a reference tree of its own entries. All work in the same
// directories, so they share locks, parents and caches; what each expects of its own names is exact.
#include <cstdlib>
#include <map>
#include <random>

#include "io/block_on.h"
#include "meta/testing/fixture.h"
#include "meta/testing/invariants.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT

FIRN_META_SUITE(Model);

struct Node {
  InodeId id;
  FileType type = FileType::kRegular;
  uint32_t nlink = 1;
  Node* parent = nullptr;  // directories
  std::map<std::string, Node*> children;
  bool is_directory() const { return type == FileType::kDirectory; }
};

// Where an operation goes: a directory, a name in it, and what the model has there.
struct Spot {
  Node* directory;
  std::string name;
  Node* node;
};

class Worker {
 public:
  Worker(LocalService& service, unsigned index, uint64_t seed, const std::vector<InodeId>& shared)
      : service_(service), index_(index), random_(seed) {
    for (InodeId id : shared) directories_.push_back(add(id, FileType::kDirectory, nullptr));
  }

  io::Task<void> work(int steps) {
    for (int step = 0; step < steps && problem_.empty(); ++step) co_await one_step();
    if (problem_.empty()) co_await verify();
  }
  const std::string& problem() const { return problem_; }

 private:
  uint64_t below(uint64_t limit) { return random_() % limit; }

  Node* add(InodeId id, FileType type, Node* parent) {
    nodes_.push_back(
        std::make_unique<Node>(Node{.id = id, .type = type, .nlink = 1, .parent = parent, .children = {}}));
    return nodes_.back().get();
  }

  Spot pick() {
    Node* directory = directories_[below(directories_.size())];
    std::string name = "w" + std::to_string(index_) + "_" + std::to_string(below(6));
    const auto found = directory->children.find(name);
    Node* node = found == directory->children.end() ? nullptr : found->second;
    return {directory, std::move(name), node};
  }

  void expect(const std::string& what, Code got, Code wanted) {
    if (got == wanted || !problem_.empty()) return;
    problem_ = what + ": got " + std::string(code_name(got)) + ", wanted " + std::string(code_name(wanted));
  }

  io::Task<void> one_step() {
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
        co_return co_await make(FileType::kRegular);
      case 3:
        co_return co_await make(FileType::kDirectory);
      case 4:
        co_return co_await link();
      case 5:
        co_return co_await unlink();
      case 6:
        co_return co_await rmdir();
      case 7:
      case 8:
        co_return co_await rename();
      default:
        co_return co_await look();
    }
  }

  io::Task<void> make(FileType type) {
    const Spot spot = pick();
    const Credentials who = root();
    const NodeSpec spec{.type = type, .mode = 0755};
    const auto made = co_await service_.make_node(who, spot.directory->id, spot.name, spec);
    expect("make " + spot.name, code_of(made), spot.node ? Code::kExists : Code::kOk);
    if (!made) co_return;
    Node* node = add(made->inode, type, type == FileType::kDirectory ? spot.directory : nullptr);
    spot.directory->children[spot.name] = node;
    if (node->is_directory()) directories_.push_back(node);
  }

  io::Task<void> link() {
    const Spot from = pick(), to = pick();
    if (!from.node) co_return;
    const Credentials who = root();
    const auto linked = co_await service_.link(who, from.node->id, to.directory->id, to.name);
    expect("link " + to.name, code_of(linked),
           to.node                     ? Code::kExists
           : from.node->is_directory() ? Code::kNotPermitted
                                       : Code::kOk);
    if (!linked) co_return;
    to.directory->children[to.name] = from.node;
    expect_nlink(linked->nlink, ++from.node->nlink);
  }

  io::Task<void> unlink() {
    const Spot spot = pick();
    const Credentials who = root();
    const auto removed = co_await service_.unlink(who, spot.directory->id, spot.name);
    expect("unlink " + spot.name, code_of(removed),
           !spot.node                  ? Code::kNotFound
           : spot.node->is_directory() ? Code::kIsDirectory
                                       : Code::kOk);
    if (!removed) co_return;
    spot.directory->children.erase(spot.name);
    co_await drop(spot.node, removed->attr);
  }

  io::Task<void> rmdir() {
    const Spot spot = pick();
    const Credentials who = root();
    const auto removed = co_await service_.rmdir(who, spot.directory->id, spot.name);
    const Code wanted = !spot.node                     ? Code::kNotFound
                        : !spot.node->is_directory()   ? Code::kNotDirectory
                        : !spot.node->children.empty() ? Code::kNotEmpty
                                                       : Code::kOk;
    expect("rmdir " + spot.name, code_of(removed), wanted);
    if (!removed) co_return;
    spot.directory->children.erase(spot.name);
    co_await drop(spot.node, removed->attr);
  }

  static bool is_below(Node* directory, Node* ancestor) {
    for (; directory; directory = directory->parent)
      if (directory == ancestor) return true;
    return false;
  }

  static Code rename_code(const Spot& from, const Spot& to, bool exchange) {
    if (!from.node) return Code::kNotFound;
    if (exchange && !to.node) return Code::kNotFound;
    const bool same = from.directory == to.directory;
    if (!same && from.node->is_directory() && is_below(to.directory, from.node)) return Code::kInvalid;
    if (!same && to.node && to.node->is_directory() && is_below(from.directory, to.node))
      return exchange ? Code::kInvalid : Code::kNotEmpty;
    if (from.node == to.node || exchange || !to.node) return Code::kOk;
    if (from.node->is_directory() != to.node->is_directory())
      return from.node->is_directory() ? Code::kNotDirectory : Code::kIsDirectory;
    return to.node->children.empty() ? Code::kOk : Code::kNotEmpty;
  }

  io::Task<void> rename() {
    const Spot from = pick(), to = pick();
    const bool exchange = below(4) == 0;
    const Credentials who = root();
    const auto renamed = co_await service_.rename(who, from.directory->id, from.name, to.directory->id, to.name,
                                                  RenameOptions{.exchange = exchange});
    expect("rename " + from.name + " to " + to.name, code_of(renamed), rename_code(from, to, exchange));
    if (!renamed || from.node == to.node) co_return;
    to.directory->children[to.name] = from.node;
    if (from.node->is_directory()) from.node->parent = to.directory;
    if (exchange) {
      from.directory->children[from.name] = to.node;
      if (to.node->is_directory()) to.node->parent = from.directory;
      co_return;
    }
    from.directory->children.erase(from.name);
    if (to.node) co_await drop(to.node, *renamed->replaced);
  }

  // A name of the node is gone.
  io::Task<void> drop(Node* node, Attr after) {
    if (node->is_directory()) std::erase(directories_, node);
    --node->nlink;
    expect_nlink(after.nlink, node->is_directory() ? 0 : node->nlink);
    if (after.nlink != 0) co_return;
    const auto reclaimed = co_await service_.reclaim(node->id);
    expect("reclaim", code_of(reclaimed), Code::kOk);
  }

  io::Task<void> look() {
    const Spot spot = pick();
    const Credentials who = root();
    const auto found = co_await service_.lookup(who, spot.directory->id, spot.name);
    expect("lookup " + spot.name, code_of(found), spot.node ? Code::kOk : Code::kNotFound);
    if (!found || !spot.node) co_return;
    if (found->inode != spot.node->id) problem_ = "lookup found another inode";
    if (!spot.node->is_directory()) expect_nlink(found->nlink, spot.node->nlink);
  }

  void expect_nlink(uint32_t got, uint32_t wanted) {
    if (got != wanted) problem_ = "nlink is " + std::to_string(got) + ", wanted " + std::to_string(wanted);
  }

  // What readdir shows of this worker's names is what the model has.
  io::Task<void> verify() {
    const std::string prefix = "w" + std::to_string(index_) + "_";
    for (Node* directory : directories_) {
      std::map<std::string, InodeId> seen, wanted;
      const auto entries = co_await service_.readdir(directory->id, {}, {.limit = 100'000, .attributes = true});
      if (!entries) co_return expect("readdir", code_of(entries), Code::kOk);
      for (const DirEntry& entry : *entries)
        if (entry.name.starts_with(prefix)) seen[entry.name] = entry.inode;
      for (const auto& [name, node] : directory->children) wanted[name] = node->id;
      if (seen != wanted) problem_ = "a listing differs from the model";
    }
  }

  LocalService& service_;
  const unsigned index_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Node*> directories_;
  std::string problem_;
};

TEST_P(Model, ConcurrentWorkersSeeWhatTheyDid) {
  const char* given = std::getenv("FIRN_SEED");
  const uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  SCOPED_TRACE("FIRN_SEED=" + std::to_string(seed));
  constexpr unsigned kWorkers = 8;
  constexpr int kSteps = 600;

  std::vector<InodeId> shared{kRootInode};
  for (int i = 0; i < 3; ++i) shared.push_back(v().mkdir(kRootInode, "shared" + std::to_string(i)).inode);
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kWorkers; ++i) workers.push_back(std::make_unique<Worker>(service(), i, seed + i, shared));
  for (auto& worker : workers) threads.emplace_back([&] { run(worker->work(kSteps)); });
  for (auto& thread : threads) thread.join();

  for (auto& worker : workers) EXPECT_EQ(worker->problem(), "");
  EXPECT_EQ(contradictions(*engine_), std::vector<std::string>());
}

}  // namespace
}  // namespace firn::meta
