// What peilingctl shows to be let in, to whom, and what it says when that does not do.
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/grpcpp.h"
#include "services/common/status/errors.h"
#include "tests/common/tls/authority.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using tls::Authority;

constexpr char kKey[] = "peiling_0123456789abcdef_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

// Answers every call with an empty message, or refuses it, and keeps what it was shown.
class Doorman final : public grpc::CallbackGenericService {
 public:
  explicit Doorman(const std::shared_ptr<grpc::ServerCredentials>& credentials = grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
  }
  ~Doorman() override { server_->Shutdown(); }

  void Refuse(const absl::Status& error) { answer_ = status::ToGrpc(error); }
  std::string address(const std::string& host = "127.0.0.1") const { return absl::StrCat(host, ":", port_); }
  // The values of "authorization" of all calls; "none" for those without.
  std::vector<std::string> shown() {
    const std::lock_guard lock(mutex_);
    return shown_;
  }

 private:
  class Answer : public grpc::ServerGenericBidiReactor {
   public:
    explicit Answer(const grpc::Status& status) {
      if (!status.ok()) {
        Finish(status);
        return;
      }
      const grpc::Slice nothing("");
      empty_ = grpc::ByteBuffer(&nothing, 1);
      StartWriteAndFinish(&empty_, {}, status);
    }
    void OnDone() override { delete this; }

   private:
    grpc::ByteBuffer empty_;
  };

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    const auto found = context->client_metadata().find("authorization");
    const std::lock_guard lock(mutex_);
    shown_.push_back(found == context->client_metadata().end() ? "none" : std::string(found->second.data(), found->second.size()));
    return new Answer(answer_);
  }

  int port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> shown_;
  grpc::Status answer_;
  std::unique_ptr<grpc::Server> server_;
};

class CredentialsTest : public ::testing::Test {
 protected:
  // Credentials of a listener that shows this certificate.
  std::shared_ptr<grpc::ServerCredentials> Tls(const tls::Material& material) {
    grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = material.ca;
    options.pem_key_cert_pairs.push_back({.private_key = material.key, .cert_chain = material.certificate});
    return grpc::SslServerCredentials(options);
  }

  const Authority authority_;
  const TemporaryFolder folder_;
  const std::string key_file_ = folder_.Write("key", absl::StrCat(kKey, "\n"));
  const std::string ca_file_ = folder_.Write("ca.pem", authority_.pem());
};

TEST_F(CredentialsTest, NothingIsShownUnlessTold) {
  Doorman doorman;
  EXPECT_EQ(RunCtl(doorman.address(), {"get", "waves"}).code, 0);
  EXPECT_THAT(doorman.shown(), ElementsAre("none"));
}

TEST_F(CredentialsTest, AKeyOrTokenIsShownFromEveryPlaceItMayStand) {
  const std::pair<std::vector<std::string>, std::vector<std::string>> cases[] = {
      {{"get", "waves", "--key-file", key_file_}, {}},
      {{"get", "waves"}, {"PEILING_KEY_FILE=" + key_file_}},
      {{"get", "waves", "--token-file", key_file_}, {}},
      {{"get", "waves"}, {"PEILING_TOKEN_FILE=" + key_file_}},
      {{"get", "waves"}, {absl::StrCat("PEILING_API_KEY=", kKey)}},
  };
  for (const auto& [arguments, environment] : cases) {
    Doorman doorman;
    const Outcome outcome = RunCtl(doorman.address(), arguments, environment);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(doorman.shown(), ElementsAre(absl::StrCat("Bearer ", kKey)));
  }
}

TEST_F(CredentialsTest, AFileWithoutAKeyIsRefusedBeforeACall) {
  Doorman doorman;
  for (const char* text : {"", "\n", "two words", "two\nlines", "caf\xc3\xa9"}) {
    const Outcome outcome = RunCtl(doorman.address(), {"get", "waves", "--key-file", folder_.Write("bad", text)});
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("holds no key or token"));
  }
  const Outcome missing = RunCtl(doorman.address(), {"get", "waves", "--key-file", folder_.Path("missing")});
  EXPECT_EQ(missing.code, 3);
  EXPECT_THAT(missing.err, HasSubstr("missing"));
  EXPECT_THAT(doorman.shown(), IsEmpty());
}

TEST_F(CredentialsTest, ASecretThatOthersCanReadIsTakenWithAWarning) {
  const tls::Material material = authority_.Issue({.dns = {"client"}});
  const std::string key = folder_.Write("tls.key", material.key);
  const std::string certificate = folder_.Write("tls.pem", material.certificate);
  const std::pair<std::string, std::vector<std::string>> cases[] = {
      {key_file_, {"get", "waves", "--key-file", key_file_}},
      {key_file_, {"get", "waves", "--token-file", key_file_}},
      {key, {"get", "waves", "--tls-key", key, "--tls-certificate", certificate, "--tls-ca", ca_file_}},
  };
  Doorman doorman;
  Doorman tls_doorman(Tls(authority_.Issue({.dns = {"server"}})));
  for (const auto& [secret, arguments] : cases) {
    const std::string address = secret == key ? tls_doorman.address("localhost") : doorman.address();
    std::filesystem::permissions(secret, std::filesystem::perms(0644));
    const Outcome exposed = RunCtl(address, arguments);
    EXPECT_EQ(exposed.code, 0) << exposed.err;
    EXPECT_EQ(exposed.err, absl::StrCat("warning: others than its owner can read ", secret, ": chmod 600 ", secret, "\n"));
    std::filesystem::permissions(secret, std::filesystem::perms(0600));
    EXPECT_THAT(RunCtl(address, arguments).err, IsEmpty());
  }
}

