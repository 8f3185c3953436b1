#include "services/gateway/grpc/proxy.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "peiling/access/v1/options.pb.h"
#include "services/common/deadline/deadline.h"
#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"
#include "services/common/tracing/span.h"
#include "services/gateway/upstream.h"

namespace peiling::gateway {
namespace {

using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;
using Message = std::optional<grpc::ByteBuffer>;

constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kHealthWatch[] = "/grpc.health.v1.Health/Watch";
constexpr size_t kLargeAnswer = 64 << 10;

// What belongs to one connection and must not travel on; gRPC sets these itself on the next one.
bool BelongsToConnection(std::string_view key) {
  return key.starts_with(":") || key.starts_with("grpc-") || key == "user-agent" || key == "content-type" || key == "te" || key == "host" ||
         key == "content-length";
}

// What the door has taken, and tells the backend itself: who calls, and from where. Nobody else may.
bool BelongsToDoor(std::string_view key) {
  static constexpr std::array<std::string_view, 4> kKeys = {"authorization", "x-forwarded-for", "x-client-certificate",
                                                            identity::kRequestIdKey};
  return key.starts_with("peiling-") || std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

bool SaysTrace(std::string_view key) { return key == tracing::kTraceparent || key == tracing::kTracestate; }

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

// All values of a header: one that may stand there once is not valid when it stands there twice.
std::string Joined(const Headers& metadata, std::string_view key) {
  std::string all;
  for (const auto& [name, value] : metadata) {
    if (name == key) absl::StrAppend(&all, all.empty() ? "" : ",", value);
  }
  return all;
}

Arrival ArrivalOf(const RpcHead& head) {
  return {.protocol = "grpc",
          .method = head.method,
          .credentials = {.authorization = Joined(head.metadata, "authorization"), .certificate = head.certificate},
          .peer = head.peer,
          .request_id = RequestIdFor(Joined(head.metadata, identity::kRequestIdKey)),
          .traceparent = Joined(head.metadata, tracing::kTraceparent),
          .forwarded_for = Joined(head.metadata, "x-forwarded-for"),
          .forwarded_certificate = Joined(head.metadata, "x-client-certificate")};
}

// Metadata of a backend's answer, as its client gets it; of trailers all but the error details, which the status holds.
void AppendTo(Headers& headers, const Metadata& metadata) {
  for (const auto& [key, value] : metadata) {
    const std::string_view name(key.data(), key.size());
    if (!BelongsToConnection(name) && !BelongsToDoor(name)) headers.emplace_back(name, std::string(value.data(), value.size()));
  }
}

absl::Status ClientIdle() {
  return status::Error(absl::StatusCode::kDeadlineExceeded, "CLIENT_IDLE", "the client kept the call waiting for too long");
}

absl::Status TooManyOpen() {
  return status::RetryAfter(
      status::Error(absl::StatusCode::kResourceExhausted, "GATEWAY_BUSY", "too many ask for the health of the gateway"),
      std::chrono::seconds(1));
}

absl::Status NoRequest() { return absl::CancelledError("the call ended without a request"); }

// Of calls that anybody may make.
class OpenVisit final : public Visit {
 public:
  OpenVisit(const Backend& backend, std::unique_ptr<server::Places::Place> place) : backend_(backend), place_(std::move(place)) {}

  const access::v1::Identity& caller() const override { return access::v1::Identity::default_instance(); }
  const Backend& backend() const override { return backend_; }
  const std::string& request_id() const override { return request_id_; }
  absl::Status Check(const grpc::ByteBuffer&) override { return absl::OkStatus(); }
  bool stale() const override { return false; }
  void Renew(std::function<void(absl::Status)> done) override { done(absl::OkStatus()); }
  void Note(const grpc::ByteBuffer&) override {}
  void AddTo(grpc::ClientContext&) const override {}
  absl::Status Forward(const std::function<void()>& begin) override {
    begin();
    return absl::OkStatus();
  }
  void OnWithdrawn(std::function<void(const absl::Status&)>) override {}
  void End(const grpc::Status&, std::function<void()> done) override { done(); }

 private:
  const Backend& backend_;
  const std::unique_ptr<server::Places::Place> place_;
  const std::string request_id_;
};

// A call from its arrival until its client has the status: admitted, its first message read and looked at, then forwarded. On its stream's
// thread, which has it until it is over, unless it says otherwise.
class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(std::shared_ptr<RpcStream> stream, std::unique_ptr<server::ObservedCall> observed)
      : stream_(std::move(stream)), observed_(std::move(observed)) {}
  virtual ~Call() = default;

  void Begin(Door& door) {
    Arrival arrival = ArrivalOf(stream_->head());
    headers_.emplace_back(identity::kRequestIdKey, arrival.request_id);
    Listen();
    door.Admit(std::move(arrival), [self = shared_from_this()](absl::StatusOr<std::unique_ptr<Visit>> visit) {
      self->admitted_ = std::move(visit);
      self->stream_->Dispatch([self] { self->OnAdmitted(); });
    });
  }
  void BeginOpen(const Backend& backend, server::Places& places) {
    open_ = true;
    Listen();
    auto place = std::make_unique<server::Places::Place>(places);
    if (place->granted()) {
      admitted_ = std::make_unique<OpenVisit>(backend, std::move(place));
    } else {
      admitted_ = TooManyOpen();
    }
    OnAdmitted();
  }

 protected:
  // Whether a call without any request is one.
  virtual bool MayBeEmpty() const { return false; }
  // Begins the call to the backend, with request_ if there is one.
  virtual void StartUpstream(bool request) = 0;
  // The client of a call that was forwarded is gone.
  virtual void OnForwardedGone() { context_.TryCancel(); }
  // It lets itself be waited for.
  virtual void OnForwardedOverdue(bool) {}

  // Of a call with a deadline.
  std::chrono::nanoseconds TimeLeft() const {
    const RpcHead& head = stream_->head();
    return *head.timeout - (std::chrono::steady_clock::now() - head.arrived);
  }
  absl::Status WhyOverdue() const {
    if (stream_->head().timeout && TimeLeft() <= std::chrono::nanoseconds(0)) return absl::DeadlineExceededError("Deadline Exceeded");
    return ClientIdle();
  }
  // Ends the visit, then the call. Once. On any thread, when the visit is on no other.
  void Leave(const grpc::Status& status) {
    left_ = true;
    visit_->End(status, [self = shared_from_this(), status] { self->stream_->Dispatch([self, status] { self->Tell(status); }); });
  }
  void Leave(const absl::Status& status) { Leave(status::ToGrpc(status)); }

  const std::shared_ptr<RpcStream> stream_;
  grpc::ClientContext context_;
  std::unique_ptr<Visit> visit_;
  grpc::ByteBuffer request_;
  // Of a unary call, what is written with the end.
  grpc::ByteBuffer answer_;
  bool has_answer_ = false;
  Headers headers_;
  Headers trailers_;
  bool gone_ = false;
  bool left_ = false;

 private:
  void Listen() {
    stream_->OnGone([self = shared_from_this()] { self->OnGone(); });
    stream_->OnOverdue([self = shared_from_this()](bool writing) { self->OnOverdue(writing); });
  }

  void OnAdmitted() {
    if (!admitted_.ok()) return Tell(status::ToGrpc(admitted_.status()));
    visit_ = *std::move(admitted_);
    if (gone_) return Leave(NoRequest());
    stream_->Read([self = shared_from_this()](absl::StatusOr<Message> message) { self->OnFirst(std::move(message)); });
  }

  void OnFirst(absl::StatusOr<Message> message) {
    if (left_) return;
    if (!message.ok()) return Leave(message.status());
    const bool request = message->has_value();
    if (!request && !MayBeEmpty()) return Leave(NoRequest());
    if (request) request_ = **std::move(message);
    if (const absl::Status checked = request ? visit_->Check(request_) : absl::OkStatus(); !checked.ok()) return Leave(checked);
    if (!visit_->stale()) return Forward(request);
    renewing_ = true;
    visit_->Renew([self = shared_from_this(), request](const absl::Status& renewed) {
      self->stream_->Dispatch([self, request, renewed] { self->OnRenewed(renewed, request); });
    });
  }

  void OnRenewed(const absl::Status& renewed, bool request) {
    renewing_ = false;
    if (!renewed.ok()) return Leave(renewed);
    if (gone_) return Leave(NoRequest());
    Forward(request);
  }

  void Forward(bool request) {
    PrepareContext();
    const absl::Status begun = visit_->Forward([this, request] {
      forwarded_ = true;
      StartUpstream(request);
    });
    if (!begun.ok()) Leave(begun);
  }

  // What the backend is called with on behalf of the client: its metadata and deadline; as the caller in a trace, the gateway's own span.
  void PrepareContext() {
    const tracing::TraceContext* const span = observed_ == nullptr ? nullptr : observed_->span().context();
    static const Headers kNothing;
    for (const auto& [key, value] : open_ ? kNothing : stream_->head().metadata) {
      if (BelongsToConnection(key) || BelongsToDoor(key) || (span != nullptr && SaysTrace(key))) continue;
      context_.AddMetadata(key, value);
    }
    if (span != nullptr) AddTrace(*span, context_);
    if (stream_->head().timeout) deadline::Set(context_, std::max(TimeLeft(), std::chrono::nanoseconds(0)));
    visit_->AddTo(context_);
  }

  void Tell(const grpc::Status& status) {
    if (observed_ != nullptr) observed_->End(status, stream_->head().peer, headers_.empty() ? "" : headers_.front().second);
    observed_.reset();
    stream_->SendHeaders(headers_);
    // Others may have its places once the client gets the answer; but one that is large and not taken counts until it is.
    if (answer_.Length() <= kLargeAnswer) visit_.reset();
    if (has_answer_) stream_->Write(answer_, nullptr);
    stream_->Finish(status, trailers_, [self = shared_from_this()] { self->visit_.reset(); });
  }

  void OnGone() {
    gone_ = true;
    if (forwarded_) return OnForwardedGone();
    if (MayLeave()) Leave(NoRequest());
  }

  void OnOverdue(bool writing) {
    if (forwarded_) return OnForwardedOverdue(writing);
    if (MayLeave()) Leave(WhyOverdue());
  }

  // Before it is forwarded. What is looked at again is soon over.
  bool MayLeave() const { return visit_ != nullptr && !left_ && !renewing_; }

  std::unique_ptr<server::ObservedCall> observed_;
  absl::StatusOr<std::unique_ptr<Visit>> admitted_;
  bool renewing_ = false;
  bool forwarded_ = false;
  bool open_ = false;
};

// A call of one message each way: one batch of operations upstream, and one for the whole answer.
class UnaryCall final : public Call {
 public:
  using Call::Call;

