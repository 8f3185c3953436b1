#include "services/gateway/identity/fetch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/eventually.h"
#include "tests/gateway/identity/http_stub.h"
#include "tests/gateway/identity/token_maker.h"

namespace peiling::gateway {
namespace {

using ::testing::HasSubstr;

class FetchTest : public ::testing::Test {
 protected:
  FetchTest() {
    char name[] = "/tmp/fetch_test.XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~FetchTest() override { std::filesystem::remove_all(directory_); }

  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ + "/" + name) << text;
    return directory_ + "/" + name;
  }
  // What was fetched, or why nothing was.
  std::string Get(const std::string& address) {
    const auto text = Fetch(address, limits_, stop_);
    return text.ok() ? *text : text.status().ToString();
  }

  std::string directory_;
  FetchLimits limits_;
  std::atomic<bool> stop_ = false;
};

TEST(FetchProblem, SaysWhichAddressesMayBeFetched) {
  for (const char* address : {"https://login.example.nl/keys", "https://login.example.nl:8443/keys?p=x", "http://127.0.0.1:80/k",
                              "http://[::1]/k", "http://localhost:1/k", "file:/etc/jwks.json"}) {
    EXPECT_EQ(FetchProblem(address), "") << address;
  }
  for (const char* address :
       {"", "x", "/etc/jwks.json", "file:", "file:/", "file:x", "http://login.example.nl/keys", "http://127.0.0.1.evil.nl/k",
        "http://127.0.0.1@evil.nl/k", "https://user@login.example.nl", "https://u:p@login.example.nl", "https://a.nl/#x", "ftp://a.nl",
        "gopher://a.nl", "dict://127.0.0.1", "https://", "https://a b.nl"}) {
    EXPECT_NE(FetchProblem(address), "") << address;
  }
}

TEST(HostOf, IsTheHostWithItsPort) {
  EXPECT_EQ(HostOf("https://Login.example.nl/realms/vng"), "Login.example.nl");
  EXPECT_EQ(HostOf("https://login.example.nl:8443"), "login.example.nl:8443");
  EXPECT_EQ(HostOf("file:/x"), "");
  EXPECT_EQ(HostOf("x y"), "");
}

TEST_F(FetchTest, FilesAreReadWithinBounds) {
  limits_.most_bytes = 10;
  EXPECT_EQ(Get("file:" + Write("small", "text")), "text");
  EXPECT_THAT(Get("file:" + Write("large", "0123456789a")), HasSubstr("is too large"));
  EXPECT_THAT(Get("file:" + directory_ + "/none"), HasSubstr("No such file"));
}

TEST_F(FetchTest, AnAnswerOf200IsTakenAndNoOther) {
  HttpStub http;
  HttpStub other;
  http.Answer(200, "text");
  other.Answer(200, "of the other");
  EXPECT_EQ(Get(http.address()), "text");
  for (const int code : {204, 301, 302, 307, 404, 500}) {
    http.Answer(code, "text", "location: " + other.address() + "\r\n");
    EXPECT_THAT(Get(http.address()), HasSubstr("answers " + std::to_string(code)));
  }
  EXPECT_EQ(other.calls(), 0);
  http.Answer(0, "");
  EXPECT_THAT(Get(http.address()), HasSubstr("UNAVAILABLE"));
}

TEST_F(FetchTest, WhatIsTooLargeIsRefused) {
  HttpStub http;
  limits_.most_bytes = 1000;
  http.Answer(200, std::string(1001, 'x'));
  EXPECT_THAT(Get(http.address()), HasSubstr("is too large"));
  http.Answer(200, std::string(1000, 'x'));
  EXPECT_EQ(Get(http.address()), std::string(1000, 'x'));
}

TEST_F(FetchTest, ASilentServerIsGivenUpAndStoppingEndsTheWait) {
  // Nobody accepts what waits behind this socket.
  const int silent = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent, 16), 0);
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/k";
  limits_.timeout = std::chrono::milliseconds(50);
  EXPECT_THAT(Get(url), HasSubstr("UNAVAILABLE"));
  limits_.timeout = std::chrono::hours(1);
  std::string got;
  std::thread waiting([&] { got = Get(url); });
  stop_ = true;
  waiting.join();
  EXPECT_THAT(got, HasSubstr("UNAVAILABLE"));
  ::close(silent);
}

TEST_F(FetchTest, OverTlsTheServerMustBeWhoItSays) {
  const auto key = SigningKey::Ec("server");
  const std::string good = Certificate(key, "IP:127.0.0.1");
  const std::string other = Certificate(key, "DNS:login.example.nl");
  const std::string expired = Certificate(key, "IP:127.0.0.1", -7200, -3600);
  const auto get = [&](const std::string& certificate, const std::string& ca) {
    HttpStub https(certificate, key.key());
    https.Answer(200, "text");
    limits_.ca = ca.empty() ? "" : Write("ca.pem", ca);
    return Get(https.address());
  };
  EXPECT_EQ(get(good, good), "text");
  EXPECT_THAT(get(good, ""), HasSubstr("certificate")) << "an authority of the system's did not sign it";
  EXPECT_THAT(get(good, other), HasSubstr("certificate"));
  EXPECT_THAT(get(other, other), HasSubstr("127.0.0.1"));
  EXPECT_THAT(get(expired, expired), HasSubstr("expired"));
}

}  // namespace
}  // namespace peiling::gateway
