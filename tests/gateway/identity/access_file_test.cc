#include "services/gateway/identity/access_file.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "tests/common/eventually.h"

namespace peiling::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kWhole[] = R"(issuers:
  - issuer: https://login.example.nl/realms/vng
    audience: peiling
    jwks: https://login.example.nl/realms/vng/certs
    roles-claim: realm_access.roles
    grants:
      peiling-onderzoeker: {role: researcher, resources: [surveys/sociale-wijkteams]}
      peiling.beheer: {role: administrator}
  - issuer: https://login.example.nl/realms/movisie
    name: movisie
    audience: peiling
    jwks: file:/etc/peiling/jwks.json
certificates:
  - name: mail.spotler.nl
    title: Spotler
    grants: [{role: mailer}, {role: operator}]
proxies: [peiling-nginx]
)";

TEST(AccessRules, WhatTheFileSays) {
  const auto rules = ParseAccessRules("access.yaml", kWhole);
  ASSERT_TRUE(rules.ok()) << rules.status();
  ASSERT_EQ(rules->issuers.size(), 2u);
  const IssuerRules& vng = rules->issuers[0];
  EXPECT_EQ(vng.issuer, "https://login.example.nl/realms/vng");
  EXPECT_EQ(vng.name, "login.example.nl");
  EXPECT_EQ(vng.audience, "peiling");
  EXPECT_EQ(vng.jwks, "https://login.example.nl/realms/vng/certs");
  EXPECT_EQ(vng.roles_claim, "realm_access.roles");
  EXPECT_EQ(vng.grants.at("peiling-onderzoeker").role(), access::v1::ROLE_RESEARCHER);
  EXPECT_THAT(vng.grants.at("peiling-onderzoeker").resources(), ElementsAre("surveys/sociale-wijkteams"));
  EXPECT_EQ(vng.grants.at("peiling.beheer").role(), access::v1::ROLE_ADMINISTRATOR);
  EXPECT_EQ(rules->issuers[1].name, "movisie");
  EXPECT_EQ(rules->issuers[1].roles_claim, "roles");
  ASSERT_EQ(rules->certificates.size(), 1u);
  EXPECT_EQ(rules->certificates[0].title, "Spotler");
  EXPECT_EQ(rules->certificates[0].grants.size(), 2);
  EXPECT_THAT(rules->proxies, ElementsAre("peiling-nginx"));
}

TEST(AccessRules, EverythingMayBeLeftOut) {
  for (const char* text : {"{}", "proxies: []", "issuers:\ncertificates:\n"}) EXPECT_TRUE(ParseAccessRules("f", text).ok()) << text;
}

// Where and what, of every mistake.
std::vector<std::string> Mistakes(const std::string& text) {
  std::vector<std::string> mistakes;
  for (const auto& [where, what] : status::FieldViolations(ParseAccessRules("f", text).status())) mistakes.push_back(where + " " + what);
  return mistakes;
}

TEST(AccessRules, EveryMistakeIsToldWithItsLine) {
  EXPECT_THAT(Mistakes(R"(issuers:
  - issuer: http://login.example.nl
    audience: ""
    jwks: jwks.json
    rolls-claim: x
    grants:
      a: {role: boss}
      b: {role: researcher, resources: [surveys/s, waves/w]}
      c: researcher
certificates:
  - title: no name
    grants: []
  - name: peiling-nginx
    grants: [{role: mailer}, {role: mailer}]
proxies: [peiling-nginx, [x]]
prox: []
)"),
              ElementsAre(HasSubstr("f:2:13 \"http://login.example.nl\": want https"), HasSubstr("f:3:15 want a text"),
                          HasSubstr("f:4:11 \"jwks.json\": want https://… or file:/…"), HasSubstr("f:7:17 want a role"),
                          HasSubstr("f:8:52 \"waves/w\""), HasSubstr("f:9:10 want keys with values"),
                          HasSubstr("f:5:5 \"rolls-claim\" is not known"), HasSubstr("f:11:5 \"name\" is missing"),
                          HasSubstr("f:12:13 want at least one grant"), HasSubstr("f:14:37 is there twice"), HasSubstr("f:15:26"),
                          HasSubstr("f:15:11 \"peiling-nginx\" is among"), HasSubstr("f:16:1 \"prox\" is not known")));
}

