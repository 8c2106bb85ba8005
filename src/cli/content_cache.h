// cli::ContentCache: whole contents of files that other machines serve, kept on this one's disk and shared by all
// commands of a user.
#pragma once

#include <openssl/evp.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/unique_fd.h"

namespace firn::cli {

// In its folder (0700):
//   content/SHA256   a content, under the SHA-256 of it
//   names/HASH       JSON: of a file at a server, its entity tag when it was read, and the SHA-256 and size of what
//   that was parts/           contents while they come
// Invariants:
//  1. What is read from content/ has been hashed, and its name is its hash: what is torn, cut off or changed goes, and
//     is never handed out.
//  2. Names appear by rename(2), whole. Several processes may do anything here at once.
//  3. After trim() the files take at most the limit; while commands run, a sixteenth for each of them, and what is
//  coming, may
//     come on top.
// Nothing is synced: what a power cut damages, invariant 1 finds. Failures to keep something are silent: it is a cache.
class ContentCache {
 public:
  struct Options {
    std::string folder;  // made when something is kept
    uint64_t limit_bytes = 0;
  };
  explicit ContentCache(Options options);
  // Trims, if something was added.
  ~ContentCache();
  // Of this user, as the environment says; null: FIRN_CACHE_SIZE is 0. kInvalid: FIRN_CACHE_SIZE
  // is no size.
  static Result<std::unique_ptr<ContentCache>> of_user();

  // A file at a server.
  struct Source {
    std::string url;   // "https://nas.example:7734"
    std::string path;  // in its volume
  };
  struct Known {
    std::string tag;  // what it must still have
    std::string digest;
    uint64_t bytes = 0;
    io::UniqueFd fd;  // at its beginning
  };
  // What is kept of it, verified. Reads all of it.
  std::optional<Known> find(const Source& source);

  // A content as it comes; for one thread. Dropped without keep(), it leaves nothing.
  class Part {
   public:
    Part(Part&&) = default;
    ~Part();
    void append(std::span<const std::byte> data);

   private:
    friend class ContentCache;
    struct ContextEnd {
      void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    Part(std::string path, io::UniqueFd fd);
    std::string path_;
    io::UniqueFd fd_;
    std::unique_ptr<EVP_MD_CTX, ContextEnd> hash_;
    uint64_t bytes_ = 0;
    bool failed_ = false;
  };
  // nullopt: it is too small to gain by it (less than 4 KiB), or larger than a quarter of the limit; or nothing can be
  // written. Thread-safe.
  std::optional<Part> begin(uint64_t bytes);
  // `part` is all of the version `tag` of the file. Thread-safe.
  void keep(Part part, const Source& source, const std::string& tag, uint64_t bytes);

  // Removes what was not used for the longest time until the rest is within the limit.
  Status trim();
  Status clear();
  struct Usage {
    std::string folder;
    uint64_t files = 0, bytes = 0, limit_bytes = 0;
  };
  Usage usage() const;

 private:
  struct Held;  // a file of it
  std::vector<Held> held() const;
  std::string content_path(const std::string& digest) const { return options_.folder + "/content/" + digest; }
  std::string name_path(const Source& source) const;
  bool make_folders() const;
  void note_added(uint64_t bytes);

  const Options options_;
  std::atomic<uint64_t> untrimmed_bytes_ = 0;
  std::atomic<uint64_t> untrimmed_files_ = 0;
};

}  // namespace firn::cli
