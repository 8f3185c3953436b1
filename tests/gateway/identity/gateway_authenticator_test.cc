#include "services/gateway/identity/gateway_authenticator.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>

#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/common/server/metrics.h"
#include "services/common/status/errors.h"
#include "tests/common/eventually.h"
#include "tests/gateway/identity/fake_access.h"
#include "tests/gateway/identity/fake_fieldwork.h"
#include "tests/gateway/identity/http_stub.h"
#include "tests/gateway/identity/token_maker.h"

namespace peiling::gateway {
namespace {

using std::chrono::system_clock;

constexpr char kId[] = "0123456789abcdef";

class GatewayAuthenticatorTest : public ::testing::Test {
 protected:
  GatewayAuthenticatorTest() {
    char name[] = "/tmp/gateway_authenticator_test.XXXXXX";
    directory_ = ::mkdtemp(name);
    options_.access_file = directory_ + "/access.yaml";
    http_.Answer(200, KeySet({key_}));
    Write(Rules());
  }
  ~GatewayAuthenticatorTest() override {
    authenticator_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::string Rules(const std::string& role = "analyst") const {
    return absl::StrCat("issuers: [{issuer: 'https://a.nl', audience: peiling, jwks: '", http_.address(), "', grants: {x: {role: ", role,
                        "}}}]\ncertificates: [{name: mail.nl, title: Mail, grants: [{role: mailer}]}]\nproxies: [nginx]\n");
  }
  void Write(const std::string& text) const {
    std::ofstream(options_.access_file + ".new") << text;
    std::filesystem::rename(options_.access_file + ".new", options_.access_file);
  }
  void Start() {
    auto made = MakeAuthenticator(options_, access_.Connect(), fieldwork_.Connect());
    ASSERT_TRUE(made.ok()) << made.status();
    authenticator_ = *std::move(made);
    authenticator_->Start();
    ASSERT_TRUE(Eventually([this] { return authenticator_->not_ready_reason().empty(); }));
  }

  absl::StatusOr<access::v1::Identity> Authenticate(const Credentials& credentials) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<access::v1::Identity>>>();
    authenticator_->Authenticate(credentials, [promise](auto identity) { promise->set_value(std::move(identity)); });
    auto future = promise->get_future();
    if (future.wait_for(std::chrono::seconds(20)) != std::future_status::ready) return absl::UnknownError("no answer");
    return future.get();
  }
  // Subject and first role of who was let in, or the reason of the error.
  std::string Who(const Credentials& credentials) {
    const auto identity = Authenticate(credentials);
    if (!identity.ok()) return status::Reason(identity.status());
    return absl::StrCat(identity->subject(), identity->grants().empty() ? "" : absl::StrCat(" ", identity->grants(0).role()));
  }
  std::string Token(std::chrono::seconds from_now = std::chrono::seconds(100)) const {
    return gateway::Token(key_, absl::StrCat(R"({"iss":"https://a.nl","aud":"peiling","sub":"f00","roles":["x"],"exp":)",
                                             system_clock::to_time_t(system_clock::now() + from_now), "}"));
  }

  static double Count(const std::string& credential, const std::string& result) {
    for (const auto& family : server::Metrics().Collect()) {
      if (family.name != "peiling_gateway_authentications_total") continue;
      for (const auto& metric : family.metric) {
        if (metric.label.at(0).value == credential && metric.label.at(1).value == result) return metric.counter.value;
      }
    }
    return 0;
  }

