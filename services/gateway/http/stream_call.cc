#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/generic/generic_stub.h"
#include "services/common/status/errors.h"
#include "services/gateway/http/http_call.h"
#include "services/gateway/http/negotiation.h"
#include "services/gateway/http/problem.h"

namespace peiling::gateway {
namespace {

using google::protobuf::Message;
using std::chrono::steady_clock;

// Of answers that the client has not taken; then no more are taken from the service. Clients that send all they have before they read
// anything must not stand still in between.
constexpr size_t kMaxUntaken = 64 << 10;
constexpr size_t kMaxUntakenWhileSending = 4 << 20;
// Of one line of a body; a message of gRPC is no larger.
constexpr size_t kMaxLine = 6 << 20;
// Proxies in between end what is silent for a minute (nginx, proxy_read_timeout).
constexpr auto kKeepAlive = std::chrono::seconds(15);

class StreamCall final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                         public std::enable_shared_from_this<StreamCall> {
 public:
  explicit StreamCall(HttpCall call) : call_(std::move(call)) {}

  void Start() {
    call_.exchange->OnGone([self = shared_from_this()] { self->OnGone(); });
    call_.door->Admit(ArrivalOf(call_), [self = shared_from_this()](absl::StatusOr<std::unique_ptr<Visit>> visit) {
      self->admitted_ = std::move(visit);
      self->call_.exchange->Dispatch([self] { self->OnAdmitted(); });
    });
  }

  // From gRPC's threads.
  void OnReadDone(bool ok) override {
    Later([this, ok] { OnAnswer(ok); });
  }
  void OnWriteDone(bool ok) override {
    Later([this, ok] { OnRequestTaken(ok); });
  }
  void OnDone(const grpc::Status& status) override {
    Later([this, status] { OnCallDone(status); });
  }

 private:
  template <typename Work>
  void Later(Work work) {
    call_.exchange->Dispatch([self = shared_from_this(), work = std::move(work)] { work(); });
  }

  bool has_many_requests() const { return call_.route().method->client_streaming(); }
  bool is_event_stream() const { return call_.type == kEventsType; }

  void OnAdmitted() {
    if (!admitted_.ok()) return Answer(ProblemOf(admitted_.status(), &call_.route(), call_.request_id));
    visit_ = *std::move(admitted_);
    if (gone_) return End(absl::CancelledError("the client is gone"));
    body_over_ = !call_.exchange->request().has_body;
    if (has_many_requests()) return NextRequest();
    if (body_over_) return Send(ReadRequest(call_.head(), ""));
    call_.exchange->ReadWholeBody([self = shared_from_this()](const std::string* body) {
      self->body_over_ = true;
      if (body == nullptr) return self->OnBodyLost();
      self->Send(ReadRequest(self->call_.head(), *body));
    });
  }

  // Requests: a line of the body → the service has taken it → the next line.

  void NextRequest() {
    if (failed_ || requests_ended_) return;
    while (const std::optional<std::string> line = NextLine()) {
      if (line->find_first_not_of(" \t\r") != std::string::npos) return SendLine(*line);
    }
    if (lines_.size() - line_begin_ > kMaxLine) return Fail(LineTooLong());
    if (!body_over_) return ReadBody();
    // A stream of nothing still has what the path says.
    if (!begun_) return Send(ReadRequest(call_.head(), ""));
    EndRequests();
  }

  // The next line of what has come of the body; the last one may have no end.
  std::optional<std::string> NextLine() {
    const size_t end = lines_.find('\n', std::max(line_begin_, searched_));
    searched_ = lines_.size();
    if (end == std::string::npos && (!body_over_ || line_begin_ == lines_.size())) return std::nullopt;
    const size_t line_end = std::min(end, lines_.size());
    std::string line = lines_.substr(line_begin_, line_end - line_begin_);
    line_begin_ = searched_ = std::min(line_end + 1, lines_.size());
    ++line_number_;
    return line;
  }

  void ReadBody() {
    lines_.erase(0, std::exchange(line_begin_, 0));
    searched_ = lines_.size();
    call_.exchange->ReadBody([self = shared_from_this()](Exchange::Piece piece) {
      if (!piece.ok) return self->OnBodyLost();
      self->body_over_ = piece.last;
      self->lines_.append(piece.bytes);
      self->NextRequest();
    });
  }

  void SendLine(const std::string& line) {
    absl::StatusOr<std::unique_ptr<Message>> message = begun_ ? ReadFurtherRequest(call_.route(), line) : ReadRequest(call_.head(), line);
    if (!message.ok()) return Fail(InLine(message.status()));
    Send(std::move(message));
  }

