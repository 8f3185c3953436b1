// The proxy between a real client and real backends on sockets and in process.
#include "services/gateway/grpc/proxy.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "peiling/fieldwork/v1/mail.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "peiling/validation/v1/validation.grpc.pb.h"
#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"
#include "services/gateway/grpc/grpc_gateway.h"
#include "tests/common/eventually.h"
#include "tests/gateway/fake_import.h"
#include "tests/gateway/open_door.h"

namespace peiling::gateway {
namespace {

using dedup::v1::DedupService;
using intake::v1::IntakeService;
using registry::v1::RegistryService;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::system_clock;
using validation::v1::ValidationService;

// Answers with what the proxy has to carry.
class FakeRegistry final : public RegistryService::Service {
 public:
  grpc::Status GetMunicipality(grpc::ServerContext* context, const registry::v1::GetMunicipalityRequest* request,
                               registry::v1::GetMunicipalityResponse* response) override {
    Note(*context);
    context->AddInitialMetadata("x-initial", "begin");
    context->AddTrailingMetadata("x-trailing", "end");
    if (request->name() == "wait") {
      waiting = true;
      while (!context->IsCancelled()) std::this_thread::sleep_for(milliseconds(5));
      cancelled = true;
      return grpc::Status::CANCELLED;
    }
    if (request->name() == "missing") {
      return status::ToGrpc(
          status::Error(absl::StatusCode::kNotFound, "MUNICIPALITY_NOT_FOUND", "no such municipality", {{"name", "missing"}}));
    }
    response->mutable_municipality()->set_name(request->name());
    return grpc::Status::OK;
  }

  // Of the last call.
  system_clock::time_point deadline;
  std::multimap<std::string, std::string> metadata;
  access::v1::Identity caller;
  std::atomic<int> calls{0};
  std::atomic<bool> waiting{false};
  std::atomic<bool> cancelled{false};

 private:
  void Note(const grpc::ServerContext& context) {
    const std::lock_guard lock(mutex_);
    deadline = context.deadline();
    metadata.clear();
    for (const auto& [key, value] : context.client_metadata()) {
      metadata.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
    }
    caller = identity::CallerOf(context);
    ++calls;
  }

  std::mutex mutex_;
};

class FakeIntake final : public IntakeService::Service {
 public:
  // Answers every piece with progress, and ends by itself after "stop".
  grpc::Status ImportResponses(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<intake::v1::ImportResponsesResponse, intake::v1::ImportResponsesRequest>* stream) override {
    ++imports;
    int64_t bytes = 0;
    if (const grpc::Status answered = AnswerPieces(*stream, bytes); !answered.ok()) return answered;
    intake::v1::ImportResponsesResponse report;
    report.mutable_summary()->set_rows(bytes);
    stream->Write(report);
    return grpc::Status::OK;
  }

  grpc::Status WatchSubmissions(grpc::ServerContext* context, const intake::v1::WatchSubmissionsRequest* request,
                                grpc::ServerWriter<intake::v1::WatchSubmissionsResponse>* writer) override {
    if (request->after_sequence() == 0) {
      writer->SendInitialMetadata();
    } else {
      intake::v1::WatchSubmissionsResponse event;
      for (uint64_t i = 1; i <= request->after_sequence(); ++i) {
        event.mutable_submission()->set_sequence(i);
        event.mutable_submission()->mutable_response()->set_name(padding);
        if (!writer->Write(event)) break;
        sent = i;
      }
      return grpc::Status::OK;
    }
    while (!context->IsCancelled()) std::this_thread::sleep_for(milliseconds(5));
    return grpc::Status::CANCELLED;
  }

  grpc::Status SubmitResponse(grpc::ServerContext*, const intake::v1::SubmitResponseRequest* request,
                              intake::v1::SubmitResponseResponse* response) override {
    response->mutable_response()->set_name(request->parent() + "/responses/x");
    return grpc::Status::OK;
  }