TEST_F(CredentialsTest, OneOfSeveralIsNotGuessed) {
  Doorman doorman;
  const Outcome outcome = RunCtl(doorman.address(), {"get", "waves", "--key-file", key_file_}, {"PEILING_TOKEN_FILE=" + key_file_});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("several"));
  EXPECT_THAT(doorman.shown(), IsEmpty());
}

TEST_F(CredentialsTest, AKeyIsNotSentOverTheNetworkInPlaintext) {
  for (const char* server : {"peiling.example.nl:7340", "192.0.2.1:7340", "dns:///peiling.example.nl:7340"}) {
    const Outcome outcome = RunCtl(server, {"get", "waves", "--key-file", key_file_});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("plaintext"), HasSubstr("--tls-ca"), HasSubstr("https://"), Not(HasSubstr(kKey))));
  }
}

TEST_F(CredentialsTest, AKeyForThisMachineGoesThroughNoProxy) {
  Doorman doorman;
  const Outcome outcome = RunCtl(doorman.address(), {"get", "waves", "--key-file", key_file_}, {"http_proxy=http://127.0.0.1:1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(doorman.shown(), ElementsAre(absl::StrCat("Bearer ", kKey)));
}

TEST_F(CredentialsTest, AServerIsCalledWithTlsAndMustHaveACertificateThatIsBelieved) {
  Doorman doorman(Tls(authority_.Issue({})));
  const std::vector<std::string> command = {"get", "waves", "--key-file", key_file_};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), command.begin(), command.end());
    return more;
  };
  for (const std::string& server :
       {doorman.address(), doorman.address("localhost"), "https://" + doorman.address(), "https://" + doorman.address("localhost") + "/"}) {
    const Outcome outcome = RunCtl(server, with({"--tls-ca", ca_file_}));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  }
  EXPECT_EQ(RunCtl(doorman.address(), command, {"PEILING_CTL_TLS_CA=" + ca_file_}).code, 0);
  EXPECT_EQ(doorman.shown().size(), 5);

  const Outcome system = RunCtl("https://" + doorman.address(), command);
  EXPECT_EQ(system.code, 5);
  EXPECT_THAT(system.err, AllOf(HasSubstr("cannot reach"), HasSubstr("--tls-ca")));
  const std::string other = folder_.Write("other.pem", Authority("Another authority").pem());
  EXPECT_EQ(RunCtl(doorman.address(), with({"--tls-ca", other})).code, 5);
  EXPECT_EQ(doorman.shown().size(), 5);
}

TEST_F(CredentialsTest, AServerUnderAnotherNameIsNotBelieved) {
  Doorman doorman(Tls(authority_.Issue({.dns = {"elsewhere"}, .server = false})));
  const Outcome outcome = RunCtl(doorman.address(), {"get", "waves", "--key-file", key_file_, "--tls-ca", ca_file_});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(doorman.shown(), IsEmpty());
}

TEST_F(CredentialsTest, ACertificateIsShownToAServerThatWantsOne) {
  const tls::Material server = authority_.Issue({}), own = authority_.Issue({.dns = {"researcher"}, .server = false});
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = authority_.pem();
  options.pem_key_cert_pairs.push_back({.private_key = server.key, .cert_chain = server.certificate});
  Doorman doorman(grpc::SslServerCredentials(options));
  const std::string certificate = folder_.Write("own.pem", own.certificate), key = folder_.Write("own.key", own.key);
  EXPECT_EQ(RunCtl(doorman.address(), {"get", "waves", "--tls-ca", ca_file_, "--tls-certificate", certificate, "--tls-key", key}).code, 0);
  EXPECT_EQ(RunCtl(doorman.address(), {"get", "waves", "--tls-ca", ca_file_}).code, 5);
  const Outcome unpaired = RunCtl(doorman.address(), {"get", "waves", "--tls-ca", ca_file_, "--tls-certificate", certificate});
  EXPECT_NE(unpaired.code, 0);
  EXPECT_THAT(unpaired.err, HasSubstr("own.pem"));
}

TEST_F(CredentialsTest, TlsToAServerWithoutItSaysSo) {
  Doorman doorman;
  const Outcome outcome = RunCtl("https://" + doorman.address(), {"get", "waves"});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("does not speak TLS"));
}

TEST_F(CredentialsTest, WhoIsNotLetInIsToldWhatToDo) {
  const std::pair<absl::Status, const char*> cases[] = {
      {status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_MISSING", "who are you?"), "--key-file"},
      {status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_INVALID", "not known"), "peilingctl keys list"},
      {status::Error(absl::StatusCode::kUnauthenticated, "TOKEN_EXPIRED", "expired"), "log in again"},
      {status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_WITHDRAWN", "no longer hold"), "another key or token"},
      {status::Error(absl::StatusCode::kPermissionDenied, "ROLE_MISSING", "for administrators"), "peilingctl whoami"},
      {status::Error(absl::StatusCode::kPermissionDenied, "NOT_WITHIN_LIMITS", "not this wave"), "peilingctl whoami"},
  };
  for (const auto& [error, hint] : cases) {
    Doorman doorman;
    doorman.Refuse(error);
    const Outcome outcome = RunCtl(doorman.address(), {"get", "waves", "--key-file", key_file_});
    EXPECT_EQ(outcome.code, 7);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(std::string(error.message())), HasSubstr(hint), Not(HasSubstr(kKey))));
  }
}

}  // namespace
}  // namespace peiling::ctl::testing
