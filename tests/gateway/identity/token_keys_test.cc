#include "services/gateway/identity/token_keys.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gateway/identity/token_maker.h"

namespace peiling::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Set(const std::vector<std::string>& keys) { return absl::StrCat(R"({"keys":[)", absl::StrJoin(keys, ","), "]}"); }

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

TEST(TokenKeys, KeysForSomethingElseAreNotTold) {
  const std::string good = SigningKey::Ec("good").Jwk();
  const std::string encryption = absl::StrReplaceAll(SigningKey::Rsa("a").Jwk(), {{R"("use":"sig")", R"("use":"enc")"}});
  const auto keys = TokenKeys::Parse(Set({encryption, good}));
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ((*keys)->Find("a", Algorithm::kRs256), nullptr);
  EXPECT_NE((*keys)->Find("good", Algorithm::kEs256), nullptr);
  EXPECT_THAT((*keys)->passed_over(), IsEmpty());
}

TEST(TokenKeys, AKeyThatCannotBeUsedIsPassedOverAndTold) {
  const std::string rsa = SigningKey::Rsa("a").Jwk();
  const std::string ec = SigningKey::Ec("a").Jwk();
  const std::string good = SigningKey::Ec("good").Jwk();
  const size_t x = ec.find(R"("x":")") + 5;
  std::string off_curve = ec;
  off_curve[x + 3] = off_curve[x + 3] == 'A' ? 'B' : 'A';
  const char kOther[] = "neither for RS256 nor for ES256";
  const char kBounds[] = "an RSA key out of bounds";
  const std::pair<std::string, const char*> cases[] = {
      {"1", "no object"},
      {"{}", "a key without a kid"},
      {absl::StrReplaceAll(rsa, {{R"("kid":"a",)", ""}}), "a key without a kid"},
      {absl::StrReplaceAll(rsa, {{"RS256", "RS512"}}), kOther},
      {absl::StrReplaceAll(rsa, {{"RS256", "HS256"}}), kOther},
      {absl::StrReplaceAll(rsa, {{"RS256", "ES256"}}), kOther},
      {absl::StrReplaceAll(rsa, {{R"("kty":"RSA")", R"("kty":"oct")"}}), kOther},
      {R"({"kty":"oct","kid":"a","alg":"HS256","k":"c2VjcmV0"})", kOther},
      {R"({"kty":"OKP","kid":"a","crv":"Ed25519","x":"AA"})", kOther},
      {R"({"kty":"EC","kid":"a","crv":"P-384","x":"AA","y":"AA"})", kOther},
      {R"({"kid":1,"kty":2,"alg":3,"use":4})", "a key without a kid"},
      {R"({"kty":"RSA","kid":"a"})", kBounds},
      {R"({"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"})", "an RSA key of 17 bits"},
      {SigningKey::Rsa("a", 1024).Jwk(), "an RSA key of 1024 bits"},
      {absl::StrReplaceAll(rsa, {{R"("e":"AQAB")", R"("e":"AQABAQAB")"}}), kBounds},
      {absl::StrReplaceAll(rsa, {{R"("e":"AQAB")", R"("e":"")"}}), kBounds},
      {absl::StrCat(R"({"kty":"RSA","kid":"a","e":"AQAB","n":")", std::string(4000, 'x'), R"("})"), kBounds},
      {off_curve, "an EC key that is none"},
      {R"({"kty":"EC","kid":"a","crv":"P-256","x":"AA","y":"AA"})", "an EC key out of bounds"},
  };
  for (const auto& [jwk, why] : cases) {
    const auto keys = TokenKeys::Parse(Set({good, jwk}));
    ASSERT_TRUE(keys.ok()) << jwk << keys.status();
    EXPECT_EQ((*keys)->Find("a", Algorithm::kRs256), nullptr) << jwk;
    EXPECT_EQ((*keys)->Find("a", Algorithm::kEs256), nullptr) << jwk;
    EXPECT_NE((*keys)->Find("good", Algorithm::kEs256), nullptr) << jwk;
    EXPECT_THAT((*keys)->passed_over(), ElementsAre(absl::StrCat("keys[1]: ", why))) << jwk;
  }
}

TEST(TokenKeys, OfTwoKeysWithOneIdTheFirstCounts) {
  const SigningKey first = SigningKey::Rsa("a");
  const auto keys = TokenKeys::Parse(KeySet({first, SigningKey::Rsa("a")}));
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_TRUE((*keys)->Find("a", Algorithm::kRs256)->Signed("text", first.Sign("text")));
  EXPECT_THAT((*keys)->passed_over(), ElementsAre("keys[1]: the kid of a key before it"));
}

TEST(TokenKeys, ASetMayBeEmpty) {
  for (const std::string& text : {Set({}), Set({SigningKey::Rsa("small", 1024).Jwk()})}) {
    const auto keys = TokenKeys::Parse(text);
    ASSERT_TRUE(keys.ok()) << text << keys.status();
    EXPECT_TRUE((*keys)->empty()) << text;
  }
}

TEST(TokenKeys, WhatIsNoSetIsRefused) {
  const std::string ec = SigningKey::Ec("a").Jwk();
  for (const std::string& text : {
           std::string(""),
           std::string("[]"),
           std::string("{}"),
           std::string(R"({"keys":{}})"),
           std::string(R"({"keys":null})"),
           Set({absl::StrReplaceAll(ec, {{R"("crv")", R"("crv":"P-384","crv")"}})}),
           Set(std::vector<std::string>(101, "{}")),
       }) {
    EXPECT_FALSE(TokenKeys::Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace peiling::gateway