TEST(AccessRules, OneMistakeEach) {
  const std::string issuer = "issuers: [{issuer: 'https://a.nl', audience: p, jwks: 'https://a.nl/k'}";
  const std::pair<std::string, const char*> cases[] = {
      {"", "empty"},
      {"- a", "want keys with values"},
      {"issuers: x", "want a list"},
      {"a: 1\na: 2", "twice"},
      {issuer + ", {issuer: 'https://a.nl', audience: p, jwks: 'https://a.nl/k', name: b}]", "is there already"},
      {issuer + ", {issuer: 'https://a.nl/b', audience: p, jwks: 'https://a.nl/k'}]", "give this one a name"},
      {"issuers: [{issuer: 'file:/x', audience: p, jwks: 'https://a.nl/k'}]", "want https://"},
      {"issuers: [{issuer: 'https://a.nl', audience: p, jwks: 'http://a.nl/k'}]", "want https"},
      {"issuers: [{issuer: 'https://a.nl', audience: p, jwks: 'https://u:p@a.nl/k'}]", "want no user"},
      {"issuers: [{issuer: 'https://a.nl', audience: p, jwks: 'ftp://a.nl/k'}]", "want https://"},
      {"issuers: [{issuer: 'https://a.nl', audience: p, jwks: 'file:k'}]", "absolute path"},
      {"issuers: [{issuer: 'https://a.nl', audience: p, jwks: 'https://a.nl/k', name: 'a b'}]", "letters, digits"},
      {"certificates: [{name: a, grants: [{role: mailer}]}, {name: a, grants: [{role: mailer}]}]", "is there already"},
      {"certificates: [{name: a}]", "\"grants\" is missing"},
      {"certificates: [{name: '', grants: [{role: mailer}]}]", "want a text"},
      {"certificates: [{name: a, grants: [{role: respondent, sections: [1]}]}]", "\"sections\" is not known"},
      {"issuers: [{issuer: [a], audience: p, jwks: 'https://a.nl/k'}]", "want a single value"},
  };
  for (const auto& [text, want] : cases) {
    const auto mistakes = Mistakes(text);
    ASSERT_FALSE(mistakes.empty()) << text;
    EXPECT_THAT(mistakes.front(), HasSubstr(want)) << text;
  }
  std::string many = "issuers:\n";
  for (int i = 0; i < 21; ++i) absl::StrAppend(&many, "  - {issuer: 'https://a", i, ".nl', audience: p, jwks: 'https://a.nl/k'}\n");
  EXPECT_THAT(Mistakes(many), ElementsAre(HasSubstr("more than 20")));
  EXPECT_EQ(status::Reason(ParseAccessRules("f", "x").status()), "ACCESS_FILE_INVALID");
}

class AccessFileTest : public ::testing::Test {
 protected:
  AccessFileTest() {
    char name[] = "/tmp/access_file_test.XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~AccessFileTest() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return directory_ + "/access.yaml"; }
  // As administrators and Kubernetes do it: all at once.
  void Write(const std::string& text) const {
    std::ofstream(path() + ".new") << text;
    std::filesystem::rename(path() + ".new", path());
  }

  std::string directory_;
};

TEST_F(AccessFileTest, WhatCannotBeReadIsAnError) {
  EXPECT_EQ(status::Reason(AccessFile::Open(path()).status()), "ACCESS_FILE_UNREADABLE");
  EXPECT_EQ(status::Reason(AccessFile::Open(directory_).status()), "ACCESS_FILE_UNREADABLE");
  Write(std::string(2 << 20, '#'));
  EXPECT_EQ(status::Reason(AccessFile::Open(path()).status()), "ACCESS_FILE_UNREADABLE");
  Write("x: 1");
  const absl::Status status = AccessFile::Open(path()).status();
  EXPECT_EQ(status::Reason(status), "ACCESS_FILE_INVALID");
  EXPECT_THAT(std::string(status.message().data(), status.message().size()), HasSubstr(path() + ":1:1"));
}

TEST_F(AccessFileTest, ChangesAreToldAndMistakesAreNot) {
  Write("proxies: [a]");
  auto file = AccessFile::Open(path());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->rules().proxies, ElementsAre("a"));
  std::mutex mutex;
  std::vector<std::string> seen;
  (*file)->Start([&](const AccessRules& rules) {
    const std::lock_guard lock(mutex);
    seen.push_back(*rules.proxies.begin());
  });
  const auto sees = [&](size_t count) {
    const std::lock_guard lock(mutex);
    return seen.size() == count;
  };
  Write("proxies: [b]");
  EXPECT_TRUE(Eventually([&] { return sees(1); }));
  // Broken, then gone, then right again.
  Write("proxies: [");
  std::filesystem::remove(path());
  Write("proxies: [c]");
  EXPECT_TRUE(Eventually([&] { return sees(2); }));
  (*file)->Stop();
  EXPECT_THAT(seen, ElementsAre("b", "c"));
}

}  // namespace
}  // namespace peiling::gateway
