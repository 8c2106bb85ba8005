// Listing directories, also while they change.
#include <dirent.h>

#include <algorithm>
#include <map>
#include <set>

#include "fs.h"

namespace firn::posix {
namespace {

std::string numbered(size_t i) { return "entry-" + std::to_string(i); }

void fill(const std::string& directory, size_t count) {
  if (!exists(directory)) OK(mkdir(directory.c_str(), 0755));
  for (size_t i = 0; i < count; ++i) {
    if (mknod((directory + "/" + numbered(i)).c_str(), S_IFREG | 0644, 0) != 0) {
      FAILS(0, -1);
      return;
    }
  }
}

unsigned char dirent_type(Kind kind) { return static_cast<unsigned char>(type_bits(kind) >> 12); }

CASE(kBoth, "readdir/empty") {
  OK(mkdir("d", 0755));
  DIR* const stream = opendir("d");
  std::set<std::string> names;
  while (const dirent* entry = readdir(stream)) {
    names.insert(entry->d_name);
    EQ(DT_DIR, entry->d_type);
    EQ(look("d/" + std::string(entry->d_name)).st_ino, entry->d_ino);
  }
  HOLDS((names == std::set<std::string>{".", ".."}));
  closedir(stream);
}

CASE(kBoth, "readdir/types_and_inodes") {
  OK(mkdir("d", 0755));
  std::map<std::string, Kind> wanted;
  for (const Kind kind : kinds()) {
    make(kind, std::string("d/") + name_of(kind));
    wanted[name_of(kind)] = kind;
  }
  DIR* const stream = opendir("d");
  size_t count = 0;
  while (const dirent* entry = readdir(stream)) {
    const auto found = wanted.find(entry->d_name);
    if (found == wanted.end()) continue;
    const Row row(entry->d_name);
    ++count;
    EQ(dirent_type(found->second), entry->d_type);
    EQ(look("d/" + found->first).st_ino, entry->d_ino);
  }
  EQ(wanted.size(), count);
  closedir(stream);
}

void list_all(size_t count) {
  fill("d", count);
  std::set<std::string> seen;
  std::set<ino_t> inodes;
  DIR* const stream = opendir("d");
  size_t entries = 0;
  while (const dirent* entry = readdir(stream)) {
    ++entries;
    seen.insert(entry->d_name);
    inodes.insert(entry->d_ino);
  }
  closedir(stream);
  EQ(count + 2, entries);
  EQ(count + 2, seen.size());
  EQ(count + 2, inodes.size());
  size_t missing = 0;
  for (size_t i = 0; i < count; ++i) missing += seen.count(numbered(i)) == 0;
  EQ(0, missing);
}

CASE(kBoth, "readdir/complete_10k") { list_all(10000); }
CASE(kBoth | kBig, "readdir/complete_100k") { list_all(100000); }

CASE(kBoth, "readdir/remove_while_reading") {
  fill("d", 5000);
  DIR* const stream = opendir("d");
  size_t removed = 0;
  while (const dirent* entry = readdir(stream)) {
    if (entry->d_name[0] == '.') continue;
    removed += unlinkat(dirfd(stream), entry->d_name, 0) == 0;
  }
  closedir(stream);
  EQ(5000, removed);
  OK(rmdir("d"));
}

// What is there from beginning to end is listed exactly once, whatever comes and goes meanwhile.
CASE(kBoth, "readdir/stable_while_changing") {
  fill("d", 3000);
  DIR* const stream = opendir("d");
  std::map<std::string, int> seen;
  size_t step = 0;
  while (const dirent* entry = readdir(stream)) {
    ++seen[entry->d_name];
    ++step;
    // Every fourth entry is fair game; new names spread over the whole order.
    const size_t victim = (step * 4) % 3000;
    unlink(("d/" + numbered(victim)).c_str());
    spit("d/" + std::to_string(step * 7919 % 100003) + "-new");
    if (step > 20000) break;
  }
  closedir(stream);
  size_t missing = 0, doubled = 0;
  for (size_t i = 0; i < 3000; ++i) {
    if (i % 4 == 0) continue;
    const auto found = seen.find(numbered(i));
    missing += found == seen.end();
  }
  for (const auto& [name, times] : seen) doubled += times > 1;
  EQ(0, missing);
  EQ(0, doubled);
}

CASE(kBoth, "readdir/rewind") {
  OK(mkdir("d", 0755));
  spit("d/a");
  DIR* const stream = opendir("d");
  while (readdir(stream) != nullptr) {
  }
  spit("d/b");
  OK(unlink("d/a"));
  rewinddir(stream);
  std::set<std::string> names;
  while (const dirent* entry = readdir(stream)) names.insert(entry->d_name);
  HOLDS((names == std::set<std::string>{".", "..", "b"}));
  closedir(stream);
}

CASE(kBoth, "readdir/telldir_seekdir") {
  fill("d", 2000);
  DIR* const stream = opendir("d");
  std::vector<long> cookies;
  std::vector<std::string> names;
  for (;;) {
    const long at = telldir(stream);
    const dirent* const entry = readdir(stream);
    if (entry == nullptr) break;
    cookies.push_back(at);
    names.emplace_back(entry->d_name);
  }
  EQ(2002, names.size());
  HOLDS(std::set<long>(cookies.begin(), cookies.end()).size() == cookies.size());
  for (size_t i = 0; i < names.size(); i += 37) {
    const size_t at = names.size() - 1 - i;
    seekdir(stream, cookies[at]);
    const dirent* const entry = readdir(stream);
    if (!HOLDS(entry != nullptr)) break;
    EQ(names[at], std::string(entry->d_name));
  }
  closedir(stream);
}

// A position stays good when entries before and after it come and go.
CASE(kBoth, "readdir/seekdir_while_changing") {
  fill("d", 1000);
  DIR* const stream = opendir("d");
  std::vector<long> cookies;
  std::vector<std::string> names;
  for (;;) {
    const long at = telldir(stream);
    const dirent* const entry = readdir(stream);
    if (entry == nullptr) break;
    cookies.push_back(at);
    names.emplace_back(entry->d_name);
  }
  for (size_t i = 0; i < names.size(); i += 2) unlink(("d/" + names[i]).c_str());
  for (int i = 0; i < 500; ++i) spit("d/later-" + std::to_string(i * 31));
  for (size_t at = 601; at < names.size() && at < 640; at += 2) {
    rewinddir(stream);
    seekdir(stream, cookies[at]);
    std::set<std::string> after;
    while (const dirent* entry = readdir(stream)) after.insert(entry->d_name);
    size_t missing = 0;
    for (size_t i = at; i < names.size(); ++i) {
      missing += names[i][0] != '.' && i % 2 == 1 && after.count(names[i]) == 0;
    }
    EQ(0, missing);
  }
  closedir(stream);
}

CASE(kBoth, "readdir/two_streams") {
  fill("d", 500);
  DIR* const one = opendir("d");
  DIR* const two = opendir("d");
  size_t first = 0, second = 0;
  for (bool more = true; more;) {
    more = readdir(one) != nullptr;
    first += more;
    if (first % 3 == 0 && readdir(two) != nullptr) ++second;
  }
  while (readdir(two) != nullptr) ++second;
  EQ(502, first);
  EQ(502, second);
  closedir(one);
  closedir(two);
}

CASE(kBoth, "readdir/long_names") {
  OK(mkdir("d", 0755));
  std::set<std::string> wanted{".", ".."};
  for (int i = 0; i < 300; ++i) {
    const std::string name = std::to_string(1000 + i) + repeat('n', 251);
    spit("d/" + name);
    wanted.insert(name);
  }
  DIR* const stream = opendir("d");
  std::set<std::string> names;
  while (const dirent* entry = readdir(stream)) names.insert(entry->d_name);
  HOLDS(names == wanted);
  closedir(stream);
}

CASE(kBoth, "readdir/dot_dot_after_move") {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  OK(mkdir("a/d", 0755));
  OK(rename("a/d", "b/d"));
  DIR* const stream = opendir("b/d");
  while (const dirent* entry = readdir(stream)) {
    if (strcmp(entry->d_name, "..") == 0) EQ(look("b").st_ino, entry->d_ino);
  }
  closedir(stream);
}

CASE(kBoth, "readdir/seen_by_others_at_once") {
  OK(mkdir("d", 0755));
  for (int i = 0; i < 50; ++i) {
    spit("d/" + numbered(static_cast<size_t>(i)));
    EQ(i + 1, list_names("d").size());
  }
  for (int i = 0; i < 50; ++i) {
    OK(unlink(("d/" + numbered(static_cast<size_t>(i))).c_str()));
    EQ(49 - i, list_names("d").size());
  }
}

CASE(kBoth, "readdir/removed_directory") {
  fill("d", 10);
  DIR* const stream = opendir("d");
  HOLDS(remove_tree("d"));
  OK(mkdir("d", 0755));
  spit("d/new");
  size_t entries = 0;
  while (const dirent* entry = readdir(stream)) entries += entry->d_name[0] != '.';
  EQ(0, entries);
  closedir(stream);
}

CASE(kBoth, "readdir/concurrent_creators") {
  OK(mkdir("d", 0755));
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    children.push_back(start([c] {
      for (int i = 0; i < 250; ++i) spit("d/" + std::to_string(c) + "-" + std::to_string(i));
    }));
  }
  for (const pid_t child : children) join(child);
  EQ(1000, list_names("d").size());
}

}  // namespace
}  // namespace firn::posix
