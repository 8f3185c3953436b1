#include "services/gateway/identity/token_verifier.h"

#include <openssl/hmac.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/eventually.h"
#include "tests/gateway/identity/http_stub.h"
#include "tests/gateway/identity/token_maker.h"
#include "tests/gateway/identity/waiting.h"

namespace peiling::gateway {
namespace {

using Result = Verdict::Result;
using std::chrono::system_clock;

constexpr char kIssuer[] = "https://login.example.nl";

class TokenVerifierTest : public ::testing::Test {
 protected:
  TokenVerifierTest() { http_.Answer(200, KeySet({rsa_, ec_})); }
  ~TokenVerifierTest() override {
    for (const auto& source : sources_) source->Stop();
  }

  TrustedIssuer Issuer(const std::string& issuer, const std::string& address, std::chrono::milliseconds least_interval, bool start = true) {
    IssuerRules rules;
    rules.issuer = issuer;
    rules.name = issuer.substr(issuer.find("//") + 2);
    rules.audience = "peiling";
    rules.grants["mailer"].set_role(access::v1::ROLE_MAILER);
    KeySource::Options options;
    options.least_interval = least_interval;
    options.retry = std::chrono::milliseconds(1);
    options.clock = [this] { return steady_now_.load(); };
    sources_.push_back(std::make_shared<KeySource>(address, options));
    if (start) sources_.back()->Start();
    return {rules, sources_.back()};
  }
  // Of one issuer whose keys come from http_.
  std::shared_ptr<TokenVerifier> Make(std::chrono::milliseconds least_interval = std::chrono::hours(1)) {
    return Make(std::vector{Issuer(kIssuer, http_.address(), least_interval)});
  }
  std::shared_ptr<TokenVerifier> Make(const std::vector<TrustedIssuer>& issuers) {
    return std::make_shared<TokenVerifier>(issuers, std::chrono::seconds(60), [this] { return now_.load(); });
  }

  std::string Claims(const std::string& issuer = kIssuer) const {
    return absl::StrCat(R"({"iss":")", issuer, R"(","aud":"peiling","sub":"f00","roles":["mailer"],"exp":)",
                        system_clock::to_time_t(now_.load()) + 100, "}");
  }
  static Verdict Check(TokenVerifier& verifier, const std::string& token) {
    Pending pending;
    verifier.Check(token, pending.Take());
    return pending.Wait();
  }

