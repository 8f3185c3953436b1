#include "services/fieldwork/webhooks/https_post.h"

#include <gtest/gtest.h>

namespace peiling::fieldwork {
namespace {

AllowedNetworks Allowed(const std::vector<std::string>& networks = {}) {
  const auto allowed = AllowedNetworks::Parse(networks);
  EXPECT_TRUE(allowed.ok()) << allowed.status();
  return *allowed;
}

TEST(AllowedNetworksTest, PublicAddressesAreAllowed) {
  for (const char* const address : {"8.8.8.8", "193.177.0.1", "172.15.255.255", "172.32.0.1", "2a00:1450::1", "100.128.0.1"}) {
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

}  // namespace
}  // namespace peiling::fieldwork
