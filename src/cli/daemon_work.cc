#include "cli/daemon_work.h"

#include "cli/client.h"
#include "cli/progress.h"

namespace firn::cli {

Result<nlohmann::json> daemon_work(const VolumePaths& paths, const std::string& route, const std::string& what) {
  Client client = TRY(Client::connect(paths));
  ProgressBar bar(what);
  nlohmann::json last;
  TRY(client.work(route, [&](std::string_view line) -> Status {
    last = nlohmann::json::parse(line, nullptr, false);
    if (!last.is_object()) return Status(Code::kIo, "the daemon's answer is not JSON");
    if (last.contains("files"))
      bar.show({.files = last.value("files", uint64_t{0}),
                .total_files = last.value("total_files", uint64_t{0}),
                .bytes = last.value("bytes", uint64_t{0}),
                .total_bytes = last.value("total_bytes", uint64_t{0})});
    return {};
  }));
  bar.clear();
  if (last.contains("error"))
    return fail(code_of_errno(last.value("errno", EIO)), last.value("error", "the daemon gave no reason"));
  if (!last.value("done", false)) return fail(Code::kUnavailable, "the daemon ended before the work did");
  return last;
}

}  // namespace firn::cli