  const SigningKey rsa_ = SigningKey::Rsa("rsa");
  const SigningKey ec_ = SigningKey::Ec("ec");
  HttpStub http_;
  std::atomic<system_clock::time_point> now_ = system_clock::now();
  // By which keys are read anew and become too old.
  std::atomic<std::chrono::steady_clock::time_point> steady_now_ = std::chrono::steady_clock::now();
  std::vector<std::shared_ptr<KeySource>> sources_;
};

TEST_F(TokenVerifierTest, TokensByTheIssuersKeysHold) {
  const auto verifier = Make();
  for (const SigningKey& key : {rsa_, ec_}) {
    for (int i = 0; i < 2; ++i) {
      const Verdict verdict = Check(*verifier, Token(key, Claims()));
      ASSERT_EQ(verdict.result, Result::kHolds) << verdict.why;
      EXPECT_EQ(verdict.identity.subject(), "tokens/login.example.nl/f00");
      EXPECT_EQ(verdict.identity.grants(0).role(), access::v1::ROLE_MAILER);
    }
  }
  for (const char* type : {"JWT", "jwt", "at+jwt", "application/at+jwt"}) {
    EXPECT_EQ(Check(*verifier, Token(rsa_, absl::StrCat(R"({"alg":"RS256","kid":"rsa","typ":")", type, R"("})"), Claims())).result,
              Result::kHolds);
  }
  EXPECT_EQ(Check(*verifier, Token(rsa_, R"({"alg":"RS256","kid":"rsa"})", Claims())).result, Result::kHolds);
}

std::string Hmac(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest,
       &size);
  return std::string(reinterpret_cast<char*>(digest), size);
}

std::string Joined(const std::string& header, const std::string& claims, const std::string& signature) {
  return absl::StrCat(absl::WebSafeBase64Escape(header), ".", absl::WebSafeBase64Escape(claims), ".", absl::WebSafeBase64Escape(signature));
}

TEST_F(TokenVerifierTest, ForgedTokensAreRefused) {
  const auto verifier = Make();
  const std::string good = Token(rsa_, Claims());
  ASSERT_EQ(Check(*verifier, good).result, Result::kHolds);
  const std::string claims = Claims();
  const SigningKey foreign_rsa = SigningKey::Rsa("rsa");
  const SigningKey foreign_ec = SigningKey::Ec("ec");
  const std::string hs256 = R"({"alg":"HS256","kid":"rsa","typ":"JWT"})";
  const std::string hs256_text = absl::StrCat(absl::WebSafeBase64Escape(hs256), ".", absl::WebSafeBase64Escape(claims));
  const size_t payload = good.find('.') + 1;
  const size_t signature = good.rfind('.') + 1;
  const auto header = [&](const std::string& text) { return Token(rsa_, text, claims); };
  const std::pair<const char*, std::string> cases[] = {
      {"alg none without a signature", absl::StrCat(good.substr(0, 0), absl::WebSafeBase64Escape(R"({"alg":"none","kid":"rsa"})"), ".",
                                                    absl::WebSafeBase64Escape(claims), ".")},
      {"alg none with one", header(R"({"alg":"none","kid":"rsa"})")},
      {"alg None", header(R"({"alg":"None","kid":"rsa"})")},
      {"alg missing", header(R"({"kid":"rsa"})")},
      {"alg no text", header(R"({"alg":256,"kid":"rsa"})")},
      {"alg rs256", header(R"({"alg":"rs256","kid":"rsa"})")},
      {"alg RS512", header(R"({"alg":"RS512","kid":"rsa"})")},
      {"alg PS256", header(R"({"alg":"PS256","kid":"rsa"})")},
      {"HS256 with the public key in PEM", absl::StrCat(hs256_text, ".", absl::WebSafeBase64Escape(Hmac(rsa_.PublicPem(), hs256_text)))},
      {"HS256 with the key as it is in the set", absl::StrCat(hs256_text, ".", absl::WebSafeBase64Escape(Hmac(rsa_.Jwk(), hs256_text)))},
      {"RSA by a stranger's key under the same id", Token(foreign_rsa, claims)},
      {"EC by a stranger's key under the same id", Token(foreign_ec, claims)},
      {"swapped: RSA key, ES256", Token(rsa_, R"({"alg":"ES256","kid":"rsa"})", claims)},
      {"swapped: EC key as RS256", Token(ec_, R"({"alg":"RS256","kid":"ec"})", claims)},
      {"signed by the other key", Token(ec_, HeaderOf(rsa_), claims)},
      {"kid of the other key", Token(rsa_, R"({"alg":"RS256","kid":"ec"})", claims)},
      {"kid unknown", header(R"({"alg":"RS256","kid":"x"})")},
      {"kid missing", header(R"({"alg":"RS256"})")},
      {"kid empty", header(R"({"alg":"RS256","kid":""})")},
      {"kid a path", header(R"({"alg":"RS256","kid":"../../dev/null"})")},
      {"kid long", header(absl::StrCat(R"({"alg":"RS256","kid":")", std::string(201, 'k'), R"("})"))},
      {"kid no text", header(R"({"alg":"RS256","kid":["rsa"]})")},
      {"kid twice", header(R"({"alg":"RS256","kid":"x","kid":"rsa"})")},
      {"alg twice", header(R"({"alg":"none","alg":"RS256","kid":"rsa"})")},
      {"crit", header(R"({"alg":"RS256","kid":"rsa","crit":["exp"]})")},
      {"crit empty", header(R"({"alg":"RS256","kid":"rsa","crit":[]})")},
      {"b64 false with crit", header(R"({"alg":"RS256","kid":"rsa","b64":false,"crit":["b64"]})")},
      {"a logout token", header(R"({"alg":"RS256","kid":"rsa","typ":"logout+jwt"})")},
      {"typ no text", header(R"({"alg":"RS256","kid":"rsa","typ":1})")},
      {"its own key in the header",
       Token(foreign_rsa, absl::StrCat(R"({"alg":"RS256","kid":"rsa","jwk":)", foreign_rsa.Jwk(), "}"), claims)},
      {"its own key set", Token(foreign_rsa, R"({"alg":"RS256","kid":"rsa","jku":"https://evil.example.nl"})", claims)},
      {"payload changed",
       good.substr(0, payload) + absl::WebSafeBase64Escape(absl::StrReplaceAll(claims, {{"f00", "f01"}})) + good.substr(signature - 1)},
      {"signature left out", good.substr(0, signature)},
      {"signature cut", good.substr(0, good.size() - 4)},
      {"signature padded", good + "=="},
      {"signature of zeros (ES256)", Joined(HeaderOf(ec_), claims, std::string(64, '\0'))},
      {"signature in DER (ES256)", Joined(HeaderOf(ec_), claims, std::string("\x30\x06\x02\x01\x01\x02\x01\x01", 8))},
      {"signature long", Joined(HeaderOf(rsa_), claims, std::string(4000, 'x'))},
      {"header no JSON", Token(rsa_, "RS256", claims)},
      {"header nested", header(absl::StrCat(R"({"alg":"RS256","kid":"rsa","x":)", std::string(5000, '['), std::string(5000, ']'), "}"))},
      {"payload nested",
       Token(rsa_, claims.substr(0, claims.size() - 1) + R"(,"x":)" + std::string(2000, '[') + std::string(2000, ']') + "}")},
      {"payload no object", Token(rsa_, "[]")},
      {"payload empty", Token(rsa_, "")},
      {"claims twice", Token(rsa_, absl::StrReplaceAll(claims, {{R"("sub":"f00")", R"("sub":"f00","sub":"admin")"}}))},
      {"too long", Token(rsa_, claims.substr(0, claims.size() - 1) + R"(,"x":")" + std::string(16 << 10, 'x') + "\"}")},
      {"header padded", absl::StrReplaceAll(good, {{".", "=."}})},
      {"two parts", good.substr(0, signature - 1)},
      {"four parts", good + ".x"},
      {"dots", ".."},
      {"no ASCII", "\xff\xfe.\xff\xfe.\xff\xfe"},
      {"NUL", std::string("\0.\0.\0", 5)},
      {"another issuer", Token(rsa_, Claims("https://other.example.nl"))},
  };
  for (const auto& [name, token] : cases) EXPECT_EQ(Check(*verifier, token).result, Result::kInvalid) << name;
  // All of them together had the keys read no second time: they were read just before.
  EXPECT_EQ(http_.calls(), 1);
}

TEST_F(TokenVerifierTest, ATokenHoldsNoLongerThanItSays) {
  const auto verifier = Make();
  const std::string token = Token(rsa_, Claims());
  EXPECT_EQ(Check(*verifier, token).result, Result::kHolds);
  now_ = now_.load() + std::chrono::seconds(159);
  EXPECT_EQ(Check(*verifier, token).result, Result::kHolds);
  now_ = now_.load() + std::chrono::seconds(1);
  EXPECT_EQ(Check(*verifier, token).result, Result::kExpired);
}

TEST_F(TokenVerifierTest, NewKeysAreFoundWhenTheyAreFirstUsed) {
  const auto verifier = Make(std::chrono::milliseconds(0));
  const std::string old = Token(rsa_, Claims());
  EXPECT_EQ(Check(*verifier, old).result, Result::kHolds);
  const SigningKey next = SigningKey::Ec("next");
  http_.Answer(200, KeySet({next}));
  EXPECT_EQ(Check(*verifier, old).result, Result::kHolds);
  EXPECT_EQ(Check(*verifier, Token(next, Claims())).result, Result::kHolds);
  EXPECT_EQ(Check(*verifier, old).result, Result::kInvalid) << "its key is gone";
}

TEST_F(TokenVerifierTest, UnknownKeysHaveTheSourceAskedOnlyNowAndThen) {
  const auto verifier = Make(std::chrono::hours(1));
  EXPECT_EQ(Check(*verifier, Token(rsa_, Claims())).result, Result::kHolds);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Check(*verifier, Token(SigningKey::Ec(absl::StrCat("k", i)), Claims())).result, Result::kInvalid);
  }
  EXPECT_EQ(http_.calls(), 1);
}