  const SigningKey key_ = SigningKey::Ec("k");
  FakeAccess access_;
  FakeFieldwork fieldwork_;
  HttpStub http_;
  std::string directory_;
  IdentityOptions options_;
  std::unique_ptr<GatewayAuthenticator> authenticator_;
};

TEST_F(GatewayAuthenticatorTest, KeysTokensAndCertificatesAreWhoTheySay) {
  const std::string secret = access_.AddKey(kId);
  Start();
  for (const char* scheme : {"Bearer ", "bearer ", "BEARER   "}) {
    EXPECT_EQ(Who({scheme + secret, ""}), "keys/0123456789abcdef 2") << scheme;
    EXPECT_EQ(Who({scheme + Token(), ""}), "tokens/a.nl/f00 3") << scheme;
  }
  EXPECT_EQ(Who({"", Certificate("DNS:mail.nl")}), "certificates/mail.nl 2");
}

TEST_F(GatewayAuthenticatorTest, InvitationIsWhoFieldworkSays) {
  fieldwork_.Issue("GM0363");
  Start();
  const double ok = Count("invitation", "ok");
  const double invalid = Count("invitation", "invalid");
  const double uncheckable = Count("invitation", "uncheckable");
  EXPECT_EQ(Who({"Bearer " + FakeFieldwork::TokenOf("GM0363"), Certificate("DNS:mail.nl")}), "surveys/s/waves/2026/invitations/GM0363 1");
  EXPECT_EQ(Who({"Basic " + FakeFieldwork::TokenOf("GM0363"), ""}), "CREDENTIALS_INVALID");
  fieldwork_.Fail({grpc::StatusCode::UNAVAILABLE, "away"});
  EXPECT_EQ(Who({"Bearer " + FakeFieldwork::TokenOf("GM0014"), ""}), "CREDENTIALS_UNCHECKABLE");
  fieldwork_.Fail(grpc::Status::OK);
  EXPECT_EQ(Who({"Bearer " + FakeFieldwork::TokenOf("GM0014"), ""}), "CREDENTIALS_INVALID");
  EXPECT_EQ(Count("invitation", "ok"), ok + 1);
  EXPECT_EQ(Count("invitation", "invalid"), invalid + 1);
  EXPECT_EQ(Count("invitation", "uncheckable"), uncheckable + 1);
}

TEST_F(GatewayAuthenticatorTest, WhateverIsWrongHasOneMessage) {
  const std::string revoked = access_.AddKey("00000000000000aa");
  access_.Revoke("00000000000000aa");
  const std::string good = access_.AddKey(kId);
  Start();
  const Credentials cases[] = {{"Bearer " + identity::NewSecret(kId), ""},
                               {"Bearer " + revoked, ""},
                               {"Bearer " + identity::NewSecret("00000000000000bb"), ""},
                               {"Bearer x", ""},
                               {"Bearer ", ""},
                               {"Bearer " + good + " " + good, ""},
                               {" ", ""},
                               {"Basic YTpi", ""},
                               {"Bearer " + Token() + "x", ""},
                               {"Bearer a.b.c", ""},
                               {Token(), ""},
                               {good, ""},
                               {"Bearer" + good, ""},
                               {"Bearer " + FakeFieldwork::TokenOf("GM0363"), ""},
                               {"Bearer peiling-uitnodiging_", ""},
                               {"", Certificate("DNS:other.nl")},
                               {"", "x"}};
  std::set<std::string> answers;
  for (const Credentials& each : cases) {
    const auto identity = Authenticate(each);
    ASSERT_FALSE(identity.ok()) << each.authorization;
    answers.insert(identity.status().ToString());
    EXPECT_EQ(status::Reason(identity.status()), "CREDENTIALS_INVALID") << each.authorization;
    EXPECT_EQ(identity.status().code(), absl::StatusCode::kUnauthenticated);
  }
  EXPECT_EQ(answers.size(), 1u);
}

TEST_F(GatewayAuthenticatorTest, WhatIsShownInTheHeaderGoesBeforeTheCertificate) {
  const std::string secret = access_.AddKey(kId);
  Start();
  EXPECT_EQ(Who({"Bearer " + secret, Certificate("DNS:mail.nl")}), "keys/0123456789abcdef 2");
  EXPECT_EQ(Who({"Bearer x", Certificate("DNS:mail.nl")}), "CREDENTIALS_INVALID");
}

TEST_F(GatewayAuthenticatorTest, WhatHasExpiredIsToldSo) {
  const std::string secret = access_.AddKey(kId, system_clock::to_time_t(system_clock::now()) - 1);
  Start();
  EXPECT_EQ(Who({"Bearer " + secret, ""}), "TOKEN_EXPIRED");
  EXPECT_EQ(Who({"Bearer " + Token(std::chrono::seconds(-3600)), ""}), "TOKEN_EXPIRED");
}

TEST_F(GatewayAuthenticatorTest, WithoutCredentialsNobodyIsLetIn) {
  Start();
  const auto identity = Authenticate({});
  EXPECT_EQ(status::Reason(identity.status()), "CREDENTIALS_MISSING");
  EXPECT_EQ(identity.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Who({"", Certificate("DNS:nginx")}), "CREDENTIALS_MISSING");
}

TEST_F(GatewayAuthenticatorTest, ForDevelopmentNothingIsEveryRoleAndWhatIsShownIsChecked) {
  options_.allow_anonymous = true;
  Start();
  const auto identity = Authenticate({});
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->subject(), "development");
  EXPECT_EQ(identity->credential(), access::v1::CREDENTIAL_KIND_NONE);
  EXPECT_EQ(identity->grants_size(), 6);
  EXPECT_EQ(Who({"Bearer x", ""}), "CREDENTIALS_INVALID");
  EXPECT_EQ(Who({"", Certificate("DNS:other.nl")}), "CREDENTIALS_INVALID");
  EXPECT_EQ(Who({"", Certificate("DNS:nginx")}), "development 1");
}

TEST_F(GatewayAuthenticatorTest, TheAccessFileIsReadAgainWhenItChanges) {
  Start();
  const std::string token = Token();
  EXPECT_EQ(Who({"Bearer " + token, ""}), "tokens/a.nl/f00 3");
  EXPECT_TRUE(authenticator_->IsProxy(Certificate("DNS:nginx")));
  Write(Rules("researcher"));
  EXPECT_TRUE(Eventually([&] { return Who({"Bearer " + token, ""}) == "tokens/a.nl/f00 4"; }));
  EXPECT_EQ(http_.calls(), 1) << "the issuer's keys stay";
  Write("proxies: [other]");
  EXPECT_TRUE(Eventually([&] { return Who({"Bearer " + token, ""}) == "CREDENTIALS_INVALID"; }));
  EXPECT_FALSE(authenticator_->IsProxy(Certificate("DNS:nginx")));
  EXPECT_TRUE(authenticator_->IsProxy(Certificate("DNS:other")));
  EXPECT_EQ(Who({"", Certificate("DNS:mail.nl")}), "CREDENTIALS_INVALID");
  Write(Rules());
  EXPECT_TRUE(Eventually([&] { return Who({"Bearer " + token, ""}) == "tokens/a.nl/f00 3"; }));
}

TEST_F(GatewayAuthenticatorTest, CredentialsHoldUntilTheyAreRevokedExpiredOrNoLongerBelieved) {
  options_.clock_skew = std::chrono::seconds(0);
  const std::string key = access_.AddKey(kId);
  const std::string short_key = access_.AddKey("00000000000000aa", system_clock::to_time_t(system_clock::now()) + 3);
  Start();
  const auto by_key = Authenticate({"Bearer " + key, ""});
  const auto by_short_key = Authenticate({"Bearer " + short_key, ""});
  const auto by_token = Authenticate({"Bearer " + Token(), ""});
  const auto by_short_token = Authenticate({"Bearer " + Token(std::chrono::seconds(3)), ""});
  const auto by_certificate = Authenticate({"", Certificate("DNS:mail.nl")});
  const auto holds = [this](const absl::StatusOr<access::v1::Identity>& who) { return authenticator_->StillHolds(who.value()); };
  for (const auto* who : {&by_key, &by_short_key, &by_token, &by_short_token, &by_certificate}) {
    ASSERT_TRUE(who->ok()) << who->status();
    EXPECT_TRUE(holds(*who)) << (*who)->subject();
  }
  EXPECT_TRUE(Eventually([&] { return !holds(by_short_key) && !holds(by_short_token); }));
  EXPECT_TRUE(holds(by_key) && holds(by_token) && holds(by_certificate));
  access_.Revoke(kId);
  EXPECT_TRUE(Eventually([&] { return !holds(by_key); }));
  EXPECT_TRUE(holds(by_token) && holds(by_certificate));
  Write("proxies: [other]");
  EXPECT_TRUE(Eventually([&] { return !holds(by_token) && !holds(by_certificate); }));
}

TEST_F(GatewayAuthenticatorTest, AWrongAccessFileIsAnErrorFromTheStart) {
  Write("proxies: x");
  EXPECT_EQ(status::Reason(MakeAuthenticator(options_, access_.Connect(), fieldwork_.Connect()).status()), "ACCESS_FILE_INVALID");
  options_.access_file = directory_ + "/none";
  EXPECT_EQ(status::Reason(MakeAuthenticator(options_, access_.Connect(), fieldwork_.Connect()).status()), "ACCESS_FILE_UNREADABLE");
}

TEST_F(GatewayAuthenticatorTest, WithoutAccessKeysCannotBeCheckedAndAllElseCan) {
  access_.Break({grpc::StatusCode::UNAVAILABLE, "away"});
  authenticator_ = *MakeAuthenticator(options_, access_.Connect(), fieldwork_.Connect());
  authenticator_->Start();
  const auto identity = Authenticate({"Bearer " + identity::NewSecret(kId), ""});
  EXPECT_EQ(identity.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status::Reason(identity.status()), "CREDENTIALS_UNCHECKABLE");
  EXPECT_NE(authenticator_->not_ready_reason(), "");
  EXPECT_EQ(Who({"Bearer " + Token(), ""}), "tokens/a.nl/f00 3");
  EXPECT_EQ(Who({"", Certificate("DNS:mail.nl")}), "certificates/mail.nl 2");
}

TEST_F(GatewayAuthenticatorTest, AFloodOfGuessesIsToldToComeBackLater) {
  Start();
  std::mutex mutex;
  std::vector<absl::Status> answers;
  for (int i = 0; i < 100; ++i) {
    authenticator_->Authenticate({"Bearer " + identity::NewSecret(identity::NewKeyId()), ""}, [&](const auto& identity) {
      const std::lock_guard lock(mutex);
      answers.push_back(identity.status());
    });
  }
  authenticator_->Stop();
  ASSERT_EQ(answers.size(), 100u);
  EXPECT_EQ(answers[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::Reason(answers[0]), "TOO_MANY_CREDENTIALS");
  EXPECT_TRUE(status::RetryDelay(answers[0]).has_value());
  EXPECT_EQ(status::Reason(answers.back()), "CREDENTIALS_UNCHECKABLE") << "stopping ends what waits";
}

TEST_F(GatewayAuthenticatorTest, EveryResultIsCounted) {
  Start();
  const double ok = Count("token", "ok");
  const double invalid = Count("key", "invalid");
  const double missing = Count("none", "missing");
  Authenticate({"Bearer " + Token(), ""}).IgnoreError();
  Authenticate({"Bearer x", ""}).IgnoreError();
  Authenticate({}).IgnoreError();
  EXPECT_EQ(Count("token", "ok"), ok + 1);
  EXPECT_EQ(Count("key", "invalid"), invalid + 1);
  EXPECT_EQ(Count("none", "missing"), missing + 1);
}

TEST(IdentityFlags, AreReadFromTheEnvironmentToo) {
  CLI::App app;
  IdentityOptions options;
  AddFlags(app, options);
  ::setenv("PEILING_GATEWAY_TOKEN_CLOCK_SKEW", "5", 1);
  const char* arguments[] = {"x", "--access-file", "/f", "--token-keys-interval", "7", "--key-threads", "3", "--token-keys-ca", "/ca"};
  app.parse(9, arguments);
  ::unsetenv("PEILING_GATEWAY_TOKEN_CLOCK_SKEW");
  EXPECT_EQ(options.clock_skew, std::chrono::seconds(5));
  EXPECT_EQ(options.token_keys_interval, std::chrono::seconds(7));
  EXPECT_EQ(options.access_file, "/f");
  EXPECT_EQ(options.key_threads, 3);
  EXPECT_EQ(options.token_keys_ca, "/ca");
}

TEST(IdentityFlags, KeysOfIssuersAreReadAgainLongBeforeTheyAreTooOld) {
  for (const char* seconds : {"0", "43201"}) {
    CLI::App app;
    IdentityOptions options;
    AddFlags(app, options);
    const char* arguments[] = {"x", "--token-keys-interval", seconds};
    EXPECT_THROW(app.parse(3, arguments), CLI::ValidationError) << seconds;
  }
}

}  // namespace
}  // namespace peiling::gateway
