#include "services/fieldwork/webhooks/webhook_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rapidjson/document.h"

namespace peiling::fieldwork {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const absl::Time kTime = absl::FromUnixSeconds(1'790'000'000);  // 2026-09-21T14:13:20Z

WebhookEvent Submitted() {
  return {.type = v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED,
          .wave = "surveys/s/waves/2026",
          .time = kTime,
          .response = "surveys/s/waves/2026/responses/GM0363",
          .municipalities = {"GM0363", "GM0394"}};
}

// The example of the specification's reference implementations.
TEST(SignaturesTest, AreThoseOfStandardWebhooks) {
  EXPECT_EQ(Signatures({"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(SignaturesTest, ThereIsOneForEachSecret) {
  const std::string one = NewWebhookSecret(), other = NewWebhookSecret();
  EXPECT_NE(one, other);
  EXPECT_EQ(Signatures({one, other}, "id", 1, "body"), Signatures({one}, "id", 1, "body") + " " + Signatures({other}, "id", 1, "body"));
}

TEST(CloudEventTest, SaysWhatWasSubmitted) {
  rapidjson::Document json;
  json.Parse(CloudEvent(Submitted(), "urn:nld:oin:00000001234567890000:systeem:peiling").c_str());
  ASSERT_FALSE(json.HasParseError());
  EXPECT_STREQ(json["specversion"].GetString(), "1.0");
  EXPECT_EQ(json["id"].GetString(), EventId(Submitted()));
  EXPECT_STREQ(json["source"].GetString(), "urn:nld:oin:00000001234567890000:systeem:peiling");
  EXPECT_STREQ(json["type"].GetString(), "nl.vng.peiling.response.submitted.v1");
  EXPECT_STREQ(json["subject"].GetString(), "surveys/s/waves/2026/responses/GM0363");
  EXPECT_STREQ(json["time"].GetString(), "2026-09-21T14:13:20Z");
  EXPECT_STREQ(json["datacontenttype"].GetString(), "application/json");
  EXPECT_STREQ(json["data"]["response"].GetString(), "surveys/s/waves/2026/responses/GM0363");
  EXPECT_STREQ(json["data"]["municipalities"][1].GetString(), "GM0394");
}

TEST(CloudEventTest, SaysUntilWhenAWaveIsExtended) {
  const WebhookEvent event{.type = v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED,
                           .wave = "surveys/s/waves/2026",
                           .time = kTime,
                           .closes_at = kTime + absl::Hours(1),
                           .extensions = 2};
  EXPECT_THAT(CloudEvent(event, "urn:x"),
              HasSubstr(R"("data":{"wave":"surveys/s/waves/2026","closesAt":"2026-09-21T15:13:20Z","extensions":2})"));
  EXPECT_THAT(CloudEvent(event, "urn:x"), HasSubstr(R"("subject":"surveys/s/waves/2026")"));
}

TEST(EventIdTest, IsTheEventsAndSortsByTime) {
  WebhookEvent later = Submitted();
  later.time += absl::Milliseconds(1);
  WebhookEvent other = Submitted();
  other.response += "1";
  EXPECT_EQ(EventId(Submitted()), EventId(Submitted()));
  EXPECT_LT(EventId(Submitted()), EventId(later));
  EXPECT_NE(EventId(Submitted()), EventId(other));
}

}  // namespace
}  // namespace peiling::fieldwork