TEST_F(TokenVerifierTest, AFloodOfUnknownKeysDelaysANewOneByNoMoreThanTheLeastInterval) {
  constexpr std::chrono::seconds kLeastInterval(30);
  const auto verifier = Make(kLeastInterval);
  EXPECT_EQ(Check(*verifier, Token(rsa_, Claims())).result, Result::kHolds);
  const auto read_at = steady_now_.load();
  const SigningKey next = SigningKey::Ec("next");
  http_.Answer(200, KeySet({next}));
  const std::string good = Token(next, Claims());
  const std::string unknown = Token(SigningKey::Ec("unknown"), Claims());
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(Check(*verifier, unknown).result, Result::kInvalid);
  steady_now_ = read_at + kLeastInterval - std::chrono::milliseconds(1);
  EXPECT_EQ(Check(*verifier, good).result, Result::kInvalid);
  EXPECT_EQ(http_.calls(), 1);

  steady_now_ = read_at + kLeastInterval;
  std::vector<Pending> flood(2000);
  for (Pending& one : flood) verifier->Check(unknown, one.Take());
  // Too many may wait at first; the clock does not move on, so there is one reading alone.
  EXPECT_TRUE(Eventually([&] { return Check(*verifier, good).result == Result::kHolds; }));
  EXPECT_EQ(http_.calls(), 2);
  for (Pending& one : flood) EXPECT_THAT(one.Wait().result, ::testing::AnyOf(Result::kInvalid, Result::kTooMany));
}

