#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/generic/generic_stub.h"
#include "services/common/deadline/deadline.h"
#include "services/common/status/errors.h"
#include "services/gateway/http/gzip.h"
#include "services/gateway/http/http_call.h"
#include "services/gateway/http/negotiation.h"
#include "services/gateway/http/problem.h"
#include "services/gateway/http/unsubscribe_page.h"
#include "services/gateway/upstream.h"

namespace peiling::gateway {
namespace {

// Shorter answers are not compressed: little is saved.
constexpr size_t kLeastCompressed = 1024;

class UnaryCall : public std::enable_shared_from_this<UnaryCall> {
 public:
  explicit UnaryCall(HttpCall call) : call_(std::move(call)) {}

  void Start() {
    call_.exchange->OnGone([self = shared_from_this()] { self->OnGone(); });
    call_.door->Admit(ArrivalOf(call_), [self = shared_from_this()](absl::StatusOr<std::unique_ptr<Visit>> visit) {
      self->admitted_ = std::move(visit);
      self->call_.exchange->Dispatch([self] { self->OnAdmitted(); });
    });
  }

 private:
  void OnAdmitted() {
    if (!admitted_.ok()) return Answer(Problem(admitted_.status()));
    visit_ = *std::move(admitted_);
    if (gone_) return End(absl::CancelledError("the client is gone"));
    if (!call_.exchange->request().has_body) return OnBody("");
    call_.exchange->ReadWholeBody([self = shared_from_this()](const std::string* body) {
      if (body != nullptr) return self->OnBody(*body);
      self->answered_ = true;
      self->End(absl::CancelledError("the request broke off"));
    });
  }

  void OnBody(const std::string& body) {
    const auto message = ReadRequest(call_.head(), body);
    if (!message.ok()) return End(message.status());
    request_ = Pack(**message);
    if (absl::Status checked = visit_->Check(request_); !checked.ok()) return End(checked);
    if (!visit_->stale()) return Forward();
    visit_->Renew([self = shared_from_this()](const absl::Status& renewed) {
      self->call_.exchange->Dispatch([self, renewed] { self->OnRenewed(renewed); });
    });
  }

  void OnRenewed(const absl::Status& renewed) {
    if (!renewed.ok()) return End(renewed);
    if (gone_) return End(absl::CancelledError("the client is gone"));
    Forward();
  }

  void Forward() {
    Prepare(call_, *visit_, context_);
    deadline::Set(context_, kLongestCall);
    const absl::Status forwarded = visit_->Forward([this] {
      grpc::GenericStub(visit_->backend().channel)
          .UnaryCall(&context_, MethodPath(call_.route()), {}, &request_, &response_, [self = shared_from_this()](grpc::Status status) {
            self->call_.exchange->Dispatch([self, status = std::move(status)] { self->OnResponse(status); });
          });
      forwarded_ = true;
    });
    if (!forwarded.ok()) End(forwarded);
  }

  void OnResponse(const grpc::Status& status) {
    if (!status.ok()) return End(ErrorOf(status, visit_->backend()));
    visit_->Note(response_);
    absl::StatusOr<Shown> shown = ReadResponse(call_.route(), response_);
    if (!shown.ok()) return End(shown.status());
    shown_ = *std::move(shown);
    End(absl::OkStatus());
  }

  // The answer waits for what is kept of the call.
  void End(const absl::Status& result) {
    if (!result.ok() && HttpStatusOf(result) >= 500) call_.span.Fail();
    call_.span.End();
    const grpc::Status told = status::ToGrpc(result);
    visit_->End(told, [self = shared_from_this(), told] { self->call_.exchange->Dispatch([self, told] { self->OnEnded(told); }); });
  }

  void OnEnded(const grpc::Status& told) {
    visit_.reset();
    if (answered_) return;
    Answer(told.ok() ? Success() : Problem(status::FromGrpc(told)));
  }

  void Answer(HttpResponse response) {
    if (!std::exchange(answered_, true)) call_.exchange->Answer(std::move(response));
  }

  bool is_for_people() const { return call_.type == kHtmlType; }

  HttpResponse Problem(const absl::Status& error) const {
    return is_for_people() ? NotUnsubscribedPage(HttpStatusOf(error)) : ProblemOf(error, &call_.route(), call_.request_id);
  }

  HttpResponse Success() {
    if (is_for_people()) return UnsubscribedPage();
    HttpResponse response;
    const HttpRequest& request = call_.exchange->request();
    // Of what may change only by what is asked here, nothing is remembered by anybody.
    const bool is_read = call_.route().verb == "GET";
    if (is_read && !shown_.etag.empty()) {
      response.headers.emplace_back("ETag", shown_.etag);
      if (HasTag(request.Header("if-none-match"), shown_.etag)) {
        response.status = 304;
        return response;
      }
    }
    response.headers.emplace_back("Content-Type", kJsonType);
    response.body = std::move(shown_.json);
    // Not what is answered to a POST: there may be a secret in it, beside what its sender chose, and its length would tell of it.
    if (!is_read || response.body.size() < kLeastCompressed) return response;
    response.headers.emplace_back("Vary", "Accept-Encoding");
    if (!call_.gzip) return response;
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = Gzip(response.body);
    return response;
  }

  void OnGone() {
    gone_ = answered_ = true;
    if (forwarded_) context_.TryCancel();
  }

  HttpCall call_;
  absl::StatusOr<std::unique_ptr<Visit>> admitted_;
  std::unique_ptr<Visit> visit_;
  grpc::ClientContext context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
  Shown shown_;
  bool gone_ = false;
  bool forwarded_ = false;
  bool answered_ = false;
};

}  // namespace

void StartUnaryCall(HttpCall call) { std::make_shared<UnaryCall>(std::move(call))->Start(); }

}  // namespace peiling::gateway
