#include "services/fieldwork/webhooks/https_post.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "tests/common/tls/authority.h"
#include "tests/gateway/identity/http_stub.h"

namespace peiling::fieldwork {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

AllowedNetworks Allowed(const std::vector<std::string>& networks = {}) {
  const auto allowed = AllowedNetworks::Parse(networks);
  EXPECT_TRUE(allowed.ok()) << allowed.status();
  return *allowed;
}

TEST(AllowedNetworksTest, PublicAddressesAreAllowed) {
  for (const char* const address : {"8.8.8.8", "193.177.0.1", "172.15.255.255", "172.32.0.1", "2a00:1450::1", "100.128.0.1", "2001:200::1",
                                    "2600::1", "3ffe::1", "3fff:1000::1", "::ffff:8.8.8.8"}) {
    EXPECT_TRUE(Allowed().Contains(address)) << address;
  }
}

TEST(AllowedNetworksTest, OthersAreNot) {
  for (const char* const address : {"127.0.0.1",
                                    "10.0.0.1",
                                    "172.16.0.1",
                                    "172.31.255.255",
                                    "192.168.1.1",
                                    "169.254.169.254",
                                    "0.0.0.0",
                                    "100.64.0.1",
                                    "224.0.0.1",
                                    "255.255.255.255",
                                    "::1",
                                    "::",
                                    "fe80::1",
                                    "fd00::1",
                                    "ff02::1",
                                    "::ffff:127.0.0.1",
                                    "::ffff:10.0.0.1",
                                    "::127.0.0.1",
                                    "64:ff9b::7f00:1",
                                    "2002:7f00:1::",
                                    "2001:db8::1",
                                    "::ffff:0:7f00:1",
                                    "::ffff:0:808:808",
                                    "64:ff9b::808:808",
                                    "64:ff9b:1::a00:1",
                                    "100::1",
                                    "1fff:ffff::1",
                                    "2001::1",
                                    "2001:1ff::1",
                                    "2002:808:808::1",
                                    "3fff::1",
                                    "3fff:fff:ffff::1",
                                    "4000::1",
                                    "5f00::1",
                                    "febf::1",
                                    "fec0::1",
                                    "feff::1",
                                    "fc00::1",
                                    "192.0.0.8",
                                    "192.88.99.1",
                                    "198.19.255.255",
                                    "240.0.0.1",
                                    "host",
                                    ""}) {
    EXPECT_FALSE(Allowed().Contains(address)) << address;
  }
}

TEST(AllowedNetworksTest, TheOperatorMayAllowSome) {
  const AllowedNetworks allowed = Allowed({"10.1.0.0/20", "::1", "fd00:1::/33"});
  for (const char* const address : {"10.1.15.255", "::1", "fd00:1:0:1::2"}) EXPECT_TRUE(allowed.Contains(address)) << address;
  for (const char* const address : {"10.1.16.0", "10.2.0.1", "::2", "fd00:1:8000::1"}) EXPECT_FALSE(allowed.Contains(address)) << address;
}

TEST(AllowedNetworksTest, WhatIsNoNetworkIsNamed) {
  for (const char* const text : {"", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "10.0.0.0/8/8", "host/8", "::/129"}) {
    EXPECT_EQ(AllowedNetworks::Parse({text}).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(UrlProblemTest, WantsHttpsToAPublicHost) {
  EXPECT_EQ(UrlProblem("https://vng.example/haak?a=b", Allowed()), "");
  EXPECT_EQ(UrlProblem("https://8.8.8.8:8443/", Allowed()), "");
  for (const char* const url :
       {"http://vng.example/", "https://u@vng.example/", "https://u:p@vng.example/", "https://vng.example/#f", "ftp://vng.example/",
        "vng.example", "", "https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/", "http://8.8.8.8/"}) {
    EXPECT_NE(UrlProblem(url, Allowed()), "") << url;
  }
  EXPECT_NE(UrlProblem("https://vng.example/" + std::string(2000, 'x'), Allowed()), "");
}

TEST(UrlProblemTest, HttpIsForAddressesOfAllowedNetworks) {
  EXPECT_EQ(UrlProblem("http://127.0.0.1:8080/", Allowed({"127.0.0.1/32"})), "");
  EXPECT_NE(UrlProblem("http://127.0.0.2:8080/", Allowed({"127.0.0.1/32"})), "");
  EXPECT_NE(UrlProblem("http://localhost:8080/", Allowed({"127.0.0.1/32"})), "");
}

TEST(PostTest, DoesNotConnectToWhatIsNotAllowed) {
  EXPECT_EQ(Post("https://localhost:1/", {}, "", Allowed(), {}).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Post("http://127.0.0.1:1/", {}, "", Allowed({"127.0.0.1/32"}), {}).status().code(), absl::StatusCode::kUnavailable);
}

// A receiver on loopback, over TLS with a certificate for localhost and 127.0.0.1.
class TlsPostTest : public testing::Test {
 protected:
  TlsPostTest() { receiver_.Answer(204, ""); }
  static std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> KeyOf(const tls::Material& material) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(material.key.data(), static_cast<int>(material.key.size())),
                                                        BIO_free);
    return {PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
  }
  // `ca`: authorities that are believed.
  absl::StatusOr<int> Send(const std::string& url, const std::string& ca) {
    return Post(url, {{"webhook-id", "event-1"}}, R"({"id":"event-1"})", Allowed({"127.0.0.0/8"}),
                {.connect_timeout = std::chrono::seconds(5), .timeout = std::chrono::seconds(5), .ca = folder_.Write("ca.pem", ca)});
  }

  const tls::Folder folder_;
  const tls::Authority authority_;
  const tls::Material material_ = authority_.Issue({});
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_ = KeyOf(material_);
  gateway::HttpStub receiver_{material_.certificate, key_.get()};
};

TEST_F(TlsPostTest, SendsToWhomANamedAuthorityVouchesFor) {
  const auto sent = Send(receiver_.address() + "?a=b", authority_.pem());
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_EQ(*sent, 204);
  EXPECT_THAT(receiver_.request(), StartsWith("POST /keys?a=b HTTP/1.1\r\n"));
  EXPECT_THAT(receiver_.request(), HasSubstr("\r\nwebhook-id: event-1\r\n"));
  EXPECT_THAT(receiver_.request(), EndsWith("\r\n\r\n{\"id\":\"event-1\"}"));
  receiver_.Answer(503, "later");
  EXPECT_EQ(*Send(receiver_.address(), authority_.pem()), 503);
}

TEST_F(TlsPostTest, SendsNothingToWhomAnotherAuthorityVouchesFor) {
  const absl::Status refused = Send(receiver_.address(), tls::Authority("another").pem()).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_TRUE(absl::IsUnavailable(Post(receiver_.address(), {}, "", Allowed({"127.0.0.0/8"}), {}).status())) << "nor do the system's";
  EXPECT_EQ(receiver_.request(), "");
}

TEST_F(TlsPostTest, SendsNothingToWhoHasACertificateForAnotherName) {
  const tls::Material other = authority_.Issue({.dns = {"vng.example"}, .uris = {}, .server = false});
  const auto key = KeyOf(other);
  gateway::HttpStub receiver(other.certificate, key.get());
  receiver.Answer(204, "");
  EXPECT_TRUE(absl::IsUnavailable(Send(receiver.address(), authority_.pem()).status()));
  EXPECT_EQ(receiver.request(), "");
}

TEST_F(TlsPostTest, FollowsNobodyElsewhere) {
  gateway::HttpStub elsewhere;
  elsewhere.Answer(200, "");
  receiver_.Answer(307, "", "location: " + elsewhere.address() + "\r\n");
  EXPECT_EQ(*Send(receiver_.address(), authority_.pem()), 307);
  EXPECT_EQ(elsewhere.calls(), 0);
}

TEST_F(TlsPostTest, LooksAtTheAddressANameStandsForWhenItConnects) {
  std::string url = receiver_.address();
  url.replace(url.find("127.0.0.1"), 9, "localhost");
  EXPECT_EQ(*Send(url, authority_.pem()), 204);
  const int calls = receiver_.calls();
  const PostLimits limits{.ca = folder_.Write("ca.pem", authority_.pem())};
  EXPECT_TRUE(absl::IsPermissionDenied(Post(url, {}, "", Allowed({"10.0.0.0/8"}), limits).status()));
  EXPECT_EQ(receiver_.calls(), calls);
}

TEST_F(TlsPostTest, WaitsNoLongerThanItIsTold) {
  // Connections are taken by the kernel, and nobody reads.
  const int silent = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent, 1), 0);
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string url = "https://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  const auto began = std::chrono::steady_clock::now();
  const PostLimits limits{.timeout = std::chrono::milliseconds(100)};
  EXPECT_TRUE(absl::IsUnavailable(Post(url, {}, "", Allowed({"127.0.0.0/8"}), limits).status()));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  ::close(silent);
}

}  // namespace
}  // namespace peiling::fieldwork
