#include "tests/gateway/http/fixture.h"

#include <chrono>
#include <thread>
#include <utility>

#include "services/common/status/errors.h"
#include "tests/gateway/fake_import.h"

namespace peiling::gateway {

class FakeDoor::FakeVisit final : public Visit {
 public:
  FakeVisit(FakeDoor& door, const Backend& backend, std::string request_id)
      : door_(door), backend_(backend), request_id_(std::move(request_id)) {}

  const access::v1::Identity& caller() const override { return caller_; }
  const Backend& backend() const override { return backend_; }
  const std::string& request_id() const override { return request_id_; }
  absl::Status Check(const grpc::ByteBuffer&) override { return door_.check; }
  bool stale() const override { return door_.stale; }
  void Renew(std::function<void(absl::Status)> done) override { done(door_.renewed); }
  void Note(const grpc::ByteBuffer&) override {}
  void AddTo(grpc::ClientContext& context) const override { context.AddMetadata("x-request-id", request_id_); }
  absl::Status Forward(const std::function<void()>& begin) override {
    begin();
    return absl::OkStatus();
  }
  void OnWithdrawn(std::function<void(const absl::Status&)> withdrawn) override {
    const std::lock_guard lock(door_.mutex_);
    door_.withdrawn_ = std::move(withdrawn);
  }
  void End(const grpc::Status& status, std::function<void()> done) override {
    {
      std::lock_guard lock(door_.mutex_);
      door_.ends_.push_back(status.error_code());
    }
    done();
  }

