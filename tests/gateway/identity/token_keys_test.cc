#include "services/gateway/identity/token_keys.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/gateway/identity/token_maker.h"

namespace peiling::gateway {
namespace {

std::string One(const std::string& jwk) { return absl::StrCat(R"({"keys":[)", jwk, "]}"); }

TEST(TokenKeys, EachKeyChecksWhatItSigned) {
  for (const SigningKey& key : {SigningKey::Rsa("a"), SigningKey::Ec("a")}) {
    const auto keys = TokenKeys::Parse(KeySet({key}));
    ASSERT_TRUE(keys.ok()) << keys.status();
    const Algorithm algorithm = *AlgorithmNamed(key.algorithm());
    const TokenKey* found = (*keys)->Find("a", algorithm);
    ASSERT_NE(found, nullptr);
    const std::string signature = key.Sign("text");
    EXPECT_TRUE(found->Signed("text", signature));
    EXPECT_FALSE(found->Signed("texT", signature));
    EXPECT_FALSE(found->Signed("text", ""));
    EXPECT_FALSE(found->Signed("text", signature + '\0'));
    EXPECT_FALSE(found->Signed("text", signature.substr(1)));
    EXPECT_FALSE(found->Signed("text", std::string(signature.size(), '\0')));
    EXPECT_FALSE(found->Signed("text", std::string(signature.size(), '\xff')));
    EXPECT_FALSE(found->Signed("text", SigningKey::Rsa("a").Sign("text")));
    EXPECT_FALSE(found->Signed("text", SigningKey::Ec("a").Sign("text")));
    EXPECT_EQ((*keys)->Find("b", algorithm), nullptr);
    EXPECT_EQ((*keys)->Find("a", algorithm == Algorithm::kRs256 ? Algorithm::kEs256 : Algorithm::kRs256), nullptr);
  }
}

TEST(TokenKeys, AnRsaAndAnEcKeyMayShareAnId) {
  const auto keys = TokenKeys::Parse(KeySet({SigningKey::Rsa("a"), SigningKey::Ec("a")}));
  ASSERT_TRUE(keys.ok());
  EXPECT_NE((*keys)->Find("a", Algorithm::kRs256), (*keys)->Find("a", Algorithm::kEs256));
}

TEST(TokenKeys, KeysForSomethingElseArePassedOver) {
  const SigningKey rsa = SigningKey::Rsa("a");
  const std::string jwk = rsa.Jwk();
  const std::string good = SigningKey::Ec("good").Jwk();
  const std::string others[] = {
      absl::StrReplaceAll(jwk, {{R"("use":"sig")", R"("use":"enc")"}}),
      absl::StrReplaceAll(jwk, {{"RS256", "RS512"}}),
      absl::StrReplaceAll(jwk, {{"RS256", "HS256"}}),
      absl::StrReplaceAll(jwk, {{"RS256", "ES256"}}),
      absl::StrReplaceAll(jwk, {{R"("kid":"a",)", ""}}),
      absl::StrReplaceAll(jwk, {{R"("kty":"RSA")", R"("kty":"oct")"}}),
      R"({"kty":"oct","kid":"a","alg":"HS256","k":"c2VjcmV0"})",
      R"({"kty":"OKP","kid":"a","crv":"Ed25519","x":"AA"})",
      R"({"kty":"EC","kid":"a","crv":"P-384","x":"AA","y":"AA"})",
      "{}",
      R"({"kid":1,"kty":2,"alg":3,"use":4})",
  };
  for (const std::string& other : others) {
    const auto keys = TokenKeys::Parse(One(other + "," + good));
    ASSERT_TRUE(keys.ok()) << other << keys.status();
    EXPECT_EQ((*keys)->Find("a", Algorithm::kRs256), nullptr) << other;
    EXPECT_EQ((*keys)->Find("a", Algorithm::kEs256), nullptr) << other;
    EXPECT_NE((*keys)->Find("good", Algorithm::kEs256), nullptr) << other;
  }
}

TEST(TokenKeys, ASetThatIsWrongIsRefusedWhole) {
  const std::string rsa = SigningKey::Rsa("a").Jwk();
  const std::string ec = SigningKey::Ec("a").Jwk();
  const size_t x = ec.find(R"("x":")") + 5;
  std::string off_curve = ec;
  off_curve[x + 3] = off_curve[x + 3] == 'A' ? 'B' : 'A';
  for (const std::string& text : {
           std::string(""),
           std::string("[]"),
           std::string("{}"),
           std::string(R"({"keys":{}})"),
           std::string(R"({"keys":[]})"),
           std::string(R"({"keys":[1]})"),
           One(rsa + "," + rsa),
           One(R"({"kty":"RSA","kid":"a"})"),
           One(R"({"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"})"),
           One(SigningKey::Rsa("small", 1024).Jwk()),
           One(absl::StrReplaceAll(rsa, {{R"("e":"AQAB")", R"("e":"AQABAQAB")"}})),
           One(absl::StrReplaceAll(rsa, {{R"("e":"AQAB")", R"("e":"")"}})),
           One(absl::StrCat(R"({"kty":"RSA","kid":"a","e":"AQAB","n":")", std::string(4000, 'x'), R"("})")),
           One(off_curve),
           One(R"({"kty":"EC","kid":"a","crv":"P-256","x":"AA","y":"AA"})"),
           One(absl::StrReplaceAll(ec, {{R"("crv")", R"("crv":"P-384","crv")"}})),
       }) {
    EXPECT_FALSE(TokenKeys::Parse(text).ok()) << text;
  }
  std::string many = ec;
  for (int i = 0; i < 100; ++i) many += ",{}";
  EXPECT_FALSE(TokenKeys::Parse(One(many)).ok());
}

}  // namespace
}  // namespace peiling::gateway
