// Servers and channels with certificates of an authority of the test's own.
#include "services/common/tls/tls.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "peiling/access/v1/identity.pb.h"
#include "peiling/validation/v1/validation.grpc.pb.h"
#include "services/common/identity/identity.h"
#include "services/common/server/credentials.h"
#include "services/common/server/server.h"
#include "services/common/status/errors.h"
#include "tests/common/eventually.h"
#include "tests/common/tls/authority.h"

namespace peiling::server {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using std::chrono::hours;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using tls::Authority;
using tls::Files;
using tls::Material;
using validation::v1::CheckQuestionnaireRequest;
using validation::v1::CheckQuestionnaireResponse;
using validation::v1::ValidationService;

// Answers with the name of the caller it was told; while `hold`, later.
class EchoModule final : public Module, ValidationService::Service {
 public:
  EchoModule(bool checks_callers, std::atomic<bool>& hold, std::atomic<int>& entered)
      : checks_callers_(checks_callers), hold_(hold), entered_(entered) {}

  std::string name() const override { return "peiling.validation.v1.ValidationService"; }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(this); }
  bool checks_callers() const override { return checks_callers_; }

 private:
  grpc::Status CheckQuestionnaire(grpc::ServerContext* context, const CheckQuestionnaireRequest*,
                                  CheckQuestionnaireResponse* response) override {
    ++entered_;
    while (hold_ && !context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    response->set_fingerprint(identity::CallerOf(*context).subject());
    return grpc::Status::OK;
  }

  const bool checks_callers_;
  std::atomic<bool>& hold_;
  std::atomic<int>& entered_;
};

class TlsServer : public testing::Test {
 protected:
  TlsServer() {
    options_.listen = "127.0.0.1:0";
    options_.tls = folder_.Write("server", authority_.Issue({.dns = {"peiling-validation"}}));
    options_.drain_seconds = 1;
  }

  absl::StatusOr<std::unique_ptr<Server>> Start() {
    return Server::Start(options_, std::make_unique<EchoModule>(checks_callers_, hold_, entered_));
  }

  void StartOrFail() {
    auto server = Start();
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // What services connect with, believing `material.ca`; a connection of its own.
  std::shared_ptr<grpc::Channel> ChannelWith(const Material& material, const std::string& host = "127.0.0.1") {
    static std::atomic<int> made = 0;
    Options options;
    options.peer_tls = folder_.Write(absl::StrCat("client", ++made), material);
    options.peers["server"] = absl::StrCat(host, ":", server_->port());
    const auto channels = ConnectPeers(options);
    EXPECT_TRUE(channels.ok()) << channels.status();
    return channels->at("server");
  }

  static grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& identity = "", std::string* seen = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(20));
    if (!identity.empty()) {
      access::v1::Identity caller;
      caller.set_subject(identity);
      context.AddMetadata(identity::kIdentityKey, caller.SerializeAsString());
    }
    CheckQuestionnaireResponse response;
    const grpc::Status status = ValidationService::NewStub(channel)->CheckQuestionnaire(&context, {}, &response);
    if (seen != nullptr) *seen = response.fingerprint();
    return status;
  }