 private:
  FakeDoor& door_;
  const Backend& backend_;
  const std::string request_id_;
  const access::v1::Identity caller_;
};

void FakeDoor::Admit(Arrival arrival, Done done) {
  // Of "/service/Method".
  const auto backend = backends.find(arrival.method.substr(1, arrival.method.rfind('/') - 1));
  const std::string request_id = arrival.request_id;
  {
    std::lock_guard lock(mutex_);
    arrivals_.push_back(std::move(arrival));
  }
  if (!refusal.ok()) return done(refusal);
  if (backend == backends.end()) return done(status::Error(absl::StatusCode::kUnimplemented, "UNKNOWN_METHOD", "nobody answers that"));
  done(std::make_unique<FakeVisit>(*this, backend->second, request_id));
}

std::vector<Arrival> FakeDoor::arrivals() {
  std::lock_guard lock(mutex_);
  return arrivals_;
}

bool FakeDoor::Withdraw() {
  const std::lock_guard lock(mutex_);
  if (withdrawn_ == nullptr) return false;
  withdrawn_(status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_WITHDRAWN", "the credentials no longer hold"));
  return true;
}

std::vector<grpc::StatusCode> FakeDoor::ends() {
  std::lock_guard lock(mutex_);
  return ends_;
}

namespace {

void WaitForCancellation(const grpc::ServerContext& context) {
  while (!context.IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

}  // namespace

void FakeIntake::Keep(const grpc::ServerContext& context) {
  std::lock_guard lock(mutex_);
  metadata_.clear();
  for (const auto& [key, value] : context.client_metadata()) {
    metadata_.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
  }
}

std::string FakeIntake::metadata(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? "" : found->second;
}

grpc::Status FakeIntake::GetWave(grpc::ServerContext* context, const intake::v1::GetWaveRequest* request,
                                 intake::v1::GetWaveResponse* response) {
  ++calls;
  Keep(*context);
  if (request->name().ends_with("/wait")) {
    ++waiting;
    WaitForCancellation(*context);
    ++cancelled;
    return grpc::Status::CANCELLED;
  }
  if (!answer.ok()) return answer;
  auto& wave = *response->mutable_wave();
  wave.set_name(request->name());
  wave.set_title(std::string(title_bytes, 'x'));
  wave.set_etag("e1");
  wave.set_response_count(1 << 20);
  return grpc::Status::OK;
}

grpc::Status FakeIntake::SubmitResponse(grpc::ServerContext*, const intake::v1::SubmitResponseRequest* request,
                                        intake::v1::SubmitResponseResponse* response) {
  ++calls;
  *response->mutable_response() = request->response();
  response->mutable_response()->set_name(request->parent() + "/responses/" + request->request_id());
  return grpc::Status::OK;
}

grpc::Status FakeIntake::WithdrawResponse(grpc::ServerContext*, const intake::v1::WithdrawResponseRequest* request,
                                          intake::v1::WithdrawResponseResponse* response) {
  ++calls;
  if (!request->etag().empty() && request->etag() != "e1") {
    return status::ToGrpc(status::Error(absl::StatusCode::kAborted, "ETAG_MISMATCH", "the response was changed"));
  }
  response->mutable_response()->set_name(request->name());
  return grpc::Status::OK;
}

// Partition 0: the events after the sequence up to 5, then silence. 1: an error after two events. 2: an error at once. 3: events until the
// call is over. 4: silence.
grpc::Status FakeIntake::WatchSubmissions(grpc::ServerContext* context, const intake::v1::WatchSubmissionsRequest* request,
                                          grpc::ServerWriter<intake::v1::WatchSubmissionsResponse>* writer) {
  ++calls;
  ++waiting;
  const grpc::Status error = status::ToGrpc(status::RetryAfter(
      status::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_WATCHERS", "too many watch already"), std::chrono::seconds(7)));
  if (request->partition() == 2) return error;
  const auto event = [&](uint64_t sequence) {
    intake::v1::WatchSubmissionsResponse response;
    response.mutable_submission()->set_sequence(sequence);
    response.mutable_submission()->mutable_response()->set_name(std::string(title_bytes, 'x'));
    sent = sequence;
    return writer->Write(response);
  };
  if (request->partition() == 3) {
    for (uint64_t sequence = 1; event(sequence); ++sequence) {
    }
    ++cancelled;
    return grpc::Status::CANCELLED;
  }
  const uint64_t last = request->partition() == 0 ? 5 : request->partition() == 1 ? 2 : 0;
  for (uint64_t sequence = request->after_sequence() + 1; sequence <= last; ++sequence) event(sequence);
  if (request->partition() == 1) return error;
  intake::v1::WatchSubmissionsResponse caught_up;
  caught_up.mutable_caught_up()->set_sequence(last);
  if (request->partition() == 0) writer->Write(caught_up);
  WaitForCancellation(*context);
  ++cancelled;
  return grpc::Status::CANCELLED;
}

grpc::Status FakeIntake::ImportResponses(
    grpc::ServerContext*, grpc::ServerReaderWriter<intake::v1::ImportResponsesResponse, intake::v1::ImportResponsesRequest>* stream) {
  ++calls;
  intake::v1::ImportResponsesRequest piece;
  if (!stream->Read(&piece) || !piece.has_header()) return {grpc::StatusCode::INVALID_ARGUMENT, "no header"};
  int64_t bytes = 0;
  if (const grpc::Status answered = AnswerPieces(*stream, bytes); !answered.ok()) return answered;
  intake::v1::ImportResponsesResponse report;
  report.mutable_row()->set_response(piece.header().parent());
  stream->Write(report);
  return grpc::Status::OK;
}

grpc::Status FakeAnalytics::Tabulate(grpc::ServerContext*, const analytics::v1::TabulateRequest* request,
                                     analytics::v1::TabulateResponse* response) {
  response->add_notices(request->ShortDebugString());
  return grpc::Status::OK;
}

grpc::Status FakeContacts::UpdateContact(grpc::ServerContext*, const fieldwork::v1::UpdateContactRequest* request,
                                         fieldwork::v1::UpdateContactResponse* response) {
  *response->mutable_contact() = request->contact();
  return grpc::Status::OK;
}

grpc::Status FakeContacts::ExportContacts(grpc::ServerContext*, const fieldwork::v1::ExportContactsRequest* request,
                                          grpc::ServerWriter<fieldwork::v1::ExportContactsResponse>* writer) {
  fieldwork::v1::ExportContactsResponse piece;
  piece.set_content("gemeente\n");
  writer->Write(piece);
  for (const std::string& municipality : request->municipalities()) {
    piece.set_content(municipality + "\n");
    writer->Write(piece);
  }
  return grpc::Status::OK;
}

grpc::Status FakeMail::DeleteSuppression(grpc::ServerContext*, const fieldwork::v1::DeleteSuppressionRequest* request,
                                         fieldwork::v1::DeleteSuppressionResponse*) {
  asked = request->ShortDebugString();
  return grpc::Status::OK;
}

grpc::Status FakeMail::Unsubscribe(grpc::ServerContext*, const fieldwork::v1::UnsubscribeRequest* request,
                                   fieldwork::v1::UnsubscribeResponse*) {
  asked = request->ShortDebugString();
  return grpc::Status::OK;
}

void HttpTest::SetUp() {
  grpc::ServerBuilder builder;
  builder.RegisterService(&intake_);
  builder.RegisterService(&analytics_);
  builder.RegisterService(&contacts_);
  builder.RegisterService(&mail_);
  services_ = builder.BuildAndStart();
  const auto channel = services_->InProcessChannel({});
  const auto nowhere = grpc::CreateChannel("127.0.0.1:1", grpc::InsecureChannelCredentials());
  for (const Backend& backend : {Backend{"intake", intake::v1::IntakeService::service_full_name(), channel},
                                 Backend{"analytics", analytics::v1::AnalyticsService::service_full_name(), channel},
                                 Backend{"fieldwork", fieldwork::v1::ContactService::service_full_name(), channel},
                                 Backend{"fieldwork", fieldwork::v1::MailService::service_full_name(), channel},
                                 Backend{"registry", registry::v1::RegistryService::service_full_name(), nowhere}}) {
    door_.backends.emplace(backend.service, backend);
  }
  Serve();
}

void HttpTest::TearDown() {
  server_.reset();
  services_->Shutdown(std::chrono::system_clock::now());
}

void HttpTest::Serve(SessionLimits limits, int max_connections, HttpApiOptions options) {
  server_.reset();
  auto api = HttpApi::Make(
      door_,
      {intake::v1::GetWaveRequest::descriptor()->file()->service(0), analytics::v1::TabulateRequest::descriptor()->file()->service(0),
       registry::v1::GetMunicipalityRequest::descriptor()->file()->service(0),
       access::v1::GetCallerRequest::descriptor()->file()->service(0), fieldwork::v1::GetContactRequest::descriptor()->file()->service(0),
       fieldwork::v1::UnsubscribeRequest::descriptor()->file()->service(0)},
      R"({"openapi": "3.0.3"})", std::move(options));
  ASSERT_TRUE(api.ok()) << api.status();
  api_ = *std::move(api);
  auto server = StartHttpServer({.listen = "127.0.0.1:0", .max_connections = max_connections}, limits,
                                [this](const std::shared_ptr<Exchange>& exchange) { api_->Handle(exchange); });
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
}

}  // namespace peiling::gateway