 private:
  void StartUpstream(bool) override {
    if (!stream_->head().timeout) deadline::Set(context_, kLongestCall);
    grpc::GenericStub(visit_->backend().channel)
        .UnaryCall(&context_, stream_->head().method, {}, &request_, &answer_,
                   [self = shared_from_this(), this](const grpc::Status& status) { OnAnswer(status); });
  }

  // On gRPC's thread: from here on nothing is done on the stream's until the visit has ended.
  void OnAnswer(const grpc::Status& status) {
    AppendTo(headers_, context_.GetServerInitialMetadata());
    AppendTo(trailers_, context_.GetServerTrailingMetadata());
    if (!status.ok()) return Leave(Explain(status, visit_->backend()));
    has_answer_ = true;
    visit_->Note(answer_);
    Leave(status);
  }
};

// A call of any number of messages.
class StreamingCall final : public Call {
 public:
  StreamingCall(std::shared_ptr<RpcStream> stream, std::unique_ptr<server::ObservedCall> observed, bool more_requests)
      : Call(std::move(stream), std::move(observed)), more_requests_(more_requests), upstream_(*this) {}

 private:
  class Upstream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Upstream(StreamingCall& call) : call_(call) {}
    void OnReadInitialMetadataDone(bool ok) override {
      call_.Later([this, ok] { call_.OnMetadataRead(ok); });
    }
    void OnReadDone(bool ok) override {
      call_.Later([this, ok] { call_.OnAnswerRead(ok); });
    }
    void OnWriteDone(bool ok) override {
      call_.Later([this, ok] { call_.OnRequestWritten(ok); });
    }
    void OnDone(const grpc::Status& status) override {
      call_.Later([this, status] { call_.OnUpstreamDone(status); });
    }