  // Makes events larger.
  std::string padding;
  std::atomic<uint64_t> sent{0};
  std::atomic<int> imports{0};
};

class ProxyTest : public testing::Test {
 protected:
  void SetUp() override {
    registry_server_ = Serve(registry_);
    intake_server_ = Serve(intake_);
    Proxied({});
  }

  void TearDown() override {
    gateway_.reset();
    for (auto* server : {registry_server_.get(), intake_server_.get()}) server->Shutdown(system_clock::now());
  }

  void Proxied(const OpenDoorOptions& options, const GrpcLimits& limits = {}) {
    gateway_.reset();
    proxy_.reset();
    door_ = std::make_unique<OpenDoor>(std::vector<Backend>{{"registry", RegistryService::service_full_name(), Channel(registry_server_)},
                                                            {"intake", IntakeService::service_full_name(), Channel(intake_server_)},
                                                            {"fieldwork", fieldwork::v1::MailService::service_full_name(), nullptr},
                                                            {"dedup", DedupService::service_full_name(),
                                                             grpc::CreateChannel("127.0.0.1:1", grpc::InsecureChannelCredentials())}},
                                       options);
    proxy_ = std::make_unique<Proxy>(door_->door(), door_->routes(), "test", nullptr);
    auto gateway = StartGrpcServer({.listen = "127.0.0.1:0"}, limits, *proxy_);
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    gateway_ = *std::move(gateway);
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(gateway_->port()), grpc::InsecureChannelCredentials());
    registry_stub_ = RegistryService::NewStub(channel_);
    intake_stub_ = IntakeService::NewStub(channel_);
  }

  struct Listening {
    std::unique_ptr<grpc::Server> server;
    int port = 0;
    grpc::Server* get() const { return server.get(); }
  };

  Listening Serve(grpc::Service& service) {
    Listening listening;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &listening.port);
    builder.RegisterService(&service);
    listening.server = builder.BuildAndStart();
    return listening;
  }

  static std::shared_ptr<grpc::Channel> Channel(const Listening& listening) {
    return grpc::CreateChannel("127.0.0.1:" + std::to_string(listening.port), grpc::InsecureChannelCredentials());
  }

  grpc::Status Get(const std::string& name, grpc::ClientContext& context, std::string* answer = nullptr) {
    registry::v1::GetMunicipalityRequest request;
    request.set_name(name);
    registry::v1::GetMunicipalityResponse response;
    const grpc::Status status = registry_stub_->GetMunicipality(&context, request, &response);
    if (answer != nullptr) *answer = response.municipality().name();
    return status;
  }

  FakeRegistry registry_;
  FakeIntake intake_;
  Listening registry_server_;
  Listening intake_server_;
  std::unique_ptr<OpenDoor> door_;
  std::unique_ptr<Proxy> proxy_;
  std::unique_ptr<ConnectionServer> gateway_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<RegistryService::Stub> registry_stub_;
  std::unique_ptr<IntakeService::Stub> intake_stub_;
};

TEST_F(ProxyTest, CarriesUnaryCallWithMetadataBothWays) {
  grpc::ClientContext context;
  context.AddMetadata("traceparent", "00-abc");
  std::string answer;
  ASSERT_TRUE(Get("municipalities/GM0363", context, &answer).ok());
  EXPECT_EQ(answer, "municipalities/GM0363");
  EXPECT_EQ(registry_.metadata.find("traceparent")->second, "00-abc");
  EXPECT_EQ(context.GetServerInitialMetadata().count("x-initial"), 1u);
  EXPECT_EQ(context.GetServerTrailingMetadata().count("x-trailing"), 1u);
}

TEST_F(ProxyTest, CarriesErrorDetailsUnchanged) {
  grpc::ClientContext context;
  const absl::Status error = status::FromGrpc(Get("missing", context));
  EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(error.message(), "no such municipality");
  EXPECT_EQ(status::Reason(error), "MUNICIPALITY_NOT_FOUND");
  EXPECT_EQ(status::Metadata(error).at("name"), "missing");
}

