#include "services/common/url/url.h"

#include "gtest/gtest.h"

namespace peiling {
namespace {

TEST(Url, HasItsParts) {
  const auto url = ParseUrl("HTTPS://someone:secret@[2001:db8::1]:8443/a?b#c");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "[2001:db8::1]");
  EXPECT_EQ(url->port, "8443");
  EXPECT_EQ(url->user, "someone");
  EXPECT_EQ(url->password, "secret");
  EXPECT_EQ(url->fragment, "c");
}

TEST(Url, MayBeOfAnyKind) {
  EXPECT_EQ(ParseUrl("smtps://mail.example.nl")->scheme, "smtps");
  EXPECT_EQ(ParseUrl("odd://x")->scheme, "odd");
}

TEST(Url, IsNoneWithoutScheme) {
  for (const char* text : {"", "example.nl", "https://", "https://a b", "jwks.json"}) EXPECT_FALSE(ParseUrl(text)) << text;
}

TEST(Url, IsForOthersOverTlsAlone) {
  const auto holds = [](const char* text) { return IsHttpsOrOwnMachine(*ParseUrl(text)); };
  EXPECT_TRUE(holds("https://example.nl"));
  for (const char* text : {"http://127.0.0.1:8080", "http://localhost/x", "http://[::1]"}) EXPECT_TRUE(holds(text)) << text;
  for (const char* text :
       {"http://example.nl", "http://127.evil.nl", "http://127.0.0.1.evil.nl", "http://[2001:db8::1]", "ftp://localhost"}) {
    EXPECT_FALSE(holds(text)) << text;
  }
}

TEST(Url, MaySayWhoCalls) {
  for (const char* text : {"https://a@example.nl", "https://:b@example.nl", "https://example.nl/#c"}) {
    EXPECT_TRUE(HasUserOrFragment(*ParseUrl(text))) << text;
  }
  EXPECT_FALSE(HasUserOrFragment(*ParseUrl("https://example.nl/a?b")));
}

}  // namespace
}  // namespace peiling
