#include "services/gateway/proxy.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "grpc/grpc_security_constants.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "services/common/deadline/deadline.h"
#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"
#include "services/common/tracing/span.h"

namespace peiling::gateway {
namespace {

using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

std::string ToString(const grpc::string_ref& text) { return std::string(text.data(), text.size()); }

// What belongs to one connection and must not travel on; gRPC sets these itself on the next one.
bool BelongsToConnection(const grpc::string_ref& key) {
  return key.starts_with(":") || key.starts_with("grpc-") || key == "user-agent" || key == "content-type" || key == "te" || key == "host";
}

// A backend's own answers carry details or are no UNAVAILABLE; what is left was said by the connection to it, whose addresses are nobody's
// business outside.
grpc::Status Explain(const grpc::Status& status, const Backend& backend) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE || !status.error_details().empty()) return status;
  return status::ToGrpc(status::Error(absl::StatusCode::kUnavailable, "BACKEND_UNAVAILABLE",
                                      absl::StrCat(backend.title, " cannot be reached; try again later"), {{"service", backend.service}}));
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

constexpr size_t kLargeAnswer = 64 << 10;

bool SaysTrace(const grpc::string_ref& key) { return key == tracing::kTraceparent || key == tracing::kTracestate; }

// What the door has taken, and tells the backend itself: who calls, and from where. Nobody else may.
bool BelongsToDoor(const grpc::string_ref& key) {
  static constexpr std::array kKeys = {"authorization", "x-forwarded-for", "x-client-certificate", identity::kRequestIdKey};
  return key.starts_with("peiling-") || std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

// All values of a header: one that may stand there once is not valid when it stands there twice.
std::string Joined(const Metadata& metadata, const char* key) {
  std::string all;
  const auto [begin, end] = metadata.equal_range(key);
  for (auto entry = begin; entry != end; ++entry) absl::StrAppend(&all, all.empty() ? "" : ",", ToString(entry->second));
  return all;
}

std::string CertificateOf(const grpc::GenericCallbackServerContext& context) {
  const auto connection = context.auth_context();
  if (connection == nullptr || !connection->IsPeerAuthenticated()) return "";
  const std::vector<grpc::string_ref> certificates = connection->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return certificates.empty() ? "" : ToString(certificates.front());
}

Arrival ArrivalOf(const grpc::GenericCallbackServerContext& context) {
  const Metadata& metadata = context.client_metadata();
  return {.protocol = "grpc",
          .method = context.method(),
          .credentials = {.authorization = Joined(metadata, "authorization"), .certificate = CertificateOf(context)},
          .peer = context.peer(),
          .request_id = RequestIdFor(Joined(metadata, identity::kRequestIdKey)),
          .traceparent = Joined(metadata, tracing::kTraceparent),
          .forwarded_for = Joined(metadata, "x-forwarded-for"),
          .forwarded_certificate = Joined(metadata, "x-client-certificate")};
}

// What a backend is called with on behalf of a client: its deadline and metadata; as the caller in a trace, the gateway's own span, which
// is current.
std::unique_ptr<grpc::ClientContext> UpstreamContext(const grpc::GenericCallbackServerContext& downstream) {
  std::unique_ptr<grpc::ClientContext> upstream = grpc::ClientContext::FromCallbackServerContext(downstream);
  const tracing::TraceContext* const span = tracing::Current();
  for (const auto& [key, value] : downstream.client_metadata()) {
    if (BelongsToConnection(key) || BelongsToDoor(key) || (span != nullptr && SaysTrace(key))) continue;
    upstream->AddMetadata(ToString(key), ToString(value));
  }
  if (span == nullptr) return upstream;
  upstream->AddMetadata(tracing::kTraceparent, tracing::FormatTraceparent(*span));
  if (!span->state.empty()) upstream->AddMetadata(tracing::kTracestate, span->state);
  return upstream;
}

void PassHeaders(const grpc::ClientContext& upstream, grpc::GenericCallbackServerContext& downstream) {
  for (const auto& [key, value] : upstream.GetServerInitialMetadata()) {
    if (!BelongsToConnection(key) && !BelongsToDoor(key)) downstream.AddInitialMetadata(ToString(key), ToString(value));
  }
}

// All but the error details, which the status holds.
void PassTrailers(const grpc::ClientContext& upstream, grpc::GenericCallbackServerContext& downstream) {
  for (const auto& [key, value] : upstream.GetServerTrailingMetadata()) {
    if (!BelongsToConnection(key)) downstream.AddTrailingMetadata(ToString(key), ToString(value));
  }
}

grpc::Status ClientIdle() {
  return status::ToGrpc(status::Error(absl::StatusCode::kDeadlineExceeded, "CLIENT_IDLE", "the client kept the call waiting for too long"));
}

grpc::Status NoRequest() { return {grpc::StatusCode::CANCELLED, "the call ended without a request"}; }

// A call from its arrival until its client has the status: admitted, its first message read and looked at, then forwarded. Owns itself
// until it is done.
class Call : public grpc::ServerGenericBidiReactor, public Watchdog::Watched {
 public:
  Call(Watchdog& watchdog, grpc::GenericCallbackServerContext* context)
      : Watched(watchdog), context_(context), upstream_context_(UpstreamContext(*context)) {}

  void Begin(Door& door) {
    self_ = shared_from_this();
    Arrival arrival = ArrivalOf(*context_);
    context_->AddInitialMetadata(identity::kRequestIdKey, arrival.request_id);
    door.Admit(std::move(arrival), [this](absl::StatusOr<std::unique_ptr<Visit>> visit) { OnAdmitted(std::move(visit)); });
  }

  void OnReadDone(bool ok) final {
    Arrived();
    if (stage_ == Stage::kForwarded) return OnRequestRead(ok);
    // Given up meanwhile.
    if (!Leaves(Stage::kArriving, Stage::kForwarded)) return;
    if (!ok && (context_->IsCancelled() || !MayBeEmpty())) return Leave(NoRequest());
    if (const absl::Status checked = ok ? visit_->Check(request_) : absl::OkStatus(); !checked.ok()) {
      return Leave(status::ToGrpc(checked));
    }
    if (const absl::Status begun = visit_->Forward([this, ok] { StartUpstream(ok); }); !begun.ok()) Leave(status::ToGrpc(begun));
  }
  // Before the upstream call has begun, gRPC keeps it in mind.
  void OnCancel() final { upstream_context_->TryCancel(); }
  void OnDone() final {
    {
      const std::lock_guard lock(done_mutex_);
      done_ = true;
    }
    self_.reset();
  }

 protected:
  // Whether a call without any request is one.
  virtual bool MayBeEmpty() const { return false; }
  // Begins the call to the backend, with request_ if there is one.
  virtual void StartUpstream(bool request) = 0;
  // Of requests after the first one.
  virtual void OnRequestRead(bool) {}
  // The client keeps a forwarded call waiting, which goes on.
  virtual void OnForwardedOverdue() {}

  void ReadRequest() {
    Await();
    StartRead(&request_);
  }
  // Ends the visit, then the call, with `finish`. Once.
  template <typename Finisher>
  void Leave(const grpc::Status& status, Finisher finish) {
    left_ = true;
    visit_->End(status, [this, finish] {
      // Others may have its places once gRPC has the answer; but one that is large and not taken counts until it is.
      const std::unique_ptr<Visit> over = answer_.Length() > kLargeAnswer ? nullptr : std::move(visit_);
      Await();
      finish();
    });
  }
  void Leave(const grpc::Status& status) {
    Leave(status, [this, status] { Finish(status); });
  }

  grpc::GenericCallbackServerContext* const context_;
  const std::unique_ptr<grpc::ClientContext> upstream_context_;
  std::unique_ptr<Visit> visit_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;

 private:
  enum class Stage { kArriving, kForwarded, kGivenUp };

  void OnAdmitted(absl::StatusOr<std::unique_ptr<Visit>> visit) {
    if (!visit.ok()) {
      Await();
      return Finish(status::ToGrpc(visit.status()));
    }
    visit_ = *std::move(visit);
    visit_->AddTo(*upstream_context_);
    ReadRequest();
  }

  bool Leaves(Stage from, Stage to) { return stage_.compare_exchange_strong(from, to); }

  void OnOverdue() final {
    if (Leaves(Stage::kArriving, Stage::kGivenUp) && visit_ != nullptr) return Leave(ClientIdle());
    if (stage_ == Stage::kForwarded && !left_) return OnForwardedOverdue();
    // It does not even take how the call ended; unless it just has, and the context is gone.
    const std::lock_guard lock(done_mutex_);
    if (!done_) context_->TryCancel();
  }

  std::atomic<Stage> stage_{Stage::kArriving};
  std::atomic<bool> left_{false};
  std::mutex done_mutex_;
  bool done_ = false;
  std::shared_ptr<Watched> self_;
};

// A call of one message each way, from the client (downstream) to a backend (upstream): one batch of operations upstream, and one for the
// whole answer.
class UnaryCall final : public Call {
 public:
  UnaryCall(Watchdog& watchdog, grpc::GenericCallbackServerContext* context) : Call(watchdog, context) {
    if (context->deadline() == std::chrono::system_clock::time_point::max()) deadline::Set(*upstream_context_, kLongestCall);
  }

 private:
  void StartUpstream(bool) override {
    grpc::GenericStub(visit_->backend().channel)
        .UnaryCall(upstream_context_.get(), context_->method(), {}, &request_, &answer_,
                   [this](const grpc::Status& status) { OnAnswer(status); });
  }

  void OnAnswer(const grpc::Status& status) {
    PassHeaders(*upstream_context_, *context_);
    PassTrailers(*upstream_context_, *context_);
    if (!status.ok()) return Leave(Explain(status, visit_->backend()));
    visit_->Note(answer_);
    Leave(status, [this] { StartWriteAndFinish(&answer_, grpc::WriteOptions(), grpc::Status::OK); });
  }
};

// A call of any number of messages.
class StreamingCall final : public Call {
 public:
  StreamingCall(Watchdog& watchdog, grpc::GenericCallbackServerContext* context, bool more_requests)
      : Call(watchdog, context), more_requests_(more_requests), upstream_(*this) {}

  void OnSendInitialMetadataDone(bool) override { OnMetadataSent(); }
  void OnWriteDone(bool ok) override { OnAnswerWritten(ok); }

 private:
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

  bool MayBeEmpty() const override { return more_requests_; }
  void StartUpstream(bool request) override {
    grpc::GenericStub(visit_->backend().channel).PrepareBidiStreamingCall(upstream_context_.get(), context_->method(), {}, &upstream_);
    // The two flows below begin reads and writes from downstream callbacks, so the upstream reactor must not be done before both say so.
    upstream_.AddMultipleHolds(2);
    const std::lock_guard lock(mutex_);
    visit_->OnWithdrawn([this](const absl::Status& why) {
      const std::lock_guard lock(mutex_);
      Fail(status::ToGrpc(why));
    });
    upstream_.StartCall();
    upstream_.StartRead(&answer_);
    if (!request) return EndRequests();
    upstream_writing_ = true;
    upstream_.StartWrite(&request_);
  }

  // Requests: downstream read → upstream write → downstream read …

  void OnRequestRead(bool ok) override {
    const std::lock_guard lock(mutex_);
    if (requests_ended_) return;
    if (!ok) return EndRequests();
    if (const absl::Status checked = visit_->Check(request_); !checked.ok()) {
      Fail(status::ToGrpc(checked));
      return EndRequests();
    }
    upstream_writing_ = true;
    upstream_.StartWrite(&request_);
  }

  void OnRequestWritten(bool ok) {
    {
      const std::lock_guard lock(mutex_);
      upstream_writing_ = false;
      if (!ok || answers_ended_ || !more_requests_) return EndRequests();
    }
    ReadRequest();
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
    const std::lock_guard lock(mutex_);
    if (ok) PassHeaders(*upstream_context_, *context_);
    if (answer_waiting_) {
      headers_ = Headers::kSent;
      answer_waiting_ = false;
      WriteAnswer();
    } else if (ok && !answers_ended_) {
      headers_ = Headers::kSending;
      StartSendInitialMetadata();
    } else {
      headers_ = Headers::kSent;
    }
  }

  void OnMetadataSent() {
    const std::lock_guard lock(mutex_);
    headers_ = Headers::kSent;
    if (!answer_waiting_) return;
    answer_waiting_ = false;
    WriteAnswer();
  }

  void OnAnswerRead(bool ok) {
    const std::lock_guard lock(mutex_);
    if (!ok || !failure_.ok()) return EndAnswers();
    visit_->Note(answer_);
    if (headers_ == Headers::kSent) {
      WriteAnswer();
    } else {
      answer_waiting_ = true;
    }
  }

  // Locked by the caller.
  void WriteAnswer() {
    downstream_writing_ = true;
    Await();
    StartWrite(&answer_);
  }

  void OnAnswerWritten(bool ok) {
    Arrived();
    const std::lock_guard lock(mutex_);
    downstream_writing_ = false;
    if (ok) return upstream_.StartRead(&answer_);
    upstream_context_->TryCancel();
    EndAnswers();
  }

  // The backend has nothing more to say, so it needs nothing more from the client either. Locked by the caller.
  void EndAnswers() {
    answers_ended_ = true;
    if (!upstream_writing_) EndRequests();
    upstream_.RemoveHold();
  }

  void OnUpstreamDone(const grpc::Status& status) {
    PassTrailers(*upstream_context_, *context_);
    // Unlocked, since leaving may destroy this.
    const grpc::Status failure = [this] {
      const std::lock_guard lock(mutex_);
      return failure_;
    }();
    Leave(failure.ok() ? Explain(status, visit_->backend()) : failure);
  }

  // The first reason that the gateway ends it for. Locked by the caller.
  void Fail(const grpc::Status& failure) {
    if (failure_.ok()) failure_ = failure;
    upstream_context_->TryCancel();
  }

  void OnForwardedOverdue() override {
    const std::lock_guard lock(mutex_);
    Fail(ClientIdle());
    // It would not take the status either.
    if (downstream_writing_) context_->TryCancel();
  }

  enum class Headers { kAwaited, kSending, kSent };

  const bool more_requests_;
  Upstream upstream_;

  std::mutex mutex_;
  bool requests_ended_ = false;
  bool answers_ended_ = false;
  bool upstream_writing_ = false;
  bool downstream_writing_ = false;
  bool answer_waiting_ = false;
  Headers headers_ = Headers::kAwaited;
  grpc::Status failure_;
};

}  // namespace

Proxy::Proxy(Door& door, const RouteTable& routes, const ProxyOptions& options) : door_(door), watchdog_(options.client_patience) {
  KeepCallbackQueue();
  for (const Backend& backend : routes.backends()) {
    const auto* const service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(backend.service);
    for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
      const auto& method = *service->method(i);
      shapes_[absl::StrCat("/", service->full_name(), "/", method.name())] = method.client_streaming()   ? Shape::kClientStream
                                                                             : method.server_streaming() ? Shape::kServerStream
                                                                                                         : Shape::kUnary;
    }
  }
}
Proxy::~Proxy() = default;

grpc::ServerGenericBidiReactor* Proxy::CreateReactor(grpc::GenericCallbackServerContext* context) {
  const auto shape = shapes_.find(context->method());
  std::shared_ptr<Call> call;
  if (shape == shapes_.end() || shape->second == Shape::kUnary) {
    call = std::make_shared<UnaryCall>(watchdog_, context);
  } else {
    call = std::make_shared<StreamingCall>(watchdog_, context, shape->second == Shape::kClientStream);
  }
  call->Begin(door_);
  return call.get();
}

}  // namespace peiling::gateway