TEST_F(TokenVerifierTest, AnIssuerThatWithdrawsItsKeysIsBelievedNoLonger) {
  const auto verifier = Make(std::chrono::milliseconds(0));
  const Verdict held = Check(*verifier, Token(rsa_, Claims()));
  ASSERT_EQ(held.result, Result::kHolds);
  EXPECT_TRUE(verifier->StillHolds(held.identity));
  http_.Answer(200, KeySet({}));
  EXPECT_EQ(Check(*verifier, Token(SigningKey::Ec("new"), Claims())).result, Result::kInvalid);
  EXPECT_EQ(Check(*verifier, Token(rsa_, Claims())).result, Result::kInvalid);
  EXPECT_EQ(Check(*verifier, Token(ec_, Claims())).result, Result::kInvalid);
  EXPECT_FALSE(verifier->StillHolds(held.identity));
}

TEST_F(TokenVerifierTest, OneKeyThatCannotBeUsedLeavesTheOthers) {
  http_.Answer(200, KeySet({SigningKey::Rsa("small", 1024), rsa_}));
  const auto verifier = Make();
  EXPECT_EQ(Check(*verifier, Token(rsa_, Claims())).result, Result::kHolds);
}

TEST_F(TokenVerifierTest, KeysThatCannotBeReadAgainAreBelievedForADay) {
  const auto verifier = Make(std::chrono::milliseconds(0));
  const Verdict held = Check(*verifier, Token(rsa_, Claims()));
  ASSERT_EQ(held.result, Result::kHolds);
  const auto read_at = steady_now_.load();
  http_.Answer(503, "");
  steady_now_ = read_at + std::chrono::hours(24) - std::chrono::milliseconds(1);
  EXPECT_EQ(Check(*verifier, Token(SigningKey::Ec("new"), Claims())).result, Result::kUncheckable);
  EXPECT_EQ(Check(*verifier, Token(rsa_, Claims())).result, Result::kHolds);
  EXPECT_TRUE(verifier->StillHolds(held.identity));

  steady_now_ = read_at + std::chrono::hours(24);
  EXPECT_TRUE(Eventually([&] { return Check(*verifier, Token(rsa_, Claims())).result == Result::kUncheckable; }));
  EXPECT_FALSE(verifier->StillHolds(held.identity));
  http_.Answer(200, KeySet({rsa_, ec_}));
  EXPECT_TRUE(Eventually([&] { return Check(*verifier, Token(rsa_, Claims())).result == Result::kHolds; }));
  EXPECT_TRUE(verifier->StillHolds(held.identity));
}

