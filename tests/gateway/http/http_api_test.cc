// What HTTP clients ask and get, on sockets.
#include "services/gateway/http/http_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/gateway/http/fixture.h"

namespace peiling::gateway {
namespace {

using ::testing::HasSubstr;

constexpr char kWave[] = "/v1/surveys/s/waves/2022";

TEST_F(HttpTest, AnswersAGet) {
  Client client(port());
  const Answered answered = client.Ask("GET", kWave);
  EXPECT_EQ(answered.status, 200) << answered.head;
  EXPECT_EQ(answered.headers.at("content-type"), "application/json");
  EXPECT_EQ(answered.headers.at("etag"), "\"e1\"");
  EXPECT_THAT(answered.body, HasSubstr(R"("name":"surveys/s/waves/2022")"));
  EXPECT_THAT(answered.body, HasSubstr(R"("responseCount":"1048576")"));
}

}  // namespace
}  // namespace peiling::gateway
