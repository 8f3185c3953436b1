// The proxy between a real client and real backends on sockets and in process.
#include "services/gateway/proxy.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "peiling/validation/v1/validation.grpc.pb.h"
#include "services/common/status/errors.h"
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
    deadline = context->deadline();
    const auto found = context->client_metadata().find("traceparent");
    if (found != context->client_metadata().end()) traceparent = std::string(found->second.data(), found->second.size());
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

  system_clock::time_point deadline;
  std::string traceparent;
  std::atomic<bool> waiting{false};
  std::atomic<bool> cancelled{false};
};

class FakeIntake final : public IntakeService::Service {
 public:
  // Answers every piece with progress, and ends by itself after "stop".
  grpc::Status ImportResponses(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<intake::v1::ImportResponsesResponse, intake::v1::ImportResponsesRequest>* stream) override {
    intake::v1::ImportResponsesRequest piece;
    int64_t bytes = 0;
    while (stream->Read(&piece)) {
      if (piece.content() == "stop") return {grpc::StatusCode::INVALID_ARGUMENT, "stopped"};
      bytes += static_cast<int64_t>(piece.content().size());
      intake::v1::ImportResponsesResponse report;
      report.mutable_progress()->set_bytes_read(bytes);
      stream->Write(report);
    }
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
        if (!writer->Write(event)) break;
        sent = i;
      }
      return grpc::Status::OK;
    }
    while (!context->IsCancelled()) std::this_thread::sleep_for(milliseconds(5));
    return grpc::Status::CANCELLED;
  }

  std::atomic<uint64_t> sent{0};
};

class ProxyTest : public testing::Test {
 protected:
  void SetUp() override {
    registry_server_ = Serve(registry_);
    intake_server_ = Serve(intake_);
    Proxied({});
  }

  void TearDown() override {
    for (auto* server : {gateway_.get(), registry_server_.get(), intake_server_.get()}) {
      if (server) server->Shutdown(system_clock::now());
    }
  }

  void Proxied(const OpenDoorOptions& options, ProxyOptions proxy = {}) {
    if (gateway_) gateway_->Shutdown(system_clock::now());
    gateway_.reset();
    proxy_.reset();
    door_ = std::make_unique<OpenDoor>(std::vector<Backend>{{"registry", RegistryService::service_full_name(), Channel(registry_server_)},
                                                            {"intake", IntakeService::service_full_name(), Channel(intake_server_)},
                                                            {"dedup", DedupService::service_full_name(),
                                                             grpc::CreateChannel("127.0.0.1:1", grpc::InsecureChannelCredentials())}},
                                       options);
    proxy_ = std::make_unique<Proxy>(door_->door(), door_->routes(), proxy);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterCallbackGenericService(proxy_.get());
    gateway_ = builder.BuildAndStart();
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
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
  std::unique_ptr<grpc::Server> gateway_;
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
  EXPECT_EQ(registry_.traceparent, "00-abc");
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

}  // namespace
}  // namespace peiling::gateway
