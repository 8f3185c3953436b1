#include "services/gateway/grpc/grpc_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace peiling::gateway {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;
using testing::ElementsAre;
using testing::Optional;
using testing::Pair;

TEST(GrpcWireTest, TimeoutIsDigitsAndAUnit) {
  const std::pair<const char*, nanoseconds> cases[] = {{"1H", hours(1)},
                                                       {"2M", std::chrono::minutes(2)},
                                                       {"3S", std::chrono::seconds(3)},
                                                       {"100m", std::chrono::milliseconds(100)},
                                                       {"5u", std::chrono::microseconds(5)},
                                                       {"99999999n", nanoseconds(99'999'999)},
                                                       {"0m", nanoseconds(0)},
                                                       {"00000007S", std::chrono::seconds(7)}};
  for (const auto& [text, timeout] : cases) EXPECT_THAT(ParseTimeout(text), Optional(timeout)) << text;
}

TEST(GrpcWireTest, LongTimeoutsAreAYear) {
  for (const char* text : {"99999999H", "99999999M", "99999999S", "8761H"})
    EXPECT_THAT(ParseTimeout(text), Optional(hours(24 * 365))) << text;
}

TEST(GrpcWireTest, WhatIsNoTimeoutIsNone) {
  for (const char* text : {"", "S", "1", "1s", "1h", "-1S", "+1S", " 1S", "1 S", "1S ", "1.5S", "0x1S", "123456789S", "1SS", "S1"}) {
    EXPECT_EQ(ParseTimeout(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseTimeout(std::string("1\0S", 3)), std::nullopt);
}

TEST(GrpcWireTest, BinaryIsKnownByItsName) {
  EXPECT_TRUE(IsBinary("grpc-status-details-bin"));
  EXPECT_TRUE(IsBinary("x-bin"));
  for (const char* name : {"", "-bin", "bin", "x-binary", "-bin-x"}) EXPECT_FALSE(IsBinary(name)) << name;
}

TEST(GrpcWireTest, BinaryIsWrittenWithoutPadding) {
  EXPECT_EQ(EncodeBinary(""), "");
  EXPECT_EQ(EncodeBinary("a"), "YQ");
  EXPECT_EQ(EncodeBinary("ab"), "YWI");
  EXPECT_EQ(EncodeBinary("abc"), "YWJj");
  EXPECT_EQ(EncodeBinary("\xfb\xff"), "+/8");
}

TEST(GrpcWireTest, BinaryComesBackAsItWas) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    EXPECT_THAT(DecodeBinary(EncodeBinary(bytes)), Optional(ElementsAre(bytes))) << i;
    bytes += static_cast<char>(255 - i);
  }
}

TEST(GrpcWireTest, BinaryIsTakenWithPaddingAndSeveralAtOnce) {
  EXPECT_THAT(DecodeBinary("YQ=="), Optional(ElementsAre("a")));
  EXPECT_THAT(DecodeBinary("YQ,YWI=,YWJj"), Optional(ElementsAre("a", "ab", "abc")));
  EXPECT_THAT(DecodeBinary("YQ, YWI"), Optional(ElementsAre("a", "ab"))) << "as the values of a header are often parted";
  EXPECT_THAT(DecodeBinary("YQ,"), Optional(ElementsAre("a", "")));
}

TEST(GrpcWireTest, WhatIsNotBase64IsNone) {
  for (const char* text : {"!", "Y", "YQ,!", "YW\x80j", "YQ===", "=", "Y=Q="}) EXPECT_EQ(DecodeBinary(text), std::nullopt) << text;
}

TEST(GrpcWireTest, TrailersOfSuccessAreTheStatusAlone) { EXPECT_THAT(TrailersOf(grpc::Status::OK), ElementsAre(Pair("grpc-status", "0"))); }

TEST(GrpcWireTest, MessageIsPercentEncoded) {
  EXPECT_THAT(TrailersOf({grpc::StatusCode::INTERNAL, "plain text, ~ and all"}),
              ElementsAre(Pair("grpc-status", "13"), Pair("grpc-message", "plain text, ~ and all")));
  const std::string odd = "100% caf\xc3\xa9\r\n\x7f" + std::string(1, '\0');
  EXPECT_THAT(TrailersOf({grpc::StatusCode::NOT_FOUND, odd}),
              ElementsAre(Pair("grpc-status", "5"), Pair("grpc-message", "100%25 caf%c3%a9%0d%0a%7f%00")));
}

TEST(GrpcWireTest, DetailsAreAsTheyAre) {
  const std::string details("\x08\x00\xff", 3);
  EXPECT_THAT(TrailersOf({grpc::StatusCode::ABORTED, "", details}),
              ElementsAre(Pair("grpc-status", "10"), Pair("grpc-status-details-bin", details)));
}

}  // namespace
}  // namespace peiling::gateway
