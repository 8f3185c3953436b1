#include "services/common/storage/observed_store.h"

#include <array>
#include <atomic>
#include <chrono>
#include <type_traits>
#include <utility>

#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "services/common/server/metrics.h"
#include "services/common/tracing/span.h"

namespace peiling::storage {
namespace {

using Clock = std::chrono::steady_clock;

absl::StatusCode CodeOf(const absl::Status& status) { return status.code(); }
template <typename T>
absl::StatusCode CodeOf(const absl::StatusOr<T>& result) {
  return result.status().code();
}

prometheus::Family<prometheus::Histogram>& Seconds() {
  static auto& family = prometheus::BuildHistogram()
                            .Name("peiling_store_operation_seconds")
                            .Help("How long operations of a store took, by status code.")
                            .Register(server::Metrics());
  return family;
}

prometheus::Gauge& Up(const std::string& name) {
  return prometheus::BuildGauge()
      .Name("peiling_store_up")
      .Help("Whether the store can be read and written, as last seen.")
      .Register(server::Metrics())
      .Add({{"store", name}});
}

// The latencies of one operation. Thread-safe.
class Operation {
 public:
  Operation(const std::string& store, const char* name) : store_(store), name_(name) {}

  const char* name() const { return name_; }
  void Observe(absl::StatusCode code, double seconds) { By(code).Observe(seconds); }

 private:
  // Looked up by its labels only the first time.
  prometheus::Histogram& By(absl::StatusCode code) {
    auto& known = by_code_[static_cast<size_t>(code) < by_code_.size() ? static_cast<size_t>(code) : 2];
    if (auto* histogram = known.load(std::memory_order_acquire)) return *histogram;
    auto& histogram = Seconds().Add({{"store", store_}, {"operation", name_}, {"outcome", absl::StatusCodeToString(code)}},
                                    prometheus::Histogram::BucketBoundaries{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                                            0.05, 0.1, 0.25, 0.5, 1, 2.5, 5});
    known.store(&histogram, std::memory_order_release);
    return histogram;
  }

  const std::string store_;
  const char* const name_;
  std::array<std::atomic<prometheus::Histogram*>, 17> by_code_{};
};

class ObservedStore final : public Store {
 public:
  ObservedStore(std::unique_ptr<Store> store, const std::string& name, std::string system)
      : store_(std::move(store)), name_(name), system_(std::move(system)), up_(Up(name)) {
    up_.Set(store_->Health().ok() ? 1 : 0);
  }

  absl::StatusOr<CommitResult> Commit(Batch batch) override {
    const std::string partition = batch.partition;
    return Measured(commit_, partition, [&] { return store_->Commit(std::move(batch)); });
  }
  absl::StatusOr<std::optional<Document>> Get(const std::string& partition, const std::string& key) override {
    return Measured(get_, partition, [&] { return store_->Get(partition, key); });
  }
  absl::StatusOr<std::vector<std::optional<Document>>> GetMany(const std::string& partition,
                                                               const std::vector<std::string>& keys) override {
    return Measured(get_many_, partition, [&] { return store_->GetMany(partition, keys); });
  }
  absl::StatusOr<std::vector<Document>> List(const std::string& partition, const std::string& prefix, const std::string& after,
                                             size_t limit) override {
    return Measured(list_, partition, [&] { return store_->List(partition, prefix, after, limit); });
  }
  absl::StatusOr<uint64_t> Count(const std::string& partition, const std::string& prefix) override {
    return Measured(count_, partition, [&] { return store_->Count(partition, prefix); });
  }
  absl::StatusOr<std::vector<std::string>> Partitions(const std::string& prefix) override {
    return Measured(partitions_, prefix, [&] { return store_->Partitions(prefix); });
  }
  absl::StatusOr<std::vector<FeedEvent>> ReadFeed(const std::string& partition, uint64_t after_sequence, size_t limit) override {
    return Measured(read_feed_, partition, [&] { return store_->ReadFeed(partition, after_sequence, limit); });
  }
  absl::StatusOr<uint64_t> LastSequence(const std::string& partition) override {
    return Measured(last_sequence_, partition, [&] { return store_->LastSequence(partition); });
  }
  absl::StatusOr<bool> WaitFeed(const std::string& partition, uint64_t after_sequence, std::chrono::milliseconds timeout) override {
    return store_->WaitFeed(partition, after_sequence, timeout);
  }
  absl::Status Confirm(const std::string& partition) override {
    return Measured(confirm_, partition, [&] { return store_->Confirm(partition); });
  }
  absl::Status Health() override {
    absl::Status health = store_->Health();
    up_.Set(health.ok() ? 1 : 0);
    return health;
  }
  absl::StatusOr<std::vector<SavedDocument>> Save(const std::string& partition, const std::string& after, size_t limit) override {
    return Measured(save_, partition, [&] { return store_->Save(partition, after, limit); });
  }
  absl::Status Restore(const std::string& partition, const std::vector<SavedDocument>& documents,
                       const std::vector<FeedEvent>& events) override {
    return Measured(restore_, partition, [&] { return store_->Restore(partition, documents, events); });
  }
  void Interrupt() override { store_->Interrupt(); }

 private:
  template <typename Do>
  std::invoke_result_t<Do> Measured(Operation& operation, const std::string& partition, Do run) {
    tracing::Span span;
    if (tracing::Current() != nullptr) span = StartSpan(operation, partition);
    const Clock::time_point begin = Clock::now();
    auto result = run();
    const std::chrono::duration<double> taken = Clock::now() - begin;
    const absl::StatusCode code = CodeOf(result);
    operation.Observe(code, taken.count());
    span.Set("peiling.outcome", absl::StatusCodeToString(code));
    // Somebody else was first: the caller reads again.
    if (code != absl::StatusCode::kOk && code != absl::StatusCode::kAborted) span.Fail();
    return result;
  }

  tracing::Span StartSpan(const Operation& operation, const std::string& partition) const {
    const auto kind = system_ == "sqlite" ? tracing::Kind::kInternal : tracing::Kind::kClient;
    tracing::Span span = tracing::Span::StartChild(name_ + " " + operation.name(), kind);
    span.Set("db.system", system_);
    span.Set("db.operation", operation.name());
    span.Set("peiling.store", name_);
    span.Set("peiling.partition", partition);
    return span;
  }

  const std::unique_ptr<Store> store_;
  const std::string name_;
  const std::string system_;
  prometheus::Gauge& up_;
  Operation commit_{name_, "commit"};
  Operation get_{name_, "get"};
  Operation get_many_{name_, "get_many"};
  Operation list_{name_, "list"};
  Operation count_{name_, "count"};
  Operation partitions_{name_, "partitions"};
  Operation read_feed_{name_, "read_feed"};
  Operation last_sequence_{name_, "last_sequence"};
  Operation confirm_{name_, "confirm"};
  Operation save_{name_, "save"};
  Operation restore_{name_, "restore"};
};

}  // namespace

std::unique_ptr<Store> Observe(std::unique_ptr<Store> store, const std::string& name, const std::string& system) {
  return std::make_unique<ObservedStore>(std::move(store), name, system);
}

}  // namespace peiling::storage
