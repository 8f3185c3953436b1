// The HTTP side of a gateway between a client on a socket and services made up for it, behind a door that lets in whom a test says.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "peiling/access/v1/access.grpc.pb.h"
#include "peiling/analytics/v1/analytics.grpc.pb.h"
#include "peiling/fieldwork/v1/contacts.grpc.pb.h"
#include "peiling/fieldwork/v1/mail.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/gateway/door.h"
#include "services/gateway/http/http_api.h"
#include "services/gateway/http/http_server.h"
#include "tests/gateway/http/client.h"

namespace peiling::gateway {

// Lets everybody in, unless it is told another thing.
class FakeDoor final : public Door {
 public:
  void Admit(Arrival arrival, Done done) override;

  // What it says to all that come.
  absl::Status refusal;
  // What Visit::Check says.
  absl::Status check;
  // Whether what callers showed is to be looked at again, and what comes of it.
  std::atomic<bool> stale = false;
  absl::Status renewed;
  // By service.
  std::map<std::string, Backend> backends;

  std::vector<Arrival> arrivals();
  // Tells the call that began last and may be withdrawn; false when there is none.
  bool Withdraw();
  // Codes of the calls that ended.
  std::vector<grpc::StatusCode> ends();

 private:
  class FakeVisit;
  std::mutex mutex_;
  std::vector<Arrival> arrivals_;
  std::vector<grpc::StatusCode> ends_;
  std::function<void(const absl::Status&)> withdrawn_;
};

class FakeIntake final : public intake::v1::IntakeService::Service {
 public:
  grpc::Status GetWave(grpc::ServerContext* context, const intake::v1::GetWaveRequest* request,
                       intake::v1::GetWaveResponse* response) override;
  grpc::Status SubmitResponse(grpc::ServerContext* context, const intake::v1::SubmitResponseRequest* request,
                              intake::v1::SubmitResponseResponse* response) override;
  grpc::Status WithdrawResponse(grpc::ServerContext* context, const intake::v1::WithdrawResponseRequest* request,
                                intake::v1::WithdrawResponseResponse* response) override;
  grpc::Status WatchSubmissions(grpc::ServerContext* context, const intake::v1::WatchSubmissionsRequest* request,
                                grpc::ServerWriter<intake::v1::WatchSubmissionsResponse>* writer) override;
  grpc::Status ImportResponses(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<intake::v1::ImportResponsesResponse, intake::v1::ImportResponsesRequest>* stream) override;

  // What GetWave answers with; a wave when it is OK. "wait" as the wave's id waits until the call is cancelled.
  grpc::Status answer;
  std::string metadata(const std::string& key);
  std::atomic<int> waiting{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> calls{0};
  std::atomic<uint64_t> sent{0};
  // How large the title of a wave is, and the events of a watch.
  std::atomic<size_t> title_bytes{4};

 private:
  void Keep(const grpc::ServerContext& context);
  std::mutex mutex_;
  std::multimap<std::string, std::string> metadata_;
};

class FakeAnalytics final : public analytics::v1::AnalyticsService::Service {
 public:
  // Says in its notices what it was asked.
  grpc::Status Tabulate(grpc::ServerContext* context, const analytics::v1::TabulateRequest* request,
                        analytics::v1::TabulateResponse* response) override;
};

class FakeContacts final : public fieldwork::v1::ContactService::Service {
 public:
  // Answers with what it was given.
  grpc::Status UpdateContact(grpc::ServerContext* context, const fieldwork::v1::UpdateContactRequest* request,
                             fieldwork::v1::UpdateContactResponse* response) override;
  // A header and a line for each municipality that was asked for.
  grpc::Status ExportContacts(grpc::ServerContext* context, const fieldwork::v1::ExportContactsRequest* request,
                              grpc::ServerWriter<fieldwork::v1::ExportContactsResponse>* writer) override;
};

class FakeMail final : public fieldwork::v1::MailService::Service {
 public:
  grpc::Status DeleteSuppression(grpc::ServerContext* context, const fieldwork::v1::DeleteSuppressionRequest* request,
                                 fieldwork::v1::DeleteSuppressionResponse* response) override;
  grpc::Status Unsubscribe(grpc::ServerContext* context, const fieldwork::v1::UnsubscribeRequest* request,
                           fieldwork::v1::UnsubscribeResponse* response) override;

  // What it was asked last.
  std::string asked;
};

class HttpTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Listens (again) with these.
  void Serve(SessionLimits limits = {}, int max_connections = 1000, HttpApiOptions options = {});

  int port() const { return server_->port(); }

  FakeDoor door_;
  FakeIntake intake_;
  FakeAnalytics analytics_;
  FakeContacts contacts_;
  FakeMail mail_;
  std::unique_ptr<grpc::Server> services_;
  std::unique_ptr<HttpApi> api_;
  std::unique_ptr<ConnectionServer> server_;
};

}  // namespace peiling::gateway
