#include "http/long_work.h"

#include <nlohmann/json.hpp>

#include "http/json.h"
#include "io/reactor.h"
#include "io/sync.h"

namespace firn::http {

namespace {

constexpr int64_t kTellEveryNs = 200'000'000;

struct Running {
  WorkProgress progress;
  io::Event done;
  Result<std::string> result = std::string();
};

io::Task<void> run(std::shared_ptr<Running> running, Work work) {
  running->result = co_await work(running->progress);
  running->done.set();
}

std::string line_of(const WorkProgress& progress) {
  const nlohmann::json line = {{"files", progress.files.load()},
                               {"total_files", progress.total_files.load()},
                               {"bytes", progress.bytes.load()},
                               {"total_bytes", progress.total_bytes.load()}};
  return dump_json(line) + "\n";
}

std::string last_line(const Result<std::string>& result) {
  nlohmann::json line;
  if (result) {
    line = nlohmann::json::parse(result->empty() ? "{}" : *result);
    line["done"] = true;
  } else {
    line = {{"error", result.error().message()}, {"errno", errno_of(result.error().code())}};
  }
  return dump_json(line) + "\n";
}

}  // namespace

io::Task<Result<void>> respond_with_work(Exchange& exchange, Work work) {
  const auto running = std::make_shared<Running>();
  CO_TRY(co_await exchange.begin(200, {{"Content-Type", "application/x-ndjson"}}, std::nullopt));
  io::detach(run(running, std::move(work)));
  Result<void> told;
  for (int64_t wait_ns = 1'000'000; !running->done.is_set();) {
    if (!co_await io::sleep_for(wait_ns, &exchange.closing())) {
      running->progress.stop.cancel();
      break;
    }
    if (wait_ns < kTellEveryNs) {
      wait_ns *= 2;  // short work is not kept waiting
      continue;
    }
    wait_ns = kTellEveryNs;
    const std::string line = line_of(running->progress);
    told = co_await exchange.write(std::as_bytes(std::span(line)));
    if (!told) running->progress.stop.cancel();
    if (!told) break;
  }
  // What it uses must outlive it.
  co_await running->done.wait();
  CO_TRY(std::move(told));
  const std::string last = last_line(running->result);
  CO_TRY(co_await exchange.write(std::as_bytes(std::span(last))));
  co_return co_await exchange.end();
}

}  // namespace firn::http
