#include "services/gateway/identity/certificates.h"

#include <atomic>
#include <string>

#include "gtest/gtest.h"
#include "tests/gateway/identity/token_maker.h"

namespace peiling::gateway {
namespace {

using Result = Verdict::Result;
using std::chrono::system_clock;

AccessRules Rules() {
  AccessRules rules;
  for (const char* name : {"mail.spotler.nl", "spiffe://vng/dashboard"}) {
    CertificateRules& certificate = rules.certificates.emplace_back();
    certificate.name = name;
    certificate.title = std::string("title of ") + name;
    certificate.grants.Add()->set_role(access::v1::ROLE_MAILER);
  }
  rules.proxies = {"peiling-nginx"};
  return rules;
}

TEST(Certificates, ANameOfTheFileIsAnIdentity) {
  Certificates certificates(Rules());
  const auto end = system_clock::to_time_t(system_clock::now()) + 3600;
  for (int i = 0; i < 2; ++i) {
    const Verdict verdict = certificates.Check(Certificate("DNS:other.nl,DNS:mail.spotler.nl"));
    ASSERT_EQ(verdict.result, Result::kHolds) << verdict.why;
    EXPECT_EQ(verdict.identity.subject(), "certificates/mail.spotler.nl");
    EXPECT_EQ(verdict.identity.title(), "title of mail.spotler.nl");
    EXPECT_EQ(verdict.identity.credential(), access::v1::CREDENTIAL_KIND_CERTIFICATE);
    EXPECT_EQ(verdict.identity.grants_size(), 1);
    EXPECT_NEAR(static_cast<double>(verdict.identity.expires_at().seconds()), static_cast<double>(end), 60);
  }
  EXPECT_EQ(certificates.Check(Certificate("URI:spiffe://vng/dashboard")).identity.subject(), "certificates/spiffe://vng/dashboard");
}

TEST(Certificates, OthersAreNobody) {
  Certificates certificates(Rules());
  const std::string good = Certificate("DNS:mail.spotler.nl");
  const std::string others[] = {Certificate("DNS:spotler.nl"),
                                Certificate("DNS:*.spotler.nl"),
                                Certificate("DNS:mail.spotler.nl.evil.nl"),
                                Certificate("DNS:MAIL.spotler.nl"),
                                Certificate("email:mail@mail.spotler.nl"),
                                Certificate("IP:127.0.0.1"),
                                Certificate(""),
                                "x",
                                good.substr(0, good.size() / 2),
                                std::string(100'000, 'x')};
  for (const std::string& pem : others) {
    EXPECT_EQ(certificates.Check(pem).result, Result::kInvalid) << pem;
    EXPECT_FALSE(certificates.IsProxy(pem)) << pem;
  }
}

TEST(Certificates, OneThatIsNotValidAtTheTimeHoldsNot) {
  std::atomic<system_clock::time_point> now = system_clock::now();
  Certificates certificates(Rules(), [&now] { return now.load(); });
  const std::string pem = Certificate("DNS:mail.spotler.nl", -60, 60);
  EXPECT_EQ(certificates.Check(pem).result, Result::kHolds);
  now = system_clock::now() + std::chrono::seconds(90);
  EXPECT_EQ(certificates.Check(pem).result, Result::kInvalid);
  now = system_clock::now() - std::chrono::seconds(90);
  EXPECT_EQ(certificates.Check(pem).result, Result::kInvalid);
  now = system_clock::now();
  constexpr long kThousands = 100'000'000'000;  // Of years: 3.
  EXPECT_EQ(certificates.Check(Certificate("DNS:mail.spotler.nl", -60, kThousands)).result, Result::kHolds);
  EXPECT_EQ(certificates.Check(Certificate("DNS:mail.spotler.nl", kThousands, 2 * kThousands)).result, Result::kInvalid);
}

TEST(Certificates, ProxiesAreKnownByName) {
  Certificates certificates(Rules());
  EXPECT_TRUE(certificates.IsProxy(Certificate("DNS:localhost,DNS:peiling-nginx")));
  EXPECT_FALSE(certificates.IsProxy(Certificate("DNS:mail.spotler.nl")));
  EXPECT_FALSE(certificates.IsProxy(""));
}

}  // namespace
}  // namespace peiling::gateway
