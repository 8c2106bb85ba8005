// The file in the volume's folder that holds the secret of its file handles.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "io/unique_fd.h"
#include "nfs/file_handle.h"

namespace firn::nfs {
namespace {

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

Result<HandleSecret> read_secret(const io::UniqueFd& file, const std::string& path) {
  HandleSecret secret;
  if (read(file.get(), secret.data(), secret.size()) != static_cast<ssize_t>(secret.size()))
    return fail(Code::kCorrupt,
                path + ": not a secret of NFS file handles; without it every client has to mount again");
  return secret;
}

// Written whole beside it and renamed, so that a crash leaves none or all of it.
Result<void> write_secret(const HandleSecret& secret, const std::string& path) {
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());
  const io::UniqueFd file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return fail(Status::from_errno(errno, temporary));
  if (write(file.get(), secret.data(), secret.size()) != static_cast<ssize_t>(secret.size()) || fsync(file.get()) != 0)
    return fail(Status::from_errno(errno, temporary));
  if (rename(temporary.c_str(), path.c_str()) != 0) return fail(Status::from_errno(errno, path));
  const io::UniqueFd folder(open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || fsync(folder.get()) != 0) return fail(Status::from_errno(errno, folder_of(path)));
  return {};
}

}  // namespace

Result<HandleSecret> load_handle_secret(const std::string& path, Random& random) {
  const io::UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() >= 0) return read_secret(file, path);
  if (errno != ENOENT) return fail(Status::from_errno(errno, path));
  HandleSecret secret;
  random.fill(secret);
  TRY(write_secret(secret, path));
  return secret;
}

}  // namespace firn::nfs