  // The names the server shows to a connection made now.
  std::vector<std::string> NamesShown() {
    grpc::ClientContext context;
    HealthCheckResponse response;
    const auto channel = ChannelWith(authority_.Issue({.dns = {"watcher"}}));
    const grpc::Status status = Health::NewStub(channel)->Check(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> names;
    for (const auto& name : context.auth_context()->FindPropertyValues(GRPC_PEER_DNS_PROPERTY_NAME))
      names.emplace_back(name.data(), name.size());
    return names;
  }

  const Authority authority_;
  const tls::Folder folder_;
  Options options_;
  bool checks_callers_ = false;
  std::atomic<bool> hold_ = false;
  std::atomic<int> entered_ = 0;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsServer, AnswersServicesOfTheSameAuthority) {
  StartOrFail();
  const grpc::Status status = Call(ChannelWith(authority_.Issue({.dns = {"peiling-intake"}})));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(TlsServer, RefusesCallersWithoutACertificateThatHolds) {
  StartOrFail();
  const Authority other("Another authority");
  Material none;
  none.ca = authority_.pem();
  Material foreign = other.Issue({.dns = {"peiling-intake"}});
  foreign.ca = authority_.pem();
  for (const Material& shown : {none, foreign, authority_.Issue({.client = false})}) {
    EXPECT_EQ(Call(ChannelWith(shown)).error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  EXPECT_EQ(Call(grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials())).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(entered_, 0);
}

TEST_F(TlsServer, RefusesACallersCertificateThatHasExpired) {
  StartOrFail();
  const Material expired = authority_.Issue({.dns = {"peiling-intake"}, .begin = hours(-2), .end = hours(-1)});
  grpc::SslCredentialsOptions shown{.pem_root_certs = expired.ca, .pem_private_key = expired.key, .pem_cert_chain = expired.certificate};
  EXPECT_EQ(Call(grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::SslCredentials(shown))).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsServer, IsNotBelievedByACallerWithAnotherAuthority) {
  StartOrFail();
  Material suspicious = authority_.Issue({.dns = {"peiling-intake"}});
  suspicious.ca = Authority("Another authority").pem();
  EXPECT_EQ(Call(ChannelWith(suspicious)).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsServer, IsNotBelievedUnderAnotherName) {
  options_.tls = folder_.Write("server", authority_.Issue({.dns = {"elsewhere"}, .server = false}));
  StartOrFail();
  EXPECT_EQ(Call(ChannelWith(authority_.Issue({.dns = {"peiling-intake"}}))).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsServer, BelievesGatewaysWhoCalls) {
  options_.gateway_names = {"peiling-gateway", "urn:peiling:gateway"};
  StartOrFail();
  for (const Material& gateway : {authority_.Issue({.dns = {"peiling-gateway"}}), authority_.Issue({.uris = {"urn:peiling:gateway"}})}) {
    std::string seen;
    const grpc::Status status = Call(ChannelWith(gateway), "keys/0123456789abcdef", &seen);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(seen, "keys/0123456789abcdef");
  }
}

TEST_F(TlsServer, BelievesNobodyElseWhoCalls) {
  StartOrFail();
  for (const Material& service : {authority_.Issue({.dns = {"peiling-intake"}}), authority_.Issue({.dns = {"peiling-gateway.example"}}),
                                  authority_.Issue({.uris = {"https://peiling-gateway/"}})}) {
    const auto channel = ChannelWith(service);
    const grpc::Status refused = Call(channel, "keys/0123456789abcdef");
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED) << refused.error_message();
    std::string seen;
    EXPECT_TRUE(Call(channel, "", &seen).ok());
    EXPECT_EQ(seen, "");
  }
  EXPECT_EQ(entered_, 3);
}

TEST_F(TlsServer, OnlyAsksForACertificateWhenItChecksCallersItself) {
  checks_callers_ = true;
  StartOrFail();
  Material none;
  none.ca = authority_.pem();
  const grpc::Status status = Call(ChannelWith(none));
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(Call(ChannelWith(authority_.Issue({.dns = {"mail.spotler.nl"}}))).ok());
  Material foreign = Authority("Another authority").Issue({.dns = {"mail.spotler.nl"}});
  foreign.ca = authority_.pem();
  EXPECT_EQ(Call(ChannelWith(foreign)).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsServer, AsksNobodyWithoutAuthoritiesOfClients) {
  checks_callers_ = true;
  options_.tls.ca.clear();
  StartOrFail();
  Material foreign = Authority("Another authority").Issue({.dns = {"mail.spotler.nl"}});
  foreign.ca = authority_.pem();
  EXPECT_TRUE(Call(ChannelWith(foreign)).ok());
}

TEST_F(TlsServer, ShowsTheNewCertificateToNewConnectionsAndDropsNoCall) {
  StartOrFail();
  hold_ = true;
  const auto channel = ChannelWith(authority_.Issue({.dns = {"peiling-intake"}}));
  auto call = std::async(std::launch::async, [&] { return Call(channel); });
  ASSERT_TRUE(Eventually([&] { return entered_ == 1; }));
  folder_.Write("server", authority_.Issue({.dns = {"renewed"}}));
  EXPECT_TRUE(Eventually([&] { return NamesShown() == std::vector<std::string>{"renewed", "localhost"}; }));
  hold_ = false;
  EXPECT_TRUE(call.get().ok());
  EXPECT_TRUE(Call(channel).ok());
}

TEST_F(TlsServer, GoesOnWithItsCertificateWhileTheKeyIsThatOfTheNextOne) {
  StartOrFail();
  const Material next = authority_.Issue({.dns = {"renewed"}});
  folder_.Write("server.key", next.key);
  for (const auto end = std::chrono::steady_clock::now() + seconds(5); std::chrono::steady_clock::now() < end;) {
    ASSERT_THAT(NamesShown(), ElementsAre("peiling-validation", "localhost"));
  }
  folder_.Write("server.pem", next.certificate);
  EXPECT_TRUE(Eventually([&] { return NamesShown() == std::vector<std::string>{"renewed", "localhost"}; }));
}

TEST_F(TlsServer, BelievesANewAuthorityOnceItIsInTheFile) {
  StartOrFail();
  const Authority next("Next authority");
  Material client = next.Issue({.dns = {"peiling-intake"}});
  client.ca = authority_.pem();
  const auto channel = ChannelWith(client);
  EXPECT_EQ(Call(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
  folder_.Write("server.ca", authority_.pem() + next.pem());
  EXPECT_TRUE(Eventually([&] { return Call(channel).ok(); }));
}

TEST_F(TlsServer, DoesNotStartWithoutUsableFiles) {
  const std::pair<Files, const char*> cases[] = {
      {{.certificate = "/no/such/file", .key = options_.tls.key, .ca = options_.tls.ca}, "TLS_FILE_UNREADABLE"},
      {{.certificate = options_.tls.certificate, .key = options_.tls.key, .ca = "/no/such/file"}, "TLS_FILE_UNREADABLE"},
      {{.certificate = options_.tls.certificate, .ca = options_.tls.ca}, "TLS_FILE_MISSING"},
      {{.certificate = options_.tls.certificate, .key = options_.tls.key}, "TLS_REQUIRED"},
      {folder_.Write("expired", authority_.Issue({.begin = hours(-2), .end = hours(-1)})), "TLS_CERTIFICATE_EXPIRED"},
      {{}, "TLS_REQUIRED"},
  };
  for (const auto& [files, reason] : cases) {
    options_.tls = files;
    EXPECT_EQ(status::Reason(Start().status()), reason);
  }
}

TEST(Exposure, IsPlaintextOnLoopbackAlone) {
  struct Case {
    const char* listen;
    bool tls, insecure, checks_callers, may;
  };
  const Case cases[] = {
      {"127.0.0.1:7400", false, false, false, false}, {"127.0.0.1:7400", false, true, false, true},
      {"127.0.0.1:7400", false, false, true, true},   {"[::1]:7400", false, true, false, true},
      {"localhost:7400", false, true, false, true},   {"127.8.9.1:7400", false, true, false, true},
      {"0.0.0.0:7400", false, true, false, false},    {"0.0.0.0:7400", false, false, true, false},
      {"0.0.0.0:7400", false, true, true, false},     {":7400", false, true, false, false},
      {"[::]:7400", false, true, false, false},       {"localhost.example:7400", false, true, false, false},
      {"0.0.0.0:7400", true, false, false, true},     {"0.0.0.0:7400", true, false, true, true},
      {"0.0.0.0:7400", true, true, true, false},      {"127.0.0.1:7400", true, true, true, true},
  };
  for (const Case& c : cases) {
    Options options;
    if (c.tls) options.tls = {.certificate = "a", .key = "b", .ca = "c"};
    options.insecure = c.insecure;
    const absl::Status may = CheckExposure(c.listen, options, c.checks_callers);
    EXPECT_EQ(may.ok(), c.may) << c.listen << " " << c.tls << c.insecure << c.checks_callers;
    if (c.may) continue;
    EXPECT_EQ(status::Reason(may), "TLS_REQUIRED");
    EXPECT_THAT(std::string(may.message()), AllOf(HasSubstr(c.listen), HasSubstr("--")));
  }
}

TEST(Peers, AreCalledInPlaintextOnLoopbackAlone) {
  Options options;
  options.peers = {{"a", "127.0.0.1:1"},      {"b", "localhost:1"}, {"c", "dns:///localhost:1"},
                   {"d", "ipv4:127.0.0.1:1"}, {"e", "[::1]:1"},     {"f", "ipv4:127.0.0.1:1,127.0.0.1:2"}};
  EXPECT_TRUE(ConnectPeers(options).ok());
  for (const char* address : {"intake:7400", "dns:///intake.peiling.svc:7400", "192.0.2.1:7400", "ipv4:192.0.2.1:7400",
                              "ipv4:127.0.0.1:1,192.0.2.1:2", "ipv4:192.0.2.1:2,127.0.0.1:1"}) {
    options.peers = {{"intake", address}};
    const auto connected = ConnectPeers(options);
    EXPECT_EQ(status::Reason(connected.status()), "TLS_REQUIRED") << address;
    EXPECT_THAT(std::string(connected.status().message()), AllOf(HasSubstr(address), HasSubstr("--peer-ca")));
  }
}

TEST(Peers, AreCalledWithFilesThatCanBeUsed) {
  Options options;
  options.peer_tls.ca = "/no/such/file";
  EXPECT_EQ(status::Reason(ConnectPeers(options).status()), "TLS_FILE_UNREADABLE");
}

// A channel to a server that another one takes the place of, so that it has to connect anew.
class TlsChannel : public TlsServer {
 protected:
  TlsChannel() {
    StartOrFail();
    options_.listen = absl::StrCat("127.0.0.1:", server_->port());
    Options peer;
    peer.peer_tls = folder_.Write("peer", authority_.Issue({.dns = {"peiling-intake"}}));
    peer.peers["server"] = options_.listen;
    channel_ = ConnectPeers(peer)->at("server");
    EXPECT_TRUE(Call(channel_).ok());
  }

  // What a call as a gateway comes to over a new connection.
  grpc::StatusCode CallAnew() {
    server_.reset();
    StartOrFail();
    grpc::Status status;
    const auto end = std::chrono::steady_clock::now() + seconds(3);
    do {
      status = Call(channel_, "keys/0123456789abcdef");
    } while (status.error_code() == grpc::StatusCode::UNAVAILABLE && std::chrono::steady_clock::now() < end);
    return status.error_code();
  }

  std::shared_ptr<grpc::Channel> channel_;
  const Material gateway_ = authority_.Issue({.dns = {"peiling-gateway"}});
};

TEST_F(TlsChannel, ShowsItsNewCertificateWhenItConnectsAnew) {
  ASSERT_EQ(CallAnew(), grpc::StatusCode::PERMISSION_DENIED);
  folder_.Write("peer", gateway_);
  EXPECT_TRUE(Eventually([&] { return CallAnew() == grpc::StatusCode::OK; }));
}

TEST_F(TlsChannel, LivesThroughFilesThatDoNotFitAndAreNotThere) {
  folder_.Write("peer.key", gateway_.key);
  EXPECT_TRUE(Eventually([&] { return CallAnew() == grpc::StatusCode::UNAVAILABLE; }));
  folder_.Remove("peer.pem");
  EXPECT_EQ(CallAnew(), grpc::StatusCode::UNAVAILABLE);
  folder_.Write("peer.pem", gateway_.certificate);
  EXPECT_TRUE(Eventually([&] { return CallAnew() == grpc::StatusCode::OK; }));
}

// Health over the plaintext port.
class HealthPortTest : public TlsServer {
 protected:
  HealthPortTest() { options_.health_listen = "127.0.0.1:0"; }

  std::shared_ptr<grpc::Channel> Probe() {
    return grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->health_port()), grpc::InsecureChannelCredentials());
  }

  HealthCheckResponse::ServingStatus HealthOf(const std::string& name) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(name);
    HealthCheckResponse response;
    const grpc::Status status = Health::NewStub(Probe())->Check(&context, request, &response);
    return status.ok() ? response.status() : HealthCheckResponse::SERVICE_UNKNOWN;
  }
};

TEST_F(HealthPortTest, TellsTheHealthOfTheServer) {
  StartOrFail();
  EXPECT_GT(server_->health_port(), 0);
  EXPECT_NE(server_->health_port(), server_->port());
  for (const char* name : {"", "alive", "peiling.validation.v1.ValidationService"}) EXPECT_EQ(HealthOf(name), HealthCheckResponse::SERVING);
  EXPECT_EQ(HealthOf("no.such.Service"), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_F(HealthPortTest, LetsHealthBeWatchedToTheEnd) {
  StartOrFail();
  grpc::ClientContext context;
  auto watch = Health::NewStub(Probe())->Watch(&context, {});
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  auto shutdown = std::async(std::launch::async, [&] { server_->Shutdown(); });
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  shutdown.get();
}

TEST_F(HealthPortTest, AnswersNothingElse) {
  StartOrFail();
  EXPECT_EQ(Call(Probe()).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  grpc::GenericStub stub(Probe());
  for (const char* method :
       {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "/peiling.access.v1.AccessService/CreateKey"}) {
    grpc::ClientContext context;
    std::promise<grpc::Status> done;
    const grpc::Slice nothing("");
    grpc::ByteBuffer request(&nothing, 1), response;
    stub.UnaryCall(&context, method, {}, &request, &response, [&](const grpc::Status& status) { done.set_value(status); });
    EXPECT_EQ(done.get_future().get().error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
  }
}

TEST_F(HealthPortTest, SaysThatItsPortIsTaken) {
  StartOrFail();
  options_.health_listen = absl::StrCat("127.0.0.1:", server_->health_port());
  EXPECT_EQ(status::Reason(Start().status()), "PORT_TAKEN");
}

}  // namespace
}  // namespace peiling::server
