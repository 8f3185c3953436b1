#include "services/peiling/suite.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "peiling/access/v1/access.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/common/status/errors.h"
#include "tests/contract/redis_server.h"

namespace peiling::suite {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using intake::v1::IntakeService;
using registry::v1::RegistryService;
using std::chrono::seconds;
using std::chrono::steady_clock;

class SuiteTest : public testing::Test {
 protected:
  SuiteTest() {
    std::string pattern = testing::TempDir() + "/suite.XXXXXX";
    directory_ = mkdtemp(pattern.data());
    options_.data_dir = directory_ + "/data";
    server_options_.listen = "127.0.0.1:0";
    server_options_.insecure = true;
  }
  ~SuiteTest() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Start() {
    auto module = MakeModule(options_, server_options_);
    ASSERT_TRUE(module.ok()) << module.status();
    auto server = server::Server::Start(server_options_, *std::move(module));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = server::Connect(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
    ASSERT_TRUE(BecomesHealthy());
  }

  bool BecomesHealthy() {
    const auto stub = Health::NewStub(channel_);
    for (const auto end = steady_clock::now() + seconds(30); steady_clock::now() < end;) {
      grpc::ClientContext context;
      HealthCheckResponse response;
      if (stub->Check(&context, HealthCheckRequest(), &response).ok() && response.status() == HealthCheckResponse::SERVING) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  // Names of the surveys there are.
  std::vector<std::string> Surveys() {
    grpc::ClientContext context;
    intake::v1::ListSurveysResponse response;
    const grpc::Status status = IntakeService::NewStub(channel_)->ListSurveys(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> names;
    for (const auto& survey : response.surveys()) names.push_back(survey.name());
    return names;
  }

  grpc::Status ApplySurvey() {
    grpc::ClientContext context;
    intake::v1::ApplyDocumentsRequest request;
    request.set_request_id("suite-test");
    auto& document = *request.add_documents();
    document.set_filename("survey.yaml");
    document.set_text("kind: survey\nsurvey: trial\ntitle: A trial\ndescription: Of the suite.\n");
    intake::v1::ApplyDocumentsResponse response;
    return IntakeService::NewStub(channel_)->ApplyDocuments(&context, request, &response);
  }

  std::string directory_;
  Options options_;
  server::Options server_options_;
  std::unique_ptr<server::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(SuiteTest, AnswersForAllServicesAtOneAddress) {
  Start();
  EXPECT_THAT(Surveys(), testing::IsEmpty());
  grpc::ClientContext context;
  registry::v1::GetMunicipalityRequest request;
  request.set_name("municipalities/GM0363");
  registry::v1::GetMunicipalityResponse response;
  const grpc::Status status = RegistryService::NewStub(channel_)->GetMunicipality(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(SuiteTest, LetsTheFirstAdministratorInAndNobodyWithoutAKey) {
  server_options_.insecure = false;
  Start();
  const auto list_keys = [this](const std::string& secret) {
    grpc::ClientContext context;
    if (!secret.empty()) context.AddMetadata("authorization", "Bearer " + secret);
    access::v1::ListKeysResponse response;
    return access::v1::AccessService::NewStub(channel_)->ListKeys(&context, {}, &response).error_code();
  };
  std::string secret;
  std::ifstream(options_.data_dir + "/administrator.key") >> secret;
  EXPECT_EQ(list_keys(secret), grpc::StatusCode::OK);
  EXPECT_EQ(list_keys(""), grpc::StatusCode::UNAUTHENTICATED);
  secret.back() = secret.back() == 'A' ? 'B' : 'A';
  EXPECT_EQ(list_keys(secret), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(SuiteTest, TakesTheAdministratorsKeyFromAFileOfOnesOwn) {
  options_.administrator_key_file = directory_ + "/mine.key";
  Start();
  EXPECT_TRUE(std::filesystem::exists(options_.administrator_key_file));
  EXPECT_FALSE(std::filesystem::exists(options_.data_dir + "/administrator.key"));
}

TEST_F(SuiteTest, KeepsItsDataForTheNextRun) {
  Start();
  const grpc::Status applied = ApplySurvey();
  ASSERT_TRUE(applied.ok()) << applied.error_message();
  server_.reset();
  Start();
  EXPECT_THAT(Surveys(), testing::ElementsAre("surveys/trial"));
}

TEST_F(SuiteTest, RunsAloneOnItsData) {
  Start();
  EXPECT_EQ(status::Reason(MakeModule(options_, server_options_).status()), "STORAGE_IN_USE");
}

// What two processes at two addresses are.
class SharedSuiteTest : public SuiteTest {
 protected:
  void StartOverRedis(const std::string& replica) {
    options_.store = "redis://" + redis_.endpoint();
    options_.vault.keys = "key-1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    options_.replica = replica;
    Start();
  }

  storage::RedisServer redis_;
};

TEST_F(SharedSuiteTest, RunsBesideOthersOverOneStore) {
  StartOverRedis("one");
  auto one = std::move(server_);
  const auto channel_of_one = channel_;
  StartOverRedis("two");
  ASSERT_TRUE(ApplySurvey().ok());
  EXPECT_THAT(Surveys(), testing::ElementsAre("surveys/trial"));
  channel_ = channel_of_one;
  EXPECT_THAT(Surveys(), testing::ElementsAre("surveys/trial"));
  server_.reset();
  EXPECT_TRUE(BecomesHealthy());
  EXPECT_THAT(Surveys(), testing::ElementsAre("surveys/trial"));
  // No files were made.
  EXPECT_FALSE(std::filesystem::exists(options_.data_dir));
}

TEST_F(SuiteTest, KeepsAFileForEachServiceThatHasData) {
  Start();
  for (const char* file : {"access.db", "administrator.key", "intake.db", "dedup.db", "analytics.db"}) {
    EXPECT_TRUE(std::filesystem::exists(options_.data_dir + "/" + file)) << file;
  }
}

TEST_F(SuiteTest, SaysThatItCannotKeepData) {
  std::ofstream(directory_ + "/file") << "in the way";
  options_.data_dir = directory_ + "/file/data";
  EXPECT_EQ(status::Reason(MakeModule(options_, server_options_).status()), "DATA_DIRECTORY_UNUSABLE");
}

TEST_F(SuiteTest, StopsWithoutWaitingForOpenWatches) {
  Start();
  grpc::ClientContext context;
  const auto watch = IntakeService::NewStub(channel_)->WatchWaves(&context, {});
  intake::v1::WatchWavesResponse event;
  ASSERT_TRUE(watch->Read(&event));
  const auto begin = steady_clock::now();
  server_->Shutdown();
  EXPECT_LT(steady_clock::now() - begin, seconds(server_options_.drain_seconds));
  while (watch->Read(&event)) {
  }
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

// The services go before the gateway's own server does; a call that comes in between must not reach for them.
TEST_F(SuiteTest, StopsWhileCallsComeIn) {
  for (int round = 0; round < 5; ++round) {
    Start();
    std::atomic<int> answered = 0;
    const auto call = [&](bool stream) {
      const auto stub = IntakeService::NewStub(channel_);
      while (true) {
        grpc::ClientContext context;
        intake::v1::ListSurveysResponse surveys;
        intake::v1::WatchWavesResponse event;
        grpc::Status status;
        if (stream) {
          const auto watch = stub->WatchWaves(&context, {});
          if (watch->Read(&event)) context.TryCancel();
          status = watch->Finish();
        } else {
          status = stub->ListSurveys(&context, {}, &surveys);
        }
        ++answered;
        if (status.error_code() == grpc::StatusCode::UNAVAILABLE) return;
      }
    };
    std::vector<std::thread> callers;
    callers.reserve(4);
    for (int i = 0; i < 4; ++i) callers.emplace_back(call, i % 2 == 0);
    while (answered < 20) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    server_->Shutdown();
    for (std::thread& caller : callers) caller.join();
    server_.reset();
  }
}

}  // namespace
}  // namespace peiling::suite
