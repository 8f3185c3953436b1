#include "services/common/server/server_calls.h"

#include <chrono>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/server_context.h"
#include "services/common/identity/identity.h"
#include "services/common/log/log.h"
#include "services/common/server/call_metrics.h"
#include "services/common/status/errors.h"
#include "services/common/tracing/span.h"

namespace peiling::server {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerInterceptorFactoryInterface;
using grpc::experimental::ServerRpcInfo;
using Clock = std::chrono::steady_clock;
using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

// A storm of failing calls must not become a storm of lines.
constexpr int kMostLinesPerSecond = 100;

// Who calls directly may send anything for an id.
constexpr size_t kLongestRequestId = 100;

// Lets a bounded number of lines through. Thread-safe.
class LineLimiter {
 public:
  // How many lines were held back before this one; nullopt: this one is held back.
  std::optional<int> Pass() {
    const auto second = std::chrono::floor<std::chrono::seconds>(Clock::now());
    const std::lock_guard lock(mutex_);
    if (second != second_) {
      second_ = second;
      lines_ = 0;
    }
    if (lines_ >= kMostLinesPerSecond) {
      ++held_back_;
      return std::nullopt;
    }
    ++lines_;
    return std::exchange(held_back_, 0);
  }

 private:
  std::mutex mutex_;
  Clock::time_point second_;
  int lines_ = 0;
  int held_back_ = 0;
};

LineLimiter& Limiter() {
  static auto* limiter = new LineLimiter;
  return *limiter;
}

log::Level LevelOf(int code) {
  switch (code) {
    case grpc::OK:
    // The client left: so every watch ends.
    case grpc::CANCELLED:
      return log::Level::kDebug;
    case grpc::INTERNAL:
    case grpc::UNKNOWN:
    case grpc::DATA_LOSS:
      return log::Level::kError;
    case grpc::UNAVAILABLE:
    case grpc::RESOURCE_EXHAUSTED:
    case grpc::DEADLINE_EXCEEDED:
      return log::Level::kWarning;
    default:
      return log::Level::kInfo;
  }
}

// Which codes make a server's span one of an error (OpenTelemetry's conventions for RPC).
bool IsServerFault(int code) {
  return code == grpc::UNKNOWN || code == grpc::DEADLINE_EXCEEDED || code == grpc::UNIMPLEMENTED || code == grpc::INTERNAL ||
         code == grpc::UNAVAILABLE || code == grpc::DATA_LOSS;
}

// The value of a header that may stand there once.
std::string_view Only(const Metadata& metadata, const char* key) {
  const auto [begin, end] = metadata.equal_range(key);
  if (begin == end || std::next(begin) != end) return {};
  return {begin->second.data(), begin->second.size()};
}

std::string Joined(const Metadata& metadata, const char* key) {
  std::string all;
  const auto [begin, end] = metadata.equal_range(key);
  for (auto entry = begin; entry != end; ++entry)
    absl::StrAppend(&all, all.empty() ? "" : ",", std::string(entry->second.data(), entry->second.size()));
  return all;
}

// Lives as long as its call.
class ServerCall final : public Interceptor {
 public:
  ServerCall(MethodMetrics& metrics, const grpc::ServerContextBase* context) : call_(metrics), context_(context) {}

  // gRPC runs the handler within Proceed of the first batch, and may destroy the call, and this, there.
  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) OnStatus(methods->GetSendStatus());
    if (tracing::Enabled() && methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      const Metadata& metadata = *methods->GetRecvInitialMetadata();
      call_.StartSpan(Only(metadata, tracing::kTraceparent), Joined(metadata, tracing::kTracestate));
      const tracing::Scope scope(call_.span());
      methods->Proceed();
      return;
    }
    methods->Proceed();
  }

 private:
  void OnStatus(const grpc::Status& status) {
    // What the log does not say is not asked for.
    if (status.ok() || !log::Writes(LevelOf(status.error_code()))) return call_.End(status, "", "");
    call_.End(status, context_->peer(), Only(context_->client_metadata(), identity::kRequestIdKey));
  }

  ObservedCall call_;
  const grpc::ServerContextBase* const context_;
};

class ServerCalls final : public ServerInterceptorFactoryInterface {
 public:
  explicit ServerCalls(const std::string& server_name) : methods_("server", {{"server", server_name}}) {}

  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    if (IsUnobserved(info->method())) return nullptr;
    return new ServerCall(methods_.Of(info->method()), info->server_context());
  }

 private:
  MethodTable methods_;
};

}  // namespace

ObservedCall::ObservedCall(MethodMetrics& metrics) : metrics_(metrics) { metrics_.Begin(); }

ObservedCall::~ObservedCall() {
  const int code = status_.error_code();
  metrics_.End(code, std::chrono::duration<double>(Clock::now() - begin_).count());
  Log();
  span_.Set("rpc.grpc.status_code", code);
  if (IsServerFault(code)) span_.Fail();
}

void ObservedCall::StartSpan(std::string_view traceparent, const std::string& tracestate) {
  const auto parent = tracing::ParseTraceContext(traceparent, tracestate);
  span_ = tracing::Span::Start(metrics_.full_name(), tracing::Kind::kServer, parent ? &*parent : nullptr);
  span_.Set("rpc.system", "grpc");
  span_.Set("rpc.service", metrics_.service());
  span_.Set("rpc.method", metrics_.method());
}

void ObservedCall::End(const grpc::Status& status, std::string peer, std::string_view request_id) {
  status_ = status;
  peer_ = std::move(peer);
  request_id_ = request_id.substr(0, kLongestRequestId);
}

void ObservedCall::Log() const {
  const log::Level level = LevelOf(status_.error_code());
  if (!log::Writes(level)) return;
  const std::optional<int> held_back = level == log::Level::kDebug ? 0 : Limiter().Pass();
  if (!held_back) return;
  const tracing::Scope scope(span_);
  const std::string method = metrics_.full_name(), code = CodeName(status_.error_code());
  const std::string taken = absl::StrCat(std::chrono::duration<double>(Clock::now() - begin_).count());
  if (level == log::Level::kDebug) return log::Debug("call", {{"method", method}, {"code", code}, {"seconds", taken}});
  const auto write = level == log::Level::kError ? log::Error : level == log::Level::kWarning ? log::Warning : log::Info;
  write("call failed", {{"method", method},
                        {"code", code},
                        {"reason", status::Reason(status::FromGrpc(status_))},
                        {"request_id", request_id_},
                        {"peer", peer_},
                        {"seconds", taken},
                        {"lines_held_back", absl::StrCat(*held_back)}});
}

std::unique_ptr<ObservedCall> CallObserver::Begin(const std::string& path, std::string_view traceparent, const std::string& tracestate) {
  if (IsUnobserved(path.c_str())) return nullptr;
  auto call = std::make_unique<ObservedCall>(methods_.Of(path));
  if (tracing::Enabled()) call->StartSpan(traceparent, tracestate);
  return call;
}

std::unique_ptr<ServerInterceptorFactoryInterface> ObserveServerCalls(const std::string& server_name) {
  return std::make_unique<ServerCalls>(server_name);
}

}  // namespace peiling::server