   private:
    StreamingCall& call_;
  };

  template <typename Work>
  void Later(Work work) {
    stream_->Dispatch([self = shared_from_this(), work = std::move(work)] { work(); });
  }

  bool MayBeEmpty() const override { return more_requests_; }
  void StartUpstream(bool request) override {
    grpc::GenericStub(visit_->backend().channel).PrepareBidiStreamingCall(&context_, stream_->head().method, {}, &upstream_);
    // The two flows below begin reads and writes from the stream's thread, so the upstream reactor must not be done before both say so.
    upstream_.AddMultipleHolds(2);
    under_way_ = shared_from_this();
    visit_->OnWithdrawn([weak = weak_from_this(), this](const absl::Status& why) {
      if (const auto self = weak.lock()) Later([this, why] { Fail(why); });
    });
    upstream_.StartCall();
    upstream_.StartRead(&answer_);
    if (!request) return EndRequests();
    request_on_its_way_ = true;
    upstream_.StartWrite(&request_);
  }

  // Requests: the client has sent one → the backend has taken it → the next one.

  void OnRequestRead(absl::StatusOr<Message> message) {
    if (requests_ended_) return;
    if (!message.ok()) return FailRequests(message.status());
    if (!message->has_value()) return EndRequests();
    request_ = **std::move(message);
    if (const absl::Status checked = visit_->Check(request_); !checked.ok()) return FailRequests(checked);
    request_on_its_way_ = true;
    upstream_.StartWrite(&request_);
  }

