// Small helpers for cases: making things, looking at them, taking them away.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "harness.h"

namespace firn::posix {

enum class Kind { kFile, kDirectory, kSymlink, kFifo, kSocket, kChar, kBlock };

const char* name_of(Kind kind);
mode_t type_bits(Kind kind);
// Every kind that this user can make: without devices unless root.
std::vector<Kind> kinds();
// Makes one with permission bits 0644 (directories 0755; a symlink points to "target"). Failing fails the case.
bool make(Kind kind, const std::string& path);
// unlink or rmdir.
bool drop(const std::string& path);

// A regular file with this content; failing fails the case.
bool spit(const std::string& path, const std::string& content = "", mode_t mode = 0644);
// The whole content; a failure fails the case and yields "".
std::string slurp(const std::string& path);
std::string read_at(int fd, off_t offset, size_t bytes);

// lstat; a failure fails the case and yields zeros.
struct stat look(const std::string& path);
struct stat look(int fd);
unsigned mode_of(const std::string& path);
unsigned long nlink_of(const std::string& path);
off_t size_of(const std::string& path);
bool exists(const std::string& path);

std::vector<std::string> list_names(const std::string& directory = ".");  // sorted, without "." and ".."

// Directories included, wherever permissions allow it; false with errno when something remains.
bool remove_tree(const std::string& path);

std::string repeat(char c, size_t count);
// Octal, for row names.
std::string octal(unsigned mode);
// Long enough for the next timestamp to differ on any file system with at least 10 ms resolution.
void tick();
// A writable directory on another file system, or "".
std::string other_file_system();

}  // namespace firn::posix
