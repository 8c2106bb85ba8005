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

io::Task<Result<void>> begin(Exchange& exchange) {
  co_return co_await exchange.begin(200, {{"Content-Type", "application/x-ndjson"}}, std::nullopt);
}

io::Task<Result<void>> tell_once(Exchange& exchange, const WorkProgress& progress) {
  if (!exchange.responded()) CO_TRY(co_await begin(exchange));
  const std::string line = line_of(progress);
  co_return co_await exchange.write(std::as_bytes(std::span(line)));
}

// Lines until the work has ended. Work that ends before the first is due has not answered yet.
io::Task<Result<void>> tell(Exchange& exchange, Running& running) {
  for (int64_t wait_ns = 1'000'000; !running.done.is_set();) {
    if (!co_await io::sleep_for(wait_ns, &exchange.closing())) {
      running.progress.stop.cancel();
      co_return Result<void>();
    }
    if (wait_ns < kTellEveryNs) {
      wait_ns *= 2;  // short work is not kept waiting
      continue;
    }
    wait_ns = kTellEveryNs;
    if (running.done.is_set()) break;
    Result<void> told = co_await tell_once(exchange, running.progress);
    if (told) continue;
    running.progress.stop.cancel();
    co_return told;
  }
  co_return Result<void>();
}

}  // namespace

io::Task<Result<void>> respond_with_work(Exchange& exchange, Work work) {
  const auto running = std::make_shared<Running>();
  io::detach(run(running, std::move(work)));
  const Result<void> told = co_await tell(exchange, *running);
  // What it uses must outlive it.
  co_await running->done.wait();
  CO_TRY(Result<void>(told));
  if (!running->result && !exchange.responded()) co_return fail(running->result.error());
  if (!exchange.responded()) CO_TRY(co_await begin(exchange));
  const std::string last = last_line(running->result);
  CO_TRY(co_await exchange.write(std::as_bytes(std::span(last))));
  co_return co_await exchange.end();
}

}  // namespace firn::http