TEST_F(ProxyTest, PassesDeadlineOn) {
  grpc::ClientContext context;
  const auto deadline = system_clock::now() + seconds(7);
  context.set_deadline(deadline);
  ASSERT_TRUE(Get("x", context).ok());
  EXPECT_LT(std::chrono::abs(registry_.deadline - deadline), seconds(1));
}

TEST_F(ProxyTest, PassesCancellationOn) {
  grpc::ClientContext context;
  auto call = std::async(std::launch::async, [&] { return Get("wait", context); });
  while (!registry_.waiting) std::this_thread::sleep_for(milliseconds(2));
  context.TryCancel();
  EXPECT_EQ(call.get().error_code(), grpc::StatusCode::CANCELLED);
  for (int i = 0; i < 1000 && !registry_.cancelled; ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_TRUE(registry_.cancelled);
}

TEST_F(ProxyTest, DeadlineEndsCallThatHangs) {
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + milliseconds(100));
  EXPECT_EQ(Get("wait", context).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(ProxyTest, CarriesBidirectionalStreamTurnByTurn) {
  grpc::ClientContext context;
  auto stream = intake_stub_->ImportResponses(&context);
  intake::v1::ImportResponsesRequest piece;
  intake::v1::ImportResponsesResponse report;
  for (int i = 1; i <= 50; ++i) {
    piece.set_content(std::string(1000, 'x'));
    ASSERT_TRUE(stream->Write(piece));
    ASSERT_TRUE(stream->Read(&report));
    EXPECT_EQ(report.progress().bytes_read(), 1000 * i);
  }
  stream->WritesDone();
  ASSERT_TRUE(stream->Read(&report));
  EXPECT_EQ(report.summary().rows(), 50'000);
  EXPECT_FALSE(stream->Read(&report));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ProxyTest, EndsStreamThatBackendEndsFirst) {
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + seconds(10));
  auto stream = intake_stub_->ImportResponses(&context);
  intake::v1::ImportResponsesRequest piece;
  piece.set_content("stop");
  ASSERT_TRUE(stream->Write(piece));
  intake::v1::ImportResponsesResponse report;
  EXPECT_FALSE(stream->Read(&report));
  const grpc::Status status = stream->Finish();  // Without WritesDone: the client still had something to say.
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "stopped");
}

TEST_F(ProxyTest, SendsHeadersOfSilentStreamAtOnce) {
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + seconds(10));
  auto stream = intake_stub_->WatchSubmissions(&context, {});
  const auto begin = system_clock::now();
  stream->WaitForInitialMetadata();
  EXPECT_LT(system_clock::now() - begin, seconds(5));
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ProxyTest, KeepsOrderOfLongStreamAndHoldsBackForSlowReader) {
  grpc::ClientContext context;
  intake::v1::WatchSubmissionsRequest request;
  request.set_after_sequence(200'000);
  auto stream = intake_stub_->WatchSubmissions(&context, request);
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_LT(intake_.sent, 200'000u) << "the proxy took in what nobody reads";
  intake::v1::WatchSubmissionsResponse event;
  uint64_t expected = 0;
  while (stream->Read(&event)) ASSERT_EQ(event.submission().sequence(), ++expected);
  EXPECT_EQ(expected, 200'000u);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ProxyTest, SaysWhichBackendIsDown) {
  grpc::ClientContext context;
  dedup::v1::GetCaseResponse response;
  const absl::Status error = status::FromGrpc(DedupService::NewStub(channel_)->GetCase(&context, {}, &response));
  EXPECT_EQ(error.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status::Reason(error), "BACKEND_UNAVAILABLE");
  EXPECT_EQ(status::Metadata(error).at("service"), "peiling.dedup.v1.DedupService");
  EXPECT_THAT(std::string(error.message()), testing::EndsWith("cannot be reached; try again later")) << "where it is, is not told outside";
}

TEST_F(ProxyTest, RefusesServiceItDoesNotKnow) {
  grpc::ClientContext context;
  validation::v1::CheckQuestionnaireResponse response;
  const absl::Status error = status::FromGrpc(ValidationService::NewStub(channel_)->CheckQuestionnaire(&context, {}, &response));
  EXPECT_EQ(error.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(status::Reason(error), "UNKNOWN_METHOD");
}

TEST_F(ProxyTest, BackendThatHangsLeavesRoomForOthers) {
  Proxied({.limits = {.max_calls = 8, .max_calls_per_backend = 1}});
  grpc::ClientContext hanging;
  auto call = std::async(std::launch::async, [&] { return Get("wait", hanging); });
  while (!registry_.waiting) std::this_thread::sleep_for(milliseconds(2));
  grpc::ClientContext refused;
  EXPECT_EQ(status::Reason(status::FromGrpc(Get("x", refused))), "BACKEND_BUSY");
  grpc::ClientContext context;
  auto stream = intake_stub_->ImportResponses(&context);
  stream->WritesDone();
  intake::v1::ImportResponsesResponse report;
  EXPECT_TRUE(stream->Read(&report));
  EXPECT_FALSE(stream->Read(&report));
  EXPECT_TRUE(stream->Finish().ok());
  hanging.TryCancel();
  call.get();
  // Its place is free again.
  grpc::Status status;
  for (int i = 0; i < 200; ++i) {
    grpc::ClientContext again;
    status = Get("x", again);
    if (status.ok()) break;
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ProxyTest, ManyCallsAtOnceAllEndWell) {
  std::vector<std::thread> threads;
  threads.reserve(16);
  std::atomic<int> good{0};
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        grpc::ClientContext context;
        const std::string name = std::to_string(t) + "-" + std::to_string(i);
        std::string answer;
        if (Get(name, context, &answer).ok() && answer == name) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 1600);
}

TEST_F(ProxyTest, BackendLearnsWhoCallsFromTheGatewayAlone) {
  access::v1::Identity forged = AnyRole("keys/forged");
  grpc::ClientContext context;
  context.AddMetadata("peiling-identity-bin", forged.SerializeAsString());
  context.AddMetadata("peiling-anything", "x");
  context.AddMetadata("authorization", "Bearer known");
  context.AddMetadata("x-forwarded-for", "203.0.113.9");
  context.AddMetadata("x-client-certificate", "x");
  context.AddMetadata("x-request-id", "r-1");
  context.AddMetadata("x-own", "stays");
  door_->authenticator().Know("known", Caller("keys/known", {{access::v1::ROLE_ANALYST, {}}}));
  ASSERT_TRUE(Get("x", context).ok());
  EXPECT_EQ(registry_.caller.subject(), "keys/known");
  EXPECT_EQ(registry_.metadata.count("peiling-identity-bin"), 1u);
  for (const char* key : {"peiling-anything", "authorization", "x-forwarded-for", "x-client-certificate"}) {
    EXPECT_EQ(registry_.metadata.count(key), 0u) << key;
  }
  ASSERT_EQ(registry_.metadata.count("x-request-id"), 1u);
  EXPECT_EQ(registry_.metadata.find("x-request-id")->second, "r-1");
  EXPECT_EQ(registry_.metadata.count("x-own"), 1u);
  EXPECT_EQ(context.GetServerInitialMetadata().find("x-request-id")->second, "r-1");
}

TEST_F(ProxyTest, CredentialsShownTwiceAreNone) {
  door_->authenticator().Know("known", AnyRole("keys/known"));
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer known");
  context.AddMetadata("authorization", "Bearer known");
  EXPECT_EQ(Get("x", context).error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ProxyTest, RefusalHasARequestIdAndReachesNoBackend) {
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer forged");
  context.AddMetadata("x-request-id", "not valid");
  const absl::Status refused = status::FromGrpc(Get("x", context));
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(status::Reason(refused), "CREDENTIALS_INVALID");
  ASSERT_EQ(context.GetServerInitialMetadata().count("x-request-id"), 1u);
  EXPECT_EQ(context.GetServerInitialMetadata().find("x-request-id")->second.size(), 32u);
  EXPECT_EQ(registry_.calls, 0);
}

TEST_F(ProxyTest, StreamIsCheckedBeforeItsBackendHearsOfItAndAsItGoesOn) {
  door_->authenticator().Know("limited", Caller("keys/l", {{access::v1::ROLE_RESEARCHER, {"surveys/mine"}}}));
  intake::v1::ImportResponsesRequest mine, yours;
  mine.mutable_header()->set_parent("surveys/mine/waves/1");
  yours.mutable_header()->set_parent("surveys/yours/waves/1");
  intake::v1::ImportResponsesResponse report;
  {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer limited");
    auto stream = intake_stub_->ImportResponses(&context);
    stream->Write(yours);
    EXPECT_FALSE(stream->Read(&report));
    EXPECT_EQ(status::Reason(status::FromGrpc(stream->Finish())), "NOT_WITHIN_LIMITS");
    EXPECT_EQ(intake_.imports, 0);
  }
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer limited");
  auto stream = intake_stub_->ImportResponses(&context);
  ASSERT_TRUE(stream->Write(mine));
  ASSERT_TRUE(stream->Read(&report));
  stream->Write(yours);
  EXPECT_FALSE(stream->Read(&report));
  EXPECT_EQ(status::Reason(status::FromGrpc(stream->Finish())), "NOT_WITHIN_LIMITS");
  EXPECT_EQ(intake_.imports, 1);
}

TEST_F(ProxyTest, CallCancelledWhileItsCallerIsMadeOutEnds) {
  for (const bool stream : {false, true}) {
    door_->authenticator().Hold();
    grpc::ClientContext context;
    auto call = std::async(std::launch::async, [&] {
      if (!stream) return Get("x", context);
      intake::v1::ImportResponsesResponse report;
      auto import = intake_stub_->ImportResponses(&context);
      import->Read(&report);
      return import->Finish();
    });
    while (door_->authenticator().held() == 0) std::this_thread::sleep_for(milliseconds(2));
    context.TryCancel();
    EXPECT_EQ(call.get().error_code(), grpc::StatusCode::CANCELLED);
    door_->authenticator().LetGo();
  }
  grpc::ClientContext context;
  EXPECT_TRUE(Get("x", context).ok());
  EXPECT_EQ(registry_.calls, 1) << "the one that was cancelled went no further";
}

TEST_F(ProxyTest, AnswerToAnAuditedCallWaitsForTheAuditLog) {
  door_->access().Hold(true);
  grpc::ClientContext context;
  intake::v1::SubmitResponseRequest request;
  request.set_parent("surveys/a/waves/1");
  intake::v1::SubmitResponseResponse response;
  auto call = std::async(std::launch::async, [&] { return intake_stub_->SubmitResponse(&context, request, &response); });
  door_->access().AwaitBatches(1);
  EXPECT_EQ(call.wait_for(milliseconds(50)), std::future_status::timeout);
  grpc::ClientContext other;
  EXPECT_TRUE(Get("x", other).ok()) << "others go on";
  door_->access().Hold(false);
  EXPECT_TRUE(call.get().ok());
  const auto entries = door_->access().entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].object(), "surveys/a/waves/1/responses/x");
}

TEST_F(ProxyTest, CallerWhoLeavesMeanwhileIsInTheAuditLogAllTheSame) {
  door_->access().Hold(true);
  {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + milliseconds(100));
    intake::v1::SubmitResponseRequest request;
    intake::v1::SubmitResponseResponse response;
    EXPECT_EQ(intake_stub_->SubmitResponse(&context, request, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  door_->access().Hold(false);
  EXPECT_EQ(door_->access().AwaitEntries(1).size(), 1u);
}

// A client that waits for nothing.
struct Silent {
  explicit Silent(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) : stub(channel) {
    call = stub.PrepareCall(&context, method, &queue);
    call->StartCall(nullptr);
    Next();
  }
  ~Silent() {
    context.TryCancel();
    static_cast<void>(Finish());
    queue.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
    }
  }
  bool Next() {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  }
  absl::Status Finish() {
    if (!finished) {
      finished = true;
      call->Finish(&status, nullptr);
      Next();
    }
    return status::FromGrpc(status);
  }

  grpc::GenericStub stub;
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call;
  grpc::Status status;
  bool finished = false;
};

TEST_F(ProxyTest, ClientThatSendsNothingIsNotWaitedForForEver) {
  Proxied({}, {.patience = milliseconds(100)});
  for (const char* method : {"/peiling.registry.v1.RegistryService/GetMunicipality", "/peiling.intake.v1.IntakeService/WatchSubmissions",
                             "/peiling.intake.v1.IntakeService/ImportResponses"}) {
    Silent client(channel_, method);
    EXPECT_EQ(status::Reason(client.Finish()), "CLIENT_IDLE") << method;
  }
  EXPECT_EQ(intake_.imports, 0) << "a backend that hears of a call with its first message has not been held up";
}

TEST_F(ProxyTest, ClientThatStopsSendingIsNotWaitedForForEver) {
  Proxied({}, {.patience = milliseconds(100)});
  grpc::ClientContext context;
  auto stream = intake_stub_->ImportResponses(&context);
  intake::v1::ImportResponsesRequest piece;
  intake::v1::ImportResponsesResponse report;
  for (int i = 0; i < 5; ++i) {
    piece.set_content("x");
    ASSERT_TRUE(stream->Write(piece));
    ASSERT_TRUE(stream->Read(&report));
    std::this_thread::sleep_for(milliseconds(40));
  }
  EXPECT_FALSE(stream->Read(&report)) << "it goes on as long as something comes";
  EXPECT_EQ(status::Reason(status::FromGrpc(stream->Finish())), "CLIENT_IDLE");
}

TEST_F(ProxyTest, ClientThatNeverReadsIsNotWaitedForForEver) {
  Proxied({}, {.patience = milliseconds(100)});
  intake_.padding = std::string(10'000, 'x');
  grpc::ClientContext context;
  intake::v1::WatchSubmissionsRequest request;
  request.set_after_sequence(1'000'000);
  auto stream = intake_stub_->WatchSubmissions(&context, request);
  // What there is room for between here and there comes; then the call is over.
  while (intake_.sent == 0 || door_->limits().calls() > 0) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_LT(intake_.sent, 1'000'000u);
  intake::v1::WatchSubmissionsResponse event;
  while (stream->Read(&event)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ProxyTest, WhatAnybodyMayCallIsSmallAndComesSoon) {
  Proxied({}, {.patience = std::chrono::hours(1), .open_patience = milliseconds(100)});
  constexpr char kUnsubscribe[] = "/peiling.fieldwork.v1.MailService/Unsubscribe";
  Silent client(channel_, kUnsubscribe);
  EXPECT_EQ(status::Reason(client.Finish()), "CLIENT_IDLE");
  fieldwork::v1::UnsubscribeRequest request;
  request.set_token(std::string(4096, 'x'));
  fieldwork::v1::UnsubscribeResponse response;
  grpc::ClientContext context;
  const grpc::Status answer = fieldwork::v1::MailService::NewStub(channel_)->Unsubscribe(&context, request, &response);
  EXPECT_EQ(status::Reason(status::FromGrpc(answer)), "MESSAGE_TOO_LARGE");
}

TEST_F(ProxyTest, LinkThatWasReplacedWhileTheMessageCameIsRefused) {
  std::atomic<std::chrono::steady_clock::time_point> now = std::chrono::steady_clock::now();
  Proxied({.clock = [&] { return now.load(); }});
  access::v1::Identity identity =
      Caller("surveys/s/waves/1/invitations/GM0363/issues/1", {{access::v1::ROLE_RESPONDENT, {"surveys/s/waves/1/responses/GM0363"}}});
  identity.set_credential(access::v1::CREDENTIAL_KIND_INVITATION);
  door_->authenticator().Know("link", identity);
  for (const bool replaced : {false, true}) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer link");
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    auto call = stub.PrepareCall(&context, "/peiling.registry.v1.RegistryService/GetMunicipality", &queue);
    void* tag = nullptr;
    bool ok = false;
    call->StartCall(nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
    ASSERT_TRUE(Eventually([&] { return door_->limits().calls() == 1; })) << "it was let in, and its message is not there";
    now = now.load() + seconds(1);
    if (replaced) door_->authenticator().Forget("link");
    registry::v1::GetMunicipalityRequest request;
    request.set_name("x");
    const grpc::Slice slice(request.SerializeAsString());
    call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    grpc::ByteBuffer message;
    call->Read(&message, nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    grpc::Status answer;
    call->Finish(&answer, nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status::Reason(status::FromGrpc(answer)), replaced ? "CREDENTIALS_INVALID" : "");
    ASSERT_TRUE(Eventually([&] { return door_->limits().calls() == 0; }));
  }
  EXPECT_EQ(registry_.calls, 1);
}

TEST_F(ProxyTest, SilentWatchIsNotItsClientsFault) {
  Proxied({}, {.patience = milliseconds(50)});
  grpc::ClientContext context;
  auto stream = intake_stub_->WatchSubmissions(&context, {});
  stream->WaitForInitialMetadata();
  std::this_thread::sleep_for(milliseconds(400));
  EXPECT_EQ(door_->limits().calls(), 1);
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ProxyTest, StreamsEndWhenWhatTheirCallersShowedIsWithdrawn) {
  grpc::ClientContext watch_context, import_context, other_context;
  door_->authenticator().Know("other", AnyRole("keys/other"));
  other_context.AddMetadata("authorization", "Bearer other");
  auto watch = intake_stub_->WatchSubmissions(&watch_context, {});
  watch->WaitForInitialMetadata();
  intake::v1::ImportResponsesResponse report;
  auto import = intake_stub_->ImportResponses(&import_context);
  ASSERT_TRUE(import->Write({}) && import->Read(&report));
  auto other = intake_stub_->ImportResponses(&other_context);
  ASSERT_TRUE(other->Write({}) && other->Read(&report));

  door_->authenticator().Withdraw("keys/anybody");
  intake::v1::WatchSubmissionsResponse event;
  EXPECT_FALSE(watch->Read(&event));
  EXPECT_FALSE(import->Read(&report));
  for (const grpc::Status& status : {watch->Finish(), import->Finish()}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(status::Reason(status::FromGrpc(status)), "CREDENTIALS_WITHDRAWN");
  }
  other->WritesDone();
  EXPECT_TRUE(other->Read(&report));
  EXPECT_FALSE(other->Read(&report));
  EXPECT_TRUE(other->Finish().ok()) << "others go on";
}

TEST_F(ProxyTest, AfterCloseCallsUnderWayEndAndNoneBegin) {
  grpc::ClientContext context;
  auto stream = intake_stub_->ImportResponses(&context);
  intake::v1::ImportResponsesRequest piece;
  intake::v1::ImportResponsesResponse report;
  ASSERT_TRUE(stream->Write(piece));
  ASSERT_TRUE(stream->Read(&report));
  door_->door().Close();
  grpc::ClientContext late;
  EXPECT_EQ(status::Reason(status::FromGrpc(Get("x", late))), "SHUTTING_DOWN");
  stream->WritesDone();
  EXPECT_TRUE(stream->Read(&report));
  EXPECT_FALSE(stream->Read(&report));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ProxyTest, EmptyStreamIsACall) {
  grpc::ClientContext context;
  auto stream = intake_stub_->ImportResponses(&context);
  stream->WritesDone();
  intake::v1::ImportResponsesResponse report;
  ASSERT_TRUE(stream->Read(&report));
  EXPECT_EQ(report.summary().rows(), 0);
  EXPECT_FALSE(stream->Read(&report));
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace peiling::gateway