  void OnRequestWritten(bool ok) {
    request_on_its_way_ = false;
    if (!ok || answers_ended_ || !more_requests_) return EndRequests();
    stream_->Read([self = shared_from_this(), this](absl::StatusOr<Message> message) { OnRequestRead(std::move(message)); });
  }

  void FailRequests(const absl::Status& failure) {
    Fail(failure);
    EndRequests();
  }

  // Closes the way upstream, once.
  void EndRequests() {
    if (std::exchange(requests_ended_, true)) return;
    upstream_.StartWritesDone();
    upstream_.RemoveHold();
  }

  // Answers: the backend has given one → the client has room for it → the next one. Headers go out at once: a client may wait for them on a
  // stream that is silent for long.

  void OnMetadataRead(bool ok) {
    headers_read_ = true;
    if (ok && !left_) {
      AppendTo(headers_, context_.GetServerInitialMetadata());
      stream_->SendHeaders(headers_);
    }
    if (std::exchange(answer_waiting_, false)) WriteAnswer();
  }

  void OnAnswerRead(bool ok) {
    if (!ok || !failure_.ok() || gone_) return EndAnswers();
    visit_->Note(answer_);
    // They come on several threads of gRPC's.
    if (headers_read_) return WriteAnswer();
    answer_waiting_ = true;
  }

