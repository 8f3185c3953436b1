#include "services/gateway/proxy.h"

#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "services/common/deadline/deadline.h"
#include "services/common/status/errors.h"
#include "services/common/tracing/span.h"

namespace peiling::gateway {

class Proxy::CallSlots {
 public:
  explicit CallSlots(const ProxyLimits& limits) : limits_(limits) {}

  absl::Status Take(const Backend& backend) {
    std::lock_guard lock(mutex_);
    int& of_backend = by_backend_[&backend];
    if (total_ >= limits_.max_calls) {
      return status::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_CALLS", "too many calls under way; try again later");
    }
    if (of_backend >= limits_.max_calls_per_backend) {
      return status::Error(absl::StatusCode::kResourceExhausted, "BACKEND_BUSY",
                           absl::StrCat("too many calls to ", backend.title, " under way; try again later"),
                           {{"service", backend.service}});
    }
    ++total_;
    ++of_backend;
    return absl::OkStatus();
  }

  void GiveBack(const Backend& backend) {
    std::lock_guard lock(mutex_);
    --total_;
    --by_backend_[&backend];
  }

  // Runs `begin`, which begins a call to a backend; false when closed.
  template <typename Begin>
  bool BeginUpstream(Begin begin) {
    std::shared_lock lock(gate_);
    if (closed_) return false;
    begin();
    return true;
  }

  void Close() {
    std::unique_lock lock(gate_);
    closed_ = true;
  }

 private:
  const ProxyLimits limits_;
  std::mutex mutex_;
  int total_ = 0;
  std::map<const Backend*, int> by_backend_;
  std::shared_mutex gate_;
  bool closed_ = false;
};

namespace {

using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

std::string ToString(const grpc::string_ref& text) { return std::string(text.data(), text.size()); }

// What belongs to one connection and must not travel on; gRPC sets these itself on the next one.
bool BelongsToConnection(const grpc::string_ref& key) {
  return key.starts_with(":") || key.starts_with("grpc-") || key == "user-agent" || key == "content-type" || key == "te" || key == "host";
}

// A backend's own answers carry details or are no UNAVAILABLE; what is left was said by the connection to it.
grpc::Status Explain(const grpc::Status& status, const Backend& backend) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE || !status.error_details().empty()) return status;
  return status::ToGrpc(status::Error(absl::StatusCode::kUnavailable, "BACKEND_UNAVAILABLE",
                                      absl::StrCat(backend.title, " cannot be reached; try again later (", status.error_message(), ")"),
                                      {{"service", backend.service}}));
}

// gRPC 1.51 has one queue for all callbacks of a process and drops it with its last user; doing so it sometimes aborts (its two threads
// unref the queue once too often). So one user, a channel to nowhere on which a callback was once asked for, stays for the life of the
// process.
void KeepCallbackQueue() {
  static const auto* const user = [] {
    struct User {
      std::shared_ptr<grpc::Channel> channel = grpc::CreateChannel("unix:/dev/null", grpc::InsecureChannelCredentials());
      grpc::ClientContext context;
      grpc::Slice nothing;
      grpc::ByteBuffer request{&nothing, 1};
      grpc::ByteBuffer response;
    };
    auto* made = new User;
    grpc::GenericStub(made->channel)
        .UnaryCall(&made->context, "/nowhere/Never", {}, &made->request, &made->response, [](const grpc::Status&) {});
    return made;
  }();
  static_cast<void>(user);
}

// For calls of one request and one answer whose caller names no deadline. Longer than any service waits by itself (dedup: 60 seconds).
// Not the service config's "timeout": gRPC 1.51 counts that by the wall clock, which somebody may set.
constexpr std::chrono::seconds kLongestCall(65);

bool SaysTrace(const grpc::string_ref& key) { return key == tracing::kTraceparent || key == tracing::kTracestate; }

// What a backend is called with on behalf of a client: its deadline and metadata; as the caller in a trace, the gateway's own span, which
// is current.
std::unique_ptr<grpc::ClientContext> UpstreamContext(const grpc::GenericCallbackServerContext& downstream) {
  std::unique_ptr<grpc::ClientContext> upstream = grpc::ClientContext::FromCallbackServerContext(downstream);
  const tracing::TraceContext* const span = tracing::Current();
  for (const auto& [key, value] : downstream.client_metadata()) {
    if (BelongsToConnection(key) || (span != nullptr && SaysTrace(key))) continue;
    upstream->AddMetadata(ToString(key), ToString(value));
  }
  if (span == nullptr) return upstream;
  upstream->AddMetadata(tracing::kTraceparent, tracing::FormatTraceparent(*span));
  if (!span->state.empty()) upstream->AddMetadata(tracing::kTracestate, span->state);
  return upstream;
}

