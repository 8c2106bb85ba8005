#include "cli/daemon_work.h"

#include <nlohmann/json.hpp>

#include "cli/json.h"
#include "cli/progress.h"

namespace firn::cli {

Result<nlohmann::json> daemon_work(const Served& served, const std::string& route, const std::string& what) {
  Client client = TRY(Client::connect(served));
  ProgressBar bar(what);
  nlohmann::json last;
  TRY(client.work(route, [&](std::string_view line) -> Status {
    last = TRY(parse_answer(std::string(line)));
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
