// A compressed archive of texts.
#pragma once

#include <string>

#include "base/status.h"

namespace firn::cli {

// A folder for temporary files, with what is to be packed; removed with all of it.
class Bundle {
 public:
  // `name` is the folder's in the archive.
  static Result<Bundle> create(const std::string& name);
  Bundle(Bundle&& other) noexcept;
  Bundle& operator=(Bundle&&) = delete;
  ~Bundle();

  Status add(const std::string& file, const std::string& text);
  // Writes NAME.tar.gz to `file`, which only its owner may read. Takes tar and gzip.
  Status pack(const std::string& file) const;

 private:
  Bundle(std::string folder, std::string name) : folder_(std::move(folder)), name_(std::move(name)) {}

  std::string folder_;
  std::string name_;
};

}  // namespace firn::cli
