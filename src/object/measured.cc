#include "base/log.h"
#include "object/wrappers.h"

namespace firn::object {

namespace {

constexpr const char* kFurther = "further";

struct KindMetrics {
  KindMetrics(metrics::Registry& registry, const std::string& store, const char* kind)
      : answered(outcome(registry, store, kind, "ok")),
        denied(outcome(registry, store, kind, "answer")),
        failures(outcome(registry, store, kind, "failure")),
        further(outcome(registry, store, kind, kFurther)),
        bytes(registry.counter("firn_object_bytes_total", "Bytes of objects sent or received.",
                               {{"store", store}, {"kind", kind}})),
        latency_ns(registry.histogram("firn_object_request_seconds", "How long requests to an object store took.",
                                      {{"store", store}, {"kind", kind}})) {}

  static metrics::Counter& outcome(metrics::Registry& registry, const std::string& store, const char* kind,
                                   const char* outcome) {
    return registry.counter("firn_object_requests_total",
                            "Requests sent to an object store; outcome \"answer\": no such object, or one already; "
                            "\"further\": a second one that one of the others took.",
                            {{"store", store}, {"kind", kind}, {"outcome", outcome}});
  }
  uint64_t requests() const { return answered.value() + denied.value() + failures.value() + further.value(); }

  metrics::Counter& answered;
  metrics::Counter& denied;
  metrics::Counter& failures;
  metrics::Counter& further;
  metrics::Counter& bytes;
  metrics::Histogram& latency_ns;
};

// What an expected answer is for the protocols above: not counted as a failure.
bool is_answer(Code code) { return code == Code::kNotFound || code == Code::kExists; }

class MeasuredStore final : public ObjectStore {
 public:
  MeasuredStore(std::unique_ptr<ObjectStore> inner, const std::string& name, metrics::Registry& registry)
      : inner_(std::move(inner)),
        name_(name),
        kinds_{KindMetrics(registry, name, kKindNames[0]), KindMetrics(registry, name, kKindNames[1]),
               KindMetrics(registry, name, kKindNames[2]), KindMetrics(registry, name, kKindNames[3])} {}

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    const Request request{.kind = Kind::kPut, .key = traced(key), .bytes = content.bytes()};
    co_return co_await measure(request, inner_->put(std::move(key), std::move(content), options, until));
  }
  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    const Request request{.kind = Kind::kGet, .key = traced(key), .offset = offset};
    co_return co_await measure(request, inner_->get(std::move(key), offset, bytes, until));
  }
  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    const Request request{.kind = Kind::kHead, .key = traced(key)};
    co_return co_await measure(request, inner_->head(std::move(key), until));
  }
  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    const Request request{.kind = Kind::kRemove, .key = traced(key)};
    co_return co_await measure(request, inner_->remove(std::move(key), until));
  }

  std::string describe() const override { return inner_->describe(); }
  io::Task<void> close() override { return inner_->close(); }

 private:
  struct Request {
    Kind kind;
    std::string key;  // empty where nobody is to read it
    uint64_t offset = 0;
    uint64_t bytes = 0;  // that it sends
  };
  static std::string traced(const std::string& key) { return log::enabled(log::Level::kDebug) ? key : ""; }
  static uint64_t received(const Fetched& fetched) { return fetched.bytes.size(); }
  static uint64_t received(const ObjectInfo&) { return 0; }

  template <class T>
  io::Task<Result<T>> measure(const Request& request, io::Task<Result<T>> sending) {
    Clock& clock = io::Reactor::current()->clock();
    const int64_t begin_ns = clock.monotonic_ns();
    Result<T> done = co_await std::move(sending);
    uint64_t bytes = done ? request.bytes : 0;
    if constexpr (!std::is_void_v<T>)
      if (done) bytes += received(*done);
    note(request, done ? Status() : Status(done.error()), bytes, clock.monotonic_ns() - begin_ns);
    co_return done;
  }

  void note(const Request& request, const Status& outcome, uint64_t bytes, int64_t took_ns) {
    count(request.kind, outcome, bytes, took_ns);
    log::debug("{}: {} {} at {}: {} bytes, {} us: {}", name_, kKindNames[static_cast<size_t>(request.kind)],
               request.key, request.offset, bytes, took_ns / 1000, outcome.to_string());
  }

  void count(Kind kind, const Status& outcome, uint64_t bytes, int64_t took_ns) {
    KindMetrics& metrics = kinds_[static_cast<size_t>(kind)];
    metrics.latency_ns.record(static_cast<uint64_t>(took_ns));
    metrics.bytes.add(bytes);
    if (outcome.ok())
      metrics.answered.add();
    else if (is_answer(outcome.code()))
      metrics.denied.add();
    else
      metrics.failures.add();
  }

  const std::unique_ptr<ObjectStore> inner_;
  const std::string name_;
  std::array<KindMetrics, 4> kinds_;
};

}  // namespace

RequestCounts request_counts(const std::string& name, metrics::Registry& registry) {
  RequestCounts counts;
  for (size_t kind = 0; kind < kKindNames.size(); ++kind) {
    const KindMetrics metrics(registry, name, kKindNames[kind]);
    counts.requests[kind] = metrics.requests();
    counts.failures[kind] = metrics.failures.value();
    counts.bytes[kind] = metrics.bytes.value();
  }
  return counts;
}

std::function<void(Kind)> further_requests(const std::string& name, metrics::Registry& registry) {
  std::array<metrics::Counter*, kKindNames.size()> counters{};
  for (size_t kind = 0; kind < counters.size(); ++kind)
    counters[kind] = &KindMetrics::outcome(registry, name, kKindNames[kind], kFurther);
  return [counters](Kind kind) { counters[static_cast<size_t>(kind)]->add(); };
}

std::unique_ptr<ObjectStore> measured(std::unique_ptr<ObjectStore> inner, std::string name,
                                      metrics::Registry& registry) {
  return std::make_unique<MeasuredStore>(std::move(inner), name, registry);
}

}  // namespace firn::object