  void Send(absl::StatusOr<std::unique_ptr<Message>> message) {
    if (!message.ok()) return Fail(message.status());
    request_ = Pack(**message);
    if (absl::Status checked = visit_->Check(request_); !checked.ok()) return Fail(checked);
    if (begun_) return Write();
    if (!visit_->stale()) return Begin();
    visit_->Renew([self = shared_from_this()](const absl::Status& renewed) {
      self->Later([self = self.get(), renewed] { self->OnRenewed(renewed); });
    });
  }

  void OnRenewed(const absl::Status& renewed) {
    if (!renewed.ok()) return Fail(renewed);
    if (gone_) return Fail(absl::CancelledError("the client is gone"));
    Begin();
  }

  void Write() {
    request_on_its_way_ = true;
    StartWrite(&request_);
  }

  void OnRequestTaken(bool ok) {
    request_on_its_way_ = false;
    if (!ok || failed_ || answered_ || answers_over_ || !has_many_requests()) return EndRequests();
    NextRequest();
  }

  void EndRequests() {
    if (!begun_ || std::exchange(requests_ended_, true)) return;
    StartWritesDone();
    RemoveHold();
  }

  absl::Status LineTooLong() const {
    return status::Error(absl::StatusCode::kInvalidArgument, "LINE_TOO_LONG",
                         absl::StrCat("line ", line_number_ + 1, " of the body is too long, want at most ", kMaxLine, " bytes"));
  }

  // The error with the line that it is in.
  absl::Status InLine(const absl::Status& error) const {
    status::BadRequest bad;
    for (const auto& [field, description] : status::FieldViolations(error)) {
      bad.Add(field, absl::StrCat("line ", line_number_, ": ", description));
    }
    if (!bad.empty()) return bad.ToStatus(status::Reason(error));
    return status::Error(error.code(), status::Reason(error), absl::StrCat("line ", line_number_, ": ", error.message()),
                         status::Metadata(error));
  }

  // The call.

  void Begin() {
    Prepare(call_, *visit_, context_);
    const absl::Status begun = visit_->Forward([this] {
      grpc::GenericStub(visit_->backend().channel).PrepareBidiStreamingCall(&context_, MethodPath(call_.route()), {}, this);
      // Requests and answers go on from the exchange's thread, so the call must not be over before both flows say so.
      AddMultipleHolds(2);
      under_way_ = shared_from_this();
      begun_ = true;
      StartCall();
      StartRead(&answer_);
      visit_->OnWithdrawn([weak = weak_from_this()](const absl::Status& why) {
        const auto self = weak.lock();
        if (self != nullptr) self->Later([self = self.get(), why] { self->Fail(why); });
      });
      call_.exchange->Every(1, [self = shared_from_this()] { self->OnTick(); });
    });
    if (!begun.ok()) return Fail(begun);
    Write();
  }

  // Answers: the service → what the client has not taken yet → the client.

  void OnAnswer(bool ok) {
    if (!ok || failed_ || answered_) return EndAnswers();
    visit_->Note(answer_);
    const absl::StatusOr<Shown> shown = ReadResponse(call_.route(), answer_);
    if (!shown.ok()) {
      Fail(shown.status());
      return EndAnswers();
    }
    if (is_event_stream()) {
      if (!shown->sequence.empty() && TakesAfterSequence(call_.route())) absl::StrAppend(&untaken_, "id: ", shown->sequence, "\n");
      absl::StrAppend(&untaken_, "data: ", shown->json, "\n\n");
    } else {
      absl::StrAppend(&untaken_, shown->json, "\n");
    }
    Flush();
    NextAnswer();
  }

  void NextAnswer() {
    if (answered_) return EndAnswers();
    reading_paused_ = untaken_.size() >= (body_over_ ? kMaxUntaken : kMaxUntakenWhileSending);
    if (!reading_paused_) StartRead(&answer_);
  }

  void EndAnswers() {
    if (std::exchange(answers_over_, true)) return;
    if (!request_on_its_way_) EndRequests();
    RemoveHold();
  }

  void Flush() {
    if (writing_ || untaken_.empty() || answered_) return;
    BeginAnswer();
    // HEAD is answered with that.
    if (answered_) return;
    writing_ = true;
    last_write_ = steady_clock::now();
    call_.exchange->Write(std::exchange(untaken_, {}), [self = shared_from_this()](bool ok) { self->OnTaken(ok); });
  }

  void OnTaken(bool ok) {
    writing_ = false;
    // Whoever is gone is told so.
    if (!ok) return;
    if (reading_paused_ && !answers_over_) NextAnswer();
    Flush();
    if (over_ && !writing_) EndAnswer();
  }

