// The local side of a volume that lives in a bucket: a folder that is its cache, and may be removed at any time that
// nobody serves it.
#pragma once

#include <string>

#include "base/status.h"
#include "cli/volume_folder.h"

namespace firn::cli {

// Whether `volume`, an argument of the command line, names a bucket instead of a folder.
bool is_bucket_url(std::string_view volume);

// Where this user's caches are: $FIRN_CACHE_DIR, else $XDG_CACHE_HOME/firn, else ~/.cache/firn. Nothing is made.
std::string user_cache_folder();

// Where the cache of `url` is on this machine: below user_cache_folder().
// One folder for each URL; nothing is made. kInvalid: the URL makes no sense.
Result<std::string> cache_folder_of(const std::string& url);

// The cache of the volume at `url`, ready to be served: `folder`, or where it is empty, cache_folder_of(url). Makes it
// from what the bucket says of the volume, unless it is there. kNotFound: there is no volume. kInvalid: there is one,
// but it lives on a machine, and has a tier here. kExists: the folder is another volume's, perhaps one of the same URL
// at another server.
Result<VolumePaths> open_cache_folder(const std::string& url, const std::string& folder, const std::string& key_file);

// A bucket's name means little without its server: kInvalid where the cache at `paths` was made for another one than
// the environment names now. An environment that names none means the cache's.
Status check_same_server(const VolumePaths& paths, const std::string& url);

}  // namespace firn::cli
