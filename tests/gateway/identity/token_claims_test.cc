#include "services/gateway/identity/token_claims.h"

#include <random>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/identity/identity.h"

namespace peiling::gateway {
namespace {

using Result = Verdict::Result;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kNow = 1'700'000'000;
constexpr std::chrono::seconds kSkew(60);

IssuerRules Issuer(const std::string& roles_claim = "roles") {
  IssuerRules rules;
  rules.issuer = "https://login.example.nl/realms/vng";
  rules.name = "login.example.nl";
  rules.audience = "peiling";
  rules.roles_claim = roles_claim;
  rules.grants["onderzoeker"].set_role(access::v1::ROLE_RESEARCHER);
  rules.grants["onderzoeker"].add_resources("surveys/a");
  rules.grants["onderzoeker-b"].set_role(access::v1::ROLE_RESEARCHER);
  rules.grants["onderzoeker-b"].add_resources("surveys/b");
  rules.grants["onderzoeker-alles"].set_role(access::v1::ROLE_RESEARCHER);
  rules.grants["beheerder"].set_role(access::v1::ROLE_ADMINISTRATOR);
  return rules;
}

Verdict Judge(const std::string& claims, const IssuerRules& issuer = Issuer(), int64_t now = kNow) {
  return JudgeClaims(absl::WebSafeBase64Escape(claims), issuer, std::chrono::system_clock::from_time_t(now), kSkew);
}

constexpr char kWho[] = R"("iss":"https://login.example.nl/realms/vng","aud":"peiling","sub":"f00")";
constexpr char kEnd[] = R"("exp":1700000100)";

// Claims as they should be, and what else is given.
std::string Claims(const std::string& more = "") { return absl::StrCat("{", kWho, ",", kEnd, more.empty() ? "" : ",", more, "}"); }

// "role: resource resource" of every grant.
std::vector<std::string> GrantsIn(const Verdict& verdict) {
  std::vector<std::string> texts;
  for (const auto& grant : verdict.identity.grants()) {
    texts.push_back(identity::RoleName(grant.role()) + ":");
    for (const auto& resource : grant.resources()) texts.back() += " " + resource;
  }
  return texts;
}

TEST(TokenClaims, WhatIsRightBecomesAnIdentity) {
  const Verdict verdict = Judge(Claims(R"("roles":["onderzoeker","iets anders"],"iat":1699999999,"email":"a@b.nl")"));
  ASSERT_EQ(verdict.result, Result::kHolds) << verdict.why;
  EXPECT_EQ(verdict.identity.subject(), "tokens/login.example.nl/f00");
  EXPECT_EQ(verdict.identity.title(), "");
  EXPECT_EQ(verdict.identity.credential(), access::v1::CREDENTIAL_KIND_TOKEN);
  EXPECT_EQ(verdict.identity.expires_at().seconds(), kNow + 100);
  EXPECT_THAT(GrantsIn(verdict), ElementsAre("researcher: surveys/a"));
}

TEST(TokenClaims, WhateverIsWrongIsRefused) {
  const std::string who_without[] = {R"("aud":"peiling","sub":"f00")", R"("iss":"https://login.example.nl/realms/vng","sub":"f00")",
                                     R"("iss":"https://login.example.nl/realms/vng","aud":"peiling")"};
  for (const std::string& who : who_without) EXPECT_EQ(Judge(absl::StrCat("{", who, ",", kEnd, "}")).result, Result::kInvalid) << who;

  const auto with = [](const char* name, const std::string& value) {
    const auto claim = [&](const char* each, const char* usual) {
      return absl::StrCat("\"", each, "\":", std::string_view(each) == name ? value : usual);
    };
    return absl::StrCat("{", claim("iss", R"("https://login.example.nl/realms/vng")"), ",", claim("aud", R"("peiling")"), ",",
                        claim("sub", R"("f00")"), ",", claim("exp", "1700000100"), ",", claim("nbf", "1699999000"), "}");
  };
  ASSERT_EQ(Judge(with("", "")).result, Result::kHolds);
  const std::pair<const char*, const char*> cases[] = {
      {"iss", R"("https://login.example.nl/realms/vng/")"},
      {"iss", R"("https://evil.example.nl")"},
      {"iss", R"("https://login.example.nl/realms/vng\u0000")"},
      {"iss", "1"},
      {"iss", R"(["https://login.example.nl/realms/vng"])"},
      {"aud", R"("other")"},
      {"aud", R"("peiling other")"},
      {"aud", R"("Peiling")"},
      {"aud", R"([])"},
      {"aud", R"(["other"])"},
      {"aud", R"([["peiling"]])"},
      {"aud", R"({"peiling":1})"},
      {"aud", "null"},
      {"sub", R"("")"},
      {"sub", R"("a b")"},
      {"sub", R"("jan@gemeente.nl")"},
      {"sub", R"("a\nb")"},
      {"sub", R"("a\u0000")"},
      {"sub", R"("é")"},
      {"sub", R"("%2F")"},
      {"sub", "7"},
      {"sub", "null"},
      {"exp", "null"},
      {"exp", R"("1700000100")"},
      {"exp", "1e300"},
      {"exp", "-1e300"},
      {"exp", "9223372036854775807"},
      {"exp", "true"},
      {"nbf", "1700000061"},
      {"nbf", R"("1")"},
      {"nbf", "null"},
      {"nbf", "1e300"},
  };
  for (const auto& [name, value] : cases) EXPECT_EQ(Judge(with(name, value)).result, Result::kInvalid) << name << " " << value;
  EXPECT_EQ(Judge(with("sub", absl::StrCat("\"", std::string(201, 'a'), "\""))).result, Result::kInvalid);
  EXPECT_EQ(Judge(with("sub", absl::StrCat("\"", std::string(200, 'a'), "\""))).result, Result::kHolds);
  EXPECT_EQ(Judge(with("aud", R"(["other","peiling"])")).result, Result::kHolds);

  EXPECT_EQ(Judge(absl::StrCat("{", kWho, "}")).result, Result::kInvalid) << "no exp";
  EXPECT_EQ(Judge(Claims(R"("cnf":{"jkt":"x"})")).result, Result::kInvalid);
  EXPECT_EQ(Judge(Claims(R"("exp":1700000101)")).result, Result::kInvalid) << "exp twice";
  EXPECT_EQ(Judge(Claims(R"("roles":[],"roles":["beheerder"])")).result, Result::kInvalid);
  EXPECT_EQ(Judge("[]").result, Result::kInvalid);
  EXPECT_EQ(JudgeClaims("!", Issuer(), {}, kSkew).result, Result::kInvalid);
}

TEST(TokenClaims, TimesHoldToTheSecondWithinTheSkew) {
  const auto at = [](int64_t now) { return Judge(Claims(R"("nbf":1700000000.5)"), Issuer(), now).result; };
  EXPECT_EQ(at(kNow - 61), Result::kInvalid);
  EXPECT_EQ(at(kNow - 60), Result::kHolds);
  EXPECT_EQ(at(kNow + 159), Result::kHolds);
  EXPECT_EQ(at(kNow + 160), Result::kExpired);
  EXPECT_EQ(Judge(absl::StrCat("{", kWho, R"(,"exp":-5})")).result, Result::kExpired);
  // What a clock of 64 bits of nanoseconds cannot hold.
  for (const char* time : {"17000000100", "253402300799", "1e12"}) {
    EXPECT_EQ(Judge(absl::StrCat("{", kWho, R"(,"exp":)", time, "}")).result, Result::kHolds) << time;
    EXPECT_EQ(Judge(Claims(absl::StrCat(R"("nbf":)", time))).result, Result::kInvalid) << time;
    EXPECT_EQ(Judge(absl::StrCat("{", kWho, R"(,"exp":-)", time, "}")).result, Result::kExpired) << time;
  }
}

TEST(TokenClaims, RolesComeFromTheClaimByNameOrPath) {
  const auto of = [](const char* claim, const char* text) { return GrantsIn(Judge(Claims(text), Issuer(claim))); };
  EXPECT_THAT(of("roles", R"("roles":"beheerder  onderzoeker x")"), ElementsAre("researcher: surveys/a", "administrator:"));
  EXPECT_THAT(of("realm_access.roles", R"("realm_access":{"roles":["beheerder"]})"), ElementsAre("administrator:"));
  EXPECT_THAT(of("https://vng.nl/roles", R"("https://vng.nl/roles":["beheerder"])"), ElementsAre("administrator:"));
  for (const char* text : {R"("a":1)", R"("roles":1)", R"("roles":null)", R"("roles":{"beheerder":true})",
                           R"("roles":[1,["beheerder"],null])", R"("roles":["Beheerder","beheerder ",""])"}) {
    EXPECT_THAT(of("roles", text), IsEmpty()) << text;
  }
  EXPECT_THAT(of("realm_access.roles", R"("realm_access":["roles"])"), IsEmpty());
  EXPECT_THAT(of("realm_access.roles", R"("realm_access":{"roles":{"roles":["beheerder"]}})"), IsEmpty());
  EXPECT_THAT(of("a..b", R"("a":{"b":["beheerder"]})"), IsEmpty());
}

TEST(TokenClaims, LimitsOfOneRoleAddUpAndNoLimitBeatsAll) {
  const auto of = [](const char* roles) { return GrantsIn(Judge(Claims(absl::StrCat(R"("roles":)", roles)))); };
  EXPECT_THAT(of(R"(["onderzoeker","onderzoeker-b"])"), ElementsAre("researcher: surveys/a surveys/b"));
  EXPECT_THAT(of(R"(["onderzoeker","onderzoeker-alles"])"), ElementsAre("researcher:"));
  EXPECT_THAT(of(R"(["onderzoeker-alles","onderzoeker"])"), ElementsAre("researcher:"));
  EXPECT_THAT(of(R"(["onderzoeker","onderzoeker-alles","onderzoeker-b"])"), ElementsAre("researcher:"));
}

TEST(TokenClaims, WhatRolesTogetherGiveStaysWithinBounds) {
  IssuerRules issuer = Issuer();
  const auto add = [&issuer](const std::string& value, access::v1::Role role, const std::string& prefix, int resources) {
    issuer.grants[value].set_role(role);
    for (int i = 0; i < resources; ++i) issuer.grants[value].add_resources(absl::StrCat("surveys/", prefix, i));
  };
  const std::string name(30, 'x');
  add("a", access::v1::ROLE_ANALYST, "a", 60);
  add("b", access::v1::ROLE_ANALYST, "b", 60);
  add("long-a", access::v1::ROLE_ANALYST, name, 60);
  add("long-r", access::v1::ROLE_RESEARCHER, name, 60);
  const auto of = [&issuer](const char* roles) { return Judge(Claims(absl::StrCat(R"("roles":)", roles)), issuer); };
  EXPECT_EQ(of(R"(["a","a","a"])").identity.grants(0).resources_size(), 60) << "each once";
  EXPECT_EQ(of(R"(["a","long-r"])").result, Result::kHolds);
  EXPECT_EQ(of(R"(["a","b"])").result, Result::kInvalid) << "more resources than a grant may name";
  EXPECT_EQ(of(R"(["long-a","long-r"])").result, Result::kInvalid) << "more than 4 KiB";
  EXPECT_EQ(of(R"(["long-a","onderzoeker-alles","long-r"])").result, Result::kHolds) << "one of them has no limits";
}

TEST(TokenClaims, SubjectsStayApart) {
  const auto of = [](const char* sub) {
    return Judge(absl::StrCat(R"({"iss":"https://login.example.nl/realms/vng","aud":"peiling","sub":")", sub, R"(",)", kEnd, "}"))
        .identity.subject();
  };
  EXPECT_EQ(of("a+b/c=="), "tokens/login.example.nl/a+b%2Fc==");
  EXPECT_EQ(of("auth0|7_-.:"), "tokens/login.example.nl/auth0|7_-.:");
}

// Whatever the roles in a token and in the file, nobody gets a role or resource that no value of the claim gives.
TEST(TokenClaims, NoGrantComesFromNowhere) {
  std::mt19937 random(7);
  const auto below = [&random](int bound) { return static_cast<int>(random() % bound); };
  for (int round = 0; round < 2000; ++round) {
    IssuerRules issuer = Issuer();
    issuer.grants.clear();
    for (int i = below(6); i > 0; --i) {
      access::v1::Grant& grant = issuer.grants[absl::StrCat("v", below(6))];
      grant.set_role(static_cast<access::v1::Role>(1 + below(6)));
      grant.clear_resources();
      for (int j = below(3); j > 0; --j) grant.add_resources(absl::StrCat("surveys/s", below(4)));
    }
    std::string roles;
    std::set<std::string> values;
    for (int i = below(6); i > 0; --i) {
      const std::string value = absl::StrCat("v", below(6));
      values.insert(value);
      absl::StrAppend(&roles, roles.empty() ? "" : ",", "\"", value, "\"");
    }
    const Verdict verdict = Judge(Claims(absl::StrCat(R"("roles":[)", roles, "]")), issuer);
    ASSERT_EQ(verdict.result, Result::kHolds);
    // Role: all resources, and whether there is one without limit.
    std::map<int, std::pair<std::set<std::string>, bool>> want;
    for (const std::string& value : values) {
      const auto found = issuer.grants.find(value);
      if (found == issuer.grants.end()) continue;
      auto& [resources, all] = want[found->second.role()];
      resources.insert(found->second.resources().begin(), found->second.resources().end());
      all |= found->second.resources().empty();
    }
    ASSERT_EQ(verdict.identity.grants_size(), static_cast<int>(want.size()));
    for (const auto& grant : verdict.identity.grants()) {
      const auto& [resources, all] = want[grant.role()];
      EXPECT_EQ(std::set<std::string>(grant.resources().begin(), grant.resources().end()), all ? std::set<std::string>() : resources);
    }
  }
}

}  // namespace
}  // namespace peiling::gateway