  void BeginAnswer() {
    if (std::exchange(answer_begun_, true)) return;
    HttpResponse head{200, {{"Content-Type", call_.type}}, ""};
    // nginx would wait until it has more.
    head.headers.emplace_back("X-Accel-Buffering", "no");
    if (call_.exchange->request().verb != "HEAD") return call_.exchange->BeginStream(std::move(head));
    Answer(std::move(head));
    Stop();
  }

  void EndAnswer() {
    if (!std::exchange(answered_, true)) call_.exchange->EndStream();
  }

  void Answer(HttpResponse response) {
    if (!std::exchange(answered_, true)) call_.exchange->Answer(std::move(response));
  }

  // A client waits for the head of an answer that is silent for long; but what fails at once is told by the head itself.
  void OnTick() {
    if (answered_ || over_) return;
    BeginAnswer();
    if (answered_ || writing_ || !is_event_stream() || steady_clock::now() - last_write_ < kKeepAlive) return;
    absl::StrAppend(&untaken_, ": \n\n");
    Flush();
  }

  // Ends.

  // The call fails here, whatever the service says to that.
  void Fail(const absl::Status& error) {
    if (failed_) return;
    failed_ = true;
    failure_ = error;
    if (!begun_) return End(error);
    Stop();
  }

  // The client has been told already.
  void OnBodyLost() {
    answered_ = true;
    Fail(absl::CancelledError("the request broke off"));
  }

  void OnGone() {
    gone_ = answered_ = true;
    Stop();
  }

  // Both flows end where they stand still; others end by the cancellation.
  void Stop() {
    if (!begun_) return;
    context_.TryCancel();
    if (!request_on_its_way_) EndRequests();
    if (reading_paused_) EndAnswers();
  }

  void OnCallDone(const grpc::Status& status) {
    End(failed_ ? failure_ : status.ok() ? absl::OkStatus() : ErrorOf(status, visit_->backend()));
    under_way_ = nullptr;
  }

  void End(const absl::Status& result) {
    if (!result.ok() && HttpStatusOf(result) >= 500) call_.span.Fail();
    call_.span.End();
    const grpc::Status told = status::ToGrpc(result);
    visit_->End(told, [self = shared_from_this(), told] { self->Later([self = self.get(), told] { self->OnEnded(told); }); });
  }

  void OnEnded(const grpc::Status& told) {
    visit_.reset();
    over_ = true;
    if (answered_) return;
    if (told.ok()) {
      BeginAnswer();
    } else if (answer_begun_) {
      AppendProblem(status::FromGrpc(told));
    } else {
      return Answer(ProblemOf(status::FromGrpc(told), &call_.route(), call_.request_id));
    }
    Flush();
    if (!writing_) EndAnswer();
  }

  // The last line, or the last event, tells what went wrong after the head was sent.
  void AppendProblem(const absl::Status& error) {
    const std::string problem = ProblemJson(error, &call_.route(), call_.request_id);
    if (!is_event_stream()) return absl::StrAppend(&untaken_, problem, "\n");
    if (const auto delay = status::RetryDelay(error)) absl::StrAppend(&untaken_, "retry: ", delay->count(), "\n");
    absl::StrAppend(&untaken_, "event: problem\ndata: ", problem, "\n\n");
  }

  HttpCall call_;
  absl::StatusOr<std::unique_ptr<Visit>> admitted_;
  std::unique_ptr<Visit> visit_;
  grpc::ClientContext context_;
  // This, while gRPC has it.
  std::shared_ptr<StreamCall> under_way_;
  bool begun_ = false;
  bool gone_ = false;
  bool failed_ = false;
  absl::Status failure_;

  // Of the body, what has come and, from `line_begin_` on, is not sent yet; before `searched_` no line of that ends.
  std::string lines_;
  size_t line_begin_ = 0;
  size_t searched_ = 0;
  int64_t line_number_ = 0;
  bool body_over_ = false;
  grpc::ByteBuffer request_;
  bool request_on_its_way_ = false;
  bool requests_ended_ = false;

  grpc::ByteBuffer answer_;
  bool reading_paused_ = false;
  bool answers_over_ = false;
  std::string untaken_;
  bool writing_ = false;
  bool answer_begun_ = false;
  bool answered_ = false;
  // All is known that the answer will say.
  bool over_ = false;
  steady_clock::time_point last_write_ = steady_clock::now();
};

}  // namespace

void StartStreamCall(HttpCall call) { std::make_shared<StreamCall>(std::move(call))->Start(); }

}  // namespace peiling::gateway