TEST_F(TokenVerifierTest, TheFirstCallsWaitForTheKeys) {
  const std::string token = Token(rsa_, Claims());
  const auto verifier = Make();
  std::vector<Pending> calls(50);
  for (Pending& call : calls) verifier->Check(token, call.Take());
  for (Pending& call : calls) EXPECT_EQ(call.Wait().result, Result::kHolds);
}

TEST_F(TokenVerifierTest, WithoutKeysItCannotBeTold) {
  http_.Answer(503, "");
  const auto verifier = Make();
  EXPECT_EQ(Check(*verifier, Token(rsa_, Claims())).result, Result::kUncheckable);
  http_.Answer(200, KeySet({rsa_}));
  EXPECT_TRUE(Eventually([&] { return Check(*verifier, Token(rsa_, Claims())).result == Result::kHolds; }));
}

TEST_F(TokenVerifierTest, WhileTheSourceIsDownItsLastKeysHold) {
  const auto verifier = Make(std::chrono::milliseconds(0));
  EXPECT_EQ(Check(*verifier, Token(rsa_, Claims())).result, Result::kHolds);
  for (const auto& [code, body] : {std::pair(0, ""), {500, "x"}, {200, "not a key set"}, {200, ""}}) {
    http_.Answer(code, body);
    EXPECT_EQ(Check(*verifier, Token(SigningKey::Ec("new"), Claims())).result, Result::kUncheckable) << code;
    EXPECT_EQ(Check(*verifier, Token(rsa_, Claims())).result, Result::kHolds) << code;
    EXPECT_EQ(Check(*verifier, Token(ec_, Claims())).result, Result::kHolds) << code;
  }
}

TEST_F(TokenVerifierTest, EachIssuerSpeaksForItselfAlone) {
  HttpStub other_http;
  const SigningKey other = SigningKey::Ec("other");
  // The other issuer has a key with the id of one of the first, too.
  const SigningKey twin = SigningKey::Ec("ec");
  other_http.Answer(200, KeySet({other, twin}));
  const std::string kOther = "https://other.example.nl";
  const auto verifier =
      Make({Issuer(kIssuer, http_.address(), std::chrono::hours(1)), Issuer(kOther, other_http.address(), std::chrono::hours(1))});
  EXPECT_EQ(Check(*verifier, Token(other, Claims(kOther))).identity.subject(), "tokens/other.example.nl/f00");
  EXPECT_EQ(Check(*verifier, Token(twin, Claims(kOther))).identity.subject(), "tokens/other.example.nl/f00");
  EXPECT_EQ(Check(*verifier, Token(ec_, Claims())).identity.subject(), "tokens/login.example.nl/f00");
  EXPECT_EQ(Check(*verifier, Token(other, Claims())).result, Result::kInvalid);
  EXPECT_EQ(Check(*verifier, Token(twin, Claims())).result, Result::kInvalid);
  EXPECT_EQ(Check(*verifier, Token(rsa_, Claims(kOther))).result, Result::kInvalid);
}

TEST_F(TokenVerifierTest, AnIssuerWhoseKeysAreNotReadYetIsWaitedForThoughAnotherHasAKeyOfThatId) {
  HttpStub other_http;
  other_http.Answer(200, KeySet({SigningKey::Ec("ec"), SigningKey::Ec("other")}));
  const TrustedIssuer slow = Issuer(kIssuer, http_.address(), std::chrono::hours(1), false);
  const TrustedIssuer quick = Issuer("https://other.example.nl", other_http.address(), std::chrono::hours(1));
  ASSERT_TRUE(Eventually([&] { return quick.keys->current() != nullptr; }));
  const auto verifier = Make({slow, quick});
  Pending pending;
  verifier->Check(Token(ec_, Claims()), pending.Take());
  EXPECT_FALSE(pending.done());
  slow.keys->Start();
  EXPECT_EQ(pending.Wait().result, Result::kHolds);
}

TEST_F(TokenVerifierTest, WithoutIssuersNoTokenHolds) {
  const auto verifier = Make(std::vector<TrustedIssuer>());
  EXPECT_EQ(Check(*verifier, Token(rsa_, Claims())).result, Result::kInvalid);
}

}  // namespace
}  // namespace peiling::gateway
