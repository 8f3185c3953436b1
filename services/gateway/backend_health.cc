#include "services/gateway/backend_health.h"

#include <chrono>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "prometheus/gauge.h"
#include "services/common/deadline/deadline.h"
#include "services/common/log/log.h"
#include "services/common/server/metrics.h"

namespace peiling::gateway {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr auto kInterval = std::chrono::milliseconds(500);
constexpr auto kDeadline = std::chrono::seconds(2);

// One question under way.
struct Check {
  grpc::ClientContext context;
  HealthCheckResponse answer;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<HealthCheckResponse>> reader;
};

// Asks all at once, so that a backend that hangs does not hold up the news of the others beyond the deadline.
std::map<std::string, bool> AskAll(const RouteTable& routes) {
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<Check>> checks;
  for (const Backend& backend : routes.backends()) {
    HealthCheckRequest request;
    request.set_service(backend.service);
    auto check = std::make_unique<Check>();
    deadline::Set(check->context, kDeadline);
    check->reader = Health::NewStub(backend.channel)->AsyncCheck(&check->context, request, &queue);
    check->reader->Finish(&check->answer, &check->status, check.get());
    checks.push_back(std::move(check));
  }
  void* tag = nullptr;
  bool ok = false;
  for (size_t i = 0; i < checks.size(); ++i) queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }

  std::map<std::string, bool> serving;
  for (size_t i = 0; i < checks.size(); ++i) {
    serving[routes.backends()[i].service] = checks[i]->status.ok() && checks[i]->answer.status() == HealthCheckResponse::SERVING;
  }
  return serving;
}

void Show(const std::map<std::string, bool>& serving) {
  static auto& family = prometheus::BuildGauge()
                            .Name("peiling_gateway_backend_up")
                            .Help("Whether a service answers, as the gateway sees it.")
                            .Register(server::Metrics());
  for (const auto& [service, up] : serving) family.Add({{"backend", service}}).Set(up ? 1 : 0);
}

}  // namespace

BackendHealth::BackendHealth(const RouteTable& routes) : routes_(routes) {
  for (const Backend& backend : routes.backends()) serving_[backend.service] = false;
}

BackendHealth::~BackendHealth() { Stop(); }

void BackendHealth::Start() {
  thread_ = std::thread([this] { Watch(); });
}

void BackendHealth::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::map<std::string, bool> BackendHealth::Serving() const {
  std::lock_guard lock(mutex_);
  return serving_;
}

void BackendHealth::Watch() {
  for (;;) {
    const std::map<std::string, bool> now = AskAll(routes_);
    std::unique_lock lock(mutex_);
    for (const auto& [service, serving] : now) {
      if (serving_[service] != serving) log::Info(serving ? "backend serves" : "backend does not serve", {{"backend", service}});
    }
    serving_ = now;
    Show(now);
    if (wake_.wait_for(lock, kInterval, [this] { return stopping_; })) return;
  }
}

}  // namespace peiling::gateway