void PassHeaders(const grpc::ClientContext& upstream, grpc::GenericCallbackServerContext& downstream) {
  for (const auto& [key, value] : upstream.GetServerInitialMetadata()) {
    if (!BelongsToConnection(key)) downstream.AddInitialMetadata(ToString(key), ToString(value));
  }
}

// All but the error details, which the status holds.
void PassTrailers(const grpc::ClientContext& upstream, grpc::GenericCallbackServerContext& downstream) {
  for (const auto& [key, value] : upstream.GetServerTrailingMetadata()) {
    if (!BelongsToConnection(key)) downstream.AddTrailingMetadata(ToString(key), ToString(value));
  }
}

absl::Status ShuttingDown() {
  return status::Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the gateway is shutting down; try again later");
}

class Rejection final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Rejection(const absl::Status& status) { Finish(status::ToGrpc(status)); }
  void OnDone() override { delete this; }
};

// A call of one message each way, from the client (downstream) to a backend (upstream): one batch of operations upstream, and one for the
// whole answer. Deletes itself when it is done.
class UnaryCall final : public grpc::ServerGenericBidiReactor {
 public:
  UnaryCall(grpc::GenericCallbackServerContext* context, const Backend& backend, std::shared_ptr<Proxy::CallSlots> slots)
      : context_(context), backend_(backend), slots_(std::move(slots)), upstream_context_(UpstreamContext(*context)) {
    if (context->deadline() == std::chrono::system_clock::time_point::max()) deadline::Set(*upstream_context_, kLongestCall);
    StartRead(&request_);
  }
  ~UnaryCall() override { slots_->GiveBack(backend_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the call ended without a request"));
    const bool begun = slots_->BeginUpstream([this] {
      grpc::GenericStub(backend_.channel)
          .UnaryCall(upstream_context_.get(), context_->method(), {}, &request_, &answer_,
                     [this](const grpc::Status& status) { OnAnswer(status); });
    });
    if (!begun) Finish(status::ToGrpc(ShuttingDown()));
  }
  void OnCancel() override { upstream_context_->TryCancel(); }
  void OnDone() override { delete this; }

 private:
  void OnAnswer(const grpc::Status& status) {
    PassHeaders(*upstream_context_, *context_);
    PassTrailers(*upstream_context_, *context_);
    if (status.ok()) {
      StartWriteAndFinish(&answer_, grpc::WriteOptions(), status);
    } else {
      Finish(Explain(status, backend_));
    }
  }

  grpc::GenericCallbackServerContext* const context_;
  const Backend& backend_;
  const std::shared_ptr<Proxy::CallSlots> slots_;
  const std::unique_ptr<grpc::ClientContext> upstream_context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
};

// A call of any number of messages. Deletes itself when both sides are done.
class StreamingCall {
 public:
  StreamingCall(grpc::GenericCallbackServerContext* context, const Backend& backend, std::shared_ptr<Proxy::CallSlots> slots)
      : downstream_context_(context),
        backend_(backend),
        slots_(std::move(slots)),
        upstream_context_(UpstreamContext(*context)),
        downstream_(*this),
        upstream_(*this) {}
  ~StreamingCall() { slots_->GiveBack(backend_); }

  grpc::ServerGenericBidiReactor* Start() {
    grpc::GenericStub stub(backend_.channel);
    stub.PrepareBidiStreamingCall(upstream_context_.get(), downstream_context_->method(), {}, &upstream_);
    // The two flows below begin reads and writes from downstream callbacks, so the upstream reactor must not be done before both say so.
    upstream_.AddMultipleHolds(2);
    upstream_.StartCall();
    upstream_.StartRead(&answer_);
    downstream_.StartRead(&request_);
    return &downstream_;
  }

 private:
  class Downstream final : public grpc::ServerGenericBidiReactor {
   public:
    explicit Downstream(StreamingCall& call) : call_(call) {}
    void OnReadDone(bool ok) override { call_.OnRequestRead(ok); }
    void OnSendInitialMetadataDone(bool ok) override { call_.OnMetadataSent(ok); }
    void OnWriteDone(bool ok) override { call_.OnAnswerWritten(ok); }
    void OnCancel() override { call_.upstream_context_->TryCancel(); }
    void OnDone() override { call_.Release(); }

   private:
    StreamingCall& call_;
  };

  class Upstream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Upstream(StreamingCall& call) : call_(call) {}
    void OnReadInitialMetadataDone(bool ok) override { call_.OnMetadataRead(ok); }
    void OnReadDone(bool ok) override { call_.OnAnswerRead(ok); }
    void OnWriteDone(bool ok) override { call_.OnRequestWritten(ok); }
    void OnDone(const grpc::Status& status) override { call_.OnUpstreamDone(status); }