  void WriteAnswer() {
    if (gone_) return EndAnswers();
    answer_on_its_way_ = true;
    stream_->Write(answer_, [self = shared_from_this(), this] {
      answer_on_its_way_ = false;
      upstream_.StartRead(&answer_);
    });
  }

  // The backend has nothing more to say, so it needs nothing more from the client either.
  void EndAnswers() {
    if (std::exchange(answers_ended_, true)) return;
    if (!request_on_its_way_) EndRequests();
    upstream_.RemoveHold();
  }

  void OnUpstreamDone(const grpc::Status& status) {
    AppendTo(trailers_, context_.GetServerTrailingMetadata());
    const auto self = std::exchange(under_way_, nullptr);
    answer_.Clear();
    Leave(failure_.ok() ? Explain(status, visit_->backend()) : status::ToGrpc(failure_));
  }

  // The first reason that the gateway ends it for.
  void Fail(const absl::Status& failure) {
    if (failure_.ok()) failure_ = failure;
    context_.TryCancel();
  }

  // Flows end where they wait for the client; others end by the cancellation.
  void OnForwardedGone() override {
    context_.TryCancel();
    if (!request_on_its_way_) EndRequests();
    if (std::exchange(answer_on_its_way_, false)) EndAnswers();
  }

  void OnForwardedOverdue(bool writing) override {
    if (left_) return;
    Fail(WhyOverdue());
    // It would not take the status either.
    if (writing) stream_->Reset();
  }

  const bool more_requests_;
  Upstream upstream_;
  // This, while gRPC has it.
  std::shared_ptr<Call> under_way_;
  bool requests_ended_ = false;
  bool answers_ended_ = false;
  bool request_on_its_way_ = false;
  bool headers_read_ = false;
  bool answer_waiting_ = false;
  bool answer_on_its_way_ = false;
  absl::Status failure_;
};

}  // namespace

Proxy::Proxy(Door& door, const RouteTable& routes, const std::string& server, std::shared_ptr<grpc::Channel> health)
    : door_(door), observer_(server), health_{"health", "grpc.health.v1.Health", std::move(health)} {
  KeepCallbackQueue();
  methods_[kHealthCheck] = {.open = true};
  methods_[kHealthWatch] = {.shape = Shape::kServerStream, .open = true};
  for (const Backend& backend : routes.backends()) {
    const auto* const service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(backend.service);
    for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
      const auto& method = *service->method(i);
      methods_[absl::StrCat("/", service->full_name(), "/", method.name())] = {
          .shape = method.client_streaming()   ? Shape::kClientStream
                   : method.server_streaming() ? Shape::kServerStream
                                               : Shape::kUnary,
          .open = method.options().GetExtension(access::v1::access).anonymous()};
    }
  }
}
Proxy::~Proxy() = default;

Proxy::Method Proxy::Find(const std::string& name) const {
  const auto found = methods_.find(name);
  return found == methods_.end() ? Method() : found->second;
}

void Proxy::Handle(std::shared_ptr<RpcStream> stream) {
  const RpcHead& head = stream->head();
  const auto [shape, open] = Find(head.method);
  if (open) stream->MakeOpen();
  const bool is_open = health_.channel != nullptr && (head.method == kHealthCheck || head.method == kHealthWatch);
  auto observed = observer_.Begin(head.method, Joined(head.metadata, tracing::kTraceparent), Joined(head.metadata, tracing::kTracestate));
  std::shared_ptr<Call> call;
  if (shape == Shape::kUnary) {
    call = std::make_shared<UnaryCall>(std::move(stream), std::move(observed));
  } else {
    call = std::make_shared<StreamingCall>(std::move(stream), std::move(observed), shape == Shape::kClientStream);
  }
  if (is_open) {
    call->BeginOpen(health_, health_places_);
  } else {
    call->Begin(door_);
  }
}

}  // namespace peiling::gateway
