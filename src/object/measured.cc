#include "base/log.h"
#include "object/wrappers.h"

namespace firn::object {

namespace {

struct KindMetrics {
  KindMetrics(metrics::Registry& registry, const std::string& store, const char* kind)
      : answered(outcome(registry, store, kind, "ok")),
        denied(outcome(registry, store, kind, "answer")),
        failures(outcome(registry, store, kind, "failure")),
        bytes(registry.counter("firn_object_bytes_total", "Bytes of objects sent or received.",
                               {{"store", store}, {"kind", kind}})),
        latency_ns(registry.histogram("firn_object_request_seconds", "How long requests to an object store took.",
                                      {{"store", store}, {"kind", kind}})) {}

  static metrics::Counter& outcome(metrics::Registry& registry, const std::string& store, const char* kind,
                                   const char* outcome) {
    return registry.counter("firn_object_requests_total",
                            "Requests sent to an object store; outcome \"answer\": no such object, or one already.",
                            {{"store", store}, {"kind", kind}, {"outcome", outcome}});
  }
  uint64_t requests() const { return answered.value() + denied.value() + failures.value(); }

  metrics::Counter& answered;
  metrics::Counter& denied;
  metrics::Counter& failures;
  metrics::Counter& bytes;
  metrics::Histogram& latency_ns;
};

// What an expected answer is for the protocols above: not counted as a failure.
bool is_answer(Code code) { return code == Code::kNotFound || code == Code::kExists; }

class MeasuredStore final : public ObjectStore {
 public:
  MeasuredStore(std::unique_ptr<ObjectStore> inner, const std::string& name, metrics::Registry& registry)
      : inner_(std::move(inner)),
        kinds_{KindMetrics(registry, name, kKindNames[0]), KindMetrics(registry, name, kKindNames[1]),
               KindMetrics(registry, name, kKindNames[2]), KindMetrics(registry, name, kKindNames[3])} {}

  io::Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    const uint64_t bytes = content.bytes();
    co_return co_await measure(Kind::kPut, inner_->put(std::move(key), std::move(content), options, until), bytes);
  }
  io::Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    Result<Fetched> done = co_await measure(Kind::kGet, inner_->get(std::move(key), offset, bytes, until), 0);
    if (done) metrics_of(Kind::kGet).bytes.add(done->bytes.size());
    co_return done;
  }
  io::Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
    co_return co_await measure(Kind::kHead, inner_->head(std::move(key), until), 0);
  }
  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    co_return co_await measure(Kind::kRemove, inner_->remove(std::move(key), until), 0);
  }

  std::string describe() const override { return inner_->describe(); }
  io::Task<void> close() override { return inner_->close(); }

 private:
  KindMetrics& metrics_of(Kind kind) { return kinds_[static_cast<size_t>(kind)]; }

  template <class T>
  io::Task<Result<T>> measure(Kind kind, io::Task<Result<T>> request, uint64_t bytes) {
    Clock& clock = io::Reactor::current()->clock();
    const int64_t begin_ns = clock.monotonic_ns();
    Result<T> done = co_await std::move(request);
    KindMetrics& metrics = metrics_of(kind);
    metrics.latency_ns.record(static_cast<uint64_t>(clock.monotonic_ns() - begin_ns));
    if (done) {
      metrics.answered.add();
      metrics.bytes.add(bytes);
    } else if (is_answer(done.error().code())) {
      metrics.denied.add();
    } else {
      metrics.failures.add();
      log::debug("object store: {}", done.error().to_string());
    }
    co_return done;
  }

  const std::unique_ptr<ObjectStore> inner_;
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

std::unique_ptr<ObjectStore> measured(std::unique_ptr<ObjectStore> inner, std::string name,
                                      metrics::Registry& registry) {
  return std::make_unique<MeasuredStore>(std::move(inner), name, registry);
}

}  // namespace firn::object