   private:
    StreamingCall& call_;
  };

  // Requests: downstream read → upstream write → downstream read …

  void OnRequestRead(bool ok) {
    std::lock_guard lock(mutex_);
    if (requests_ended_) return;
    if (ok) {
      upstream_writing_ = true;
      upstream_.StartWrite(&request_);
    } else {
      EndRequests();
    }
  }

  void OnRequestWritten(bool ok) {
    {
      std::lock_guard lock(mutex_);
      upstream_writing_ = false;
      if (!ok || answers_ended_) {
        EndRequests();
        return;
      }
    }
    downstream_.StartRead(&request_);
  }

  // Closes the way upstream, once. Locked by the caller.
  void EndRequests() {
    if (requests_ended_) return;
    requests_ended_ = true;
    upstream_.StartWritesDone();
    upstream_.RemoveHold();
  }

  // Answers: upstream read → downstream write → upstream read … The first one waits for the headers, which go out with it, or, when the
  // headers come first, at once: a client may wait for them on a stream that is silent for long.

  void OnMetadataRead(bool ok) {
    std::lock_guard lock(mutex_);
    if (ok) PassHeaders(*upstream_context_, *downstream_context_);
    if (answer_waiting_) {
      headers_ = Headers::kSent;
      answer_waiting_ = false;
      downstream_.StartWrite(&answer_);
    } else if (ok && !answers_ended_) {
      headers_ = Headers::kSending;
      downstream_.StartSendInitialMetadata();
    } else {
      headers_ = Headers::kSent;
    }
  }

  void OnMetadataSent(bool) {
    std::lock_guard lock(mutex_);
    headers_ = Headers::kSent;
    if (!answer_waiting_) return;
    answer_waiting_ = false;
    downstream_.StartWrite(&answer_);
  }

  void OnAnswerRead(bool ok) {
    std::lock_guard lock(mutex_);
    if (!ok) {
      EndAnswers();
    } else if (headers_ == Headers::kSent) {
      downstream_.StartWrite(&answer_);
    } else {
      answer_waiting_ = true;
    }
  }

  void OnAnswerWritten(bool ok) {
    if (ok) {
      upstream_.StartRead(&answer_);
      return;
    }
    upstream_context_->TryCancel();
    std::lock_guard lock(mutex_);
    EndAnswers();
  }

  // The backend has nothing more to say, so it needs nothing more from the client either. Locked by the caller.
  void EndAnswers() {
    answers_ended_ = true;
    if (!upstream_writing_) EndRequests();
    upstream_.RemoveHold();
  }

  void OnUpstreamDone(const grpc::Status& status) {
    PassTrailers(*upstream_context_, *downstream_context_);
    downstream_.Finish(Explain(status, backend_));
    Release();
  }

  void Release() {
    if (sides_.fetch_sub(1) == 1) delete this;
  }

  enum class Headers { kAwaited, kSending, kSent };

  grpc::GenericCallbackServerContext* const downstream_context_;
  const Backend& backend_;
  const std::shared_ptr<Proxy::CallSlots> slots_;
  const std::unique_ptr<grpc::ClientContext> upstream_context_;
  Downstream downstream_;
  Upstream upstream_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
  std::atomic<int> sides_{2};

  std::mutex mutex_;
  bool requests_ended_ = false;
  bool answers_ended_ = false;
  bool upstream_writing_ = false;
  bool answer_waiting_ = false;
  Headers headers_ = Headers::kAwaited;
};

}  // namespace

Proxy::Proxy(const RouteTable& routes, ProxyLimits limits) : routes_(routes), slots_(std::make_shared<CallSlots>(limits)) {
  KeepCallbackQueue();
}
Proxy::~Proxy() = default;

grpc::ServerGenericBidiReactor* Proxy::CreateReactor(grpc::GenericCallbackServerContext* context) {
  const Backend* backend = routes_.Find(context->method());
  if (backend == nullptr) {
    return new Rejection(status::Error(absl::StatusCode::kUnimplemented, "UNKNOWN_SERVICE",
                                       absl::StrCat("no service here answers ", context->method()), {{"method", context->method()}}));
  }
  if (absl::Status taken = slots_->Take(*backend); !taken.ok()) return new Rejection(taken);
  if (routes_.IsUnary(context->method())) return new UnaryCall(context, *backend, slots_);
  grpc::ServerGenericBidiReactor* reactor = nullptr;
  if (slots_->BeginUpstream([&] { reactor = (new StreamingCall(context, *backend, slots_))->Start(); })) return reactor;
  slots_->GiveBack(*backend);
  return new Rejection(ShuttingDown());
}

void Proxy::Close() { slots_->Close(); }

}  // namespace peiling::gateway
