// Whatever is shown or read: nothing crashes, and nobody is let in but by what the issuer signed or the file says.
#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/common/identity/key_secret.h"
#include "services/gateway/identity/access_file.h"
#include "services/gateway/identity/certificates.h"
#include "services/gateway/identity/json.h"
#include "services/gateway/identity/signed_token.h"
#include "services/gateway/identity/token_claims.h"
#include "services/gateway/identity/token_keys.h"
#include "tests/fuzz/mutate.h"
#include "tests/gateway/identity/token_maker.h"

namespace peiling::gateway {
namespace {

constexpr int64_t kNow = 1'700'000'000;
constexpr char kClaims[] =
    R"({"iss":"https://a.nl","aud":["peiling","b"],"sub":"f00","exp":1700000100,"nbf":1.6e9,"realm_access":{"roles":["x","y z"]},"n":[{"a":null}]})";

IssuerRules Rules() {
  IssuerRules rules;
  rules.issuer = "https://a.nl";
  rules.name = "a.nl";
  rules.audience = "peiling";
  rules.roles_claim = "realm_access.roles";
  rules.grants["x"].set_role(access::v1::ROLE_MAILER);
  return rules;
}

std::vector<std::string> Words() {
  return {"\"alg\":\"none\"",
          "\"alg\":\"HS256\"",
          "\"kid\":",
          "\"crit\":[]",
          "\"exp\":",
          "\"kty\":\"RSA\"",
          "\"kty\":\"EC\"",
          "P-256",
          "AQAB",
          "1e999",
          "-0",
          "\\u0000",
          "\\ud800",
          "[",
          "]",
          "{",
          "}",
          ",",
          ":",
          "\"",
          ".",
          "=",
          "null",
          "eyJhbGciOiJub25lIn0"};
}

TEST(GatewayIdentityFuzz, NoTokenHoldsThatTheIssuerDidNotSign) {
  const SigningKey rsa = SigningKey::Rsa("r");
  const SigningKey ec = SigningKey::Ec("e");
  const auto keys = *TokenKeys::Parse(KeySet({rsa, ec}));
  const std::vector<std::string> corpus = {Token(rsa, kClaims), Token(ec, kClaims), Token(ec, R"({"alg":"ES256","kid":"e"})", kClaims)};
  int held = 0;
  fuzz::Run(corpus, fuzz::Mutator(1, Words(), 20'000), [&](const std::string& text) {
    const auto token = TakeApart(text);
    if (!token.ok()) return;
    const TokenKey* key = keys->Find(token->key_id, token->algorithm);
    if (key == nullptr || !key->Signed(token->text, token->signature)) return;
    ++held;
    ASSERT_NE(std::find(corpus.begin(), corpus.end(), text), corpus.end());
    ASSERT_EQ(JudgeClaims(token->payload, Rules(), std::chrono::system_clock::from_time_t(kNow), std::chrono::seconds(60)).result,
              Verdict::Result::kHolds);
  });
  EXPECT_GE(held, 3);
}

TEST(GatewayIdentityFuzz, HeadersAreTakenOrRefused) {
  const std::string signature = absl::WebSafeBase64Escape(std::string(64, 's'));
  fuzz::Run({R"({"alg":"RS256","kid":"r","typ":"JWT"})", R"({"alg":"ES256","kid":"e","typ":"at+jwt","x":[1,{"a":2}]})"},
            fuzz::Mutator(2, Words()), [&](const std::string& header) {
              const auto token = TakeApart(absl::StrCat(absl::WebSafeBase64Escape(header), ".e30.", signature));
              if (!token.ok()) return;
              const auto json = ParseJsonObject(header);
              ASSERT_TRUE(json.ok());
              ASSERT_EQ(TextOf(*json, "kid"), token->key_id);
              ASSERT_EQ(AlgorithmNamed(*TextOf(*json, "alg")), token->algorithm);
              ASSERT_EQ(MemberOf(*json, "crit"), nullptr);
            });
}

TEST(GatewayIdentityFuzz, ClaimsHoldOnlyWhenTheySaySo) {
  const IssuerRules rules = Rules();
  fuzz::Run({kClaims}, fuzz::Mutator(3, Words()), [&](const std::string& claims) {
    const Verdict verdict =
        JudgeClaims(absl::WebSafeBase64Escape(claims), rules, std::chrono::system_clock::from_time_t(kNow), std::chrono::seconds(60));
    if (verdict.result != Verdict::Result::kHolds) return;
    const auto json = ParseJsonObject(claims);
    ASSERT_TRUE(json.ok());
    ASSERT_EQ(TextOf(*json, "iss"), rules.issuer);
    ASSERT_GT(verdict.identity.expires_at().seconds(), kNow - 60);
    ASSERT_TRUE(verdict.identity.subject().starts_with("tokens/a.nl/"));
    ASSERT_LE(verdict.identity.grants_size(), 1);
  });
}

TEST(GatewayIdentityFuzz, KeySetsAreTakenOrRefusedAndTheirKeysCheck) {
  const SigningKey rsa = SigningKey::Rsa("r");
  const SigningKey ec = SigningKey::Ec("e");
  const std::string by_another = SigningKey::Ec("e").Sign("text");
  fuzz::Run({KeySet({rsa, ec}), KeySet({ec}), R"({"keys":[{"kty":"oct","kid":"o","k":"AA"},{}]})"}, fuzz::Mutator(4, Words()),
            [&](const std::string& text) {
              const auto keys = TokenKeys::Parse(text);
              if (!keys.ok()) return;
              for (const Algorithm algorithm : {Algorithm::kRs256, Algorithm::kEs256}) {
                for (const char* id : {"r", "e"}) {
                  const TokenKey* key = (*keys)->Find(id, algorithm);
                  ASSERT_FALSE(key != nullptr && key->Signed("text", by_another));
                }
              }
            });
}

TEST(GatewayIdentityFuzz, KeyTextsHaveAnIdOrNone) {
  const std::string secret = identity::NewSecret("0123456789abcdef");
  fuzz::Run({secret}, fuzz::Mutator(5, {"peiling_", "_", "-", "0123456789abcdef"}), [](const std::string& text) {
    const auto id = identity::ParseKeyId(text);
    if (!id.has_value()) return;
    ASSERT_EQ(id->size(), 16u);
    ASSERT_TRUE(text.starts_with("peiling_" + *id + "_"));
  });
}

TEST(GatewayIdentityFuzz, AccessFilesAreTakenOrTellEveryMistake) {
  fuzz::Run(
      {R"(issuers:
  - issuer: https://login.example.nl/realms/vng
    audience: peiling
    jwks: https://login.example.nl/realms/vng/certs
    roles-claim: realm_access.roles
    name: vng
    grants:
      a: {role: researcher, resources: [surveys/s, surveys/s/waves/w]}
  - {issuer: "http://127.0.0.1:80", audience: p, jwks: file:/etc/jwks.json}
certificates:
  - {name: mail.nl, title: Mail, grants: [{role: mailer}]}
proxies: [nginx]
)"},
      fuzz::Mutator(6, {"- ", ": ", "[", "]", "{", "}", "\n", "&a ", "*a", "role: boss", "https://", "file:", "name: vng", "'", "\""}),
      [](const std::string& text) {
        const auto rules = ParseAccessRules("f", text);
        if (!rules.ok()) {
          ASSERT_FALSE(rules.status().message().empty());
          return;
        }
        for (const IssuerRules& issuer : rules->issuers) {
          ASSERT_FALSE(issuer.issuer.empty() || issuer.audience.empty() || issuer.jwks.empty() || issuer.name.empty()) << text;
        }
        for (const CertificateRules& certificate : rules->certificates) {
          ASSERT_FALSE(certificate.name.empty() || certificate.grants.empty());
        }
      });
}

TEST(GatewayIdentityFuzz, CertificatesHaveNamesOfTheFileOrNone) {
  AccessRules rules;
  rules.certificates.emplace_back().name = "mail.nl";
  rules.certificates[0].grants.Add()->set_role(access::v1::ROLE_MAILER);
  rules.proxies = {"nginx"};
  Certificates certificates(rules);
  fuzz::Run({Certificate("DNS:mail.nl"), Certificate("DNS:nginx,URI:x:y"), Certificate("")},
            fuzz::Mutator(7, {"-----BEGIN CERTIFICATE-----\n"}), [&](const std::string& pem) {
              const Verdict verdict = certificates.Check(pem);
              ASSERT_TRUE(verdict.result != Verdict::Result::kHolds || verdict.identity.subject() == "certificates/mail.nl");
              certificates.IsProxy(pem);
            });
}

}  // namespace
}  // namespace peiling::gateway
