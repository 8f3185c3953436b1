// webhooks: as a user runs them.
#include "gmock/gmock.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WebhooksTest : public SuiteTest {
 protected:
  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }
  static std::string Method(const std::string& name) { return FieldworkMethod("WebhookService/" + name); }
};

constexpr char kWebhook[] = R"({ name: "webhooks/5f2c" title: "VNG" url: "https://vng.nl/p" event_types: WEBHOOK_EVENT_TYPE_WAVE_CLOSED
  waiting: 3 dead: 1 })";

TEST_F(WebhooksTest, TheSecretIsOnOutputAloneSoThatAScriptCanTakeIt) {
  suite_.Answers<fieldwork::v1::CreateWebhookResponse>(Method("CreateWebhook"), std::string(R"(secret: "whsec_x" webhook )") + kWebhook);
  const Outcome outcome = Run({"webhooks", "create", "VNG", "https://vng.nl/p", "--event", "wave-closed", "--event", "response-submitted"});
  EXPECT_EQ(outcome.out, "whsec_x\n") << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("cannot be shown again"));
  const auto request = suite_.Requests<fieldwork::v1::CreateWebhookRequest>(Method("CreateWebhook")).at(0);
  EXPECT_THAT(request.webhook().event_types(),
              ElementsAre(fieldwork::v1::WEBHOOK_EVENT_TYPE_WAVE_CLOSED, fieldwork::v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED));
  EXPECT_EQ(Run({"webhooks", "create", "VNG", "https://vng.nl/p", "--event", "tea"}).code, 2);
}

TEST_F(WebhooksTest, AreListedWithWhatWasGivenUp) {
  suite_.Answers<fieldwork::v1::ListWebhooksResponse>(Method("ListWebhooks"), std::string("webhooks ") + kWebhook);
  EXPECT_EQ(Run({"webhooks", "list", "-o", "csv"}).out,
            "webhook,title,url,events,resource,waiting,dead,last_delivered\n"
            "5f2c,VNG,https://vng.nl/p,wave-closed,,3,1,\n");
}

TEST_F(WebhooksTest, DeliveriesAreListedAndTriedAgain) {
  suite_.Answers<fieldwork::v1::ListWebhookDeliveriesResponse>(Method("ListWebhookDeliveries"), R"(
    deliveries { name: "webhooks/5f2c/deliveries/d1" event_type: WEBHOOK_EVENT_TYPE_WAVE_CLOSED state: DELIVERY_STATE_DEAD attempts: 12
                 last_error: "HTTP 500" })");
  suite_.Answers<fieldwork::v1::RedeliverWebhookResponse>(Method("RedeliverWebhook"), "redelivered: 1");
  EXPECT_THAT(Run({"webhooks", "deliveries", "5f2c", "--state", "dead", "-o", "csv"}).out,
              HasSubstr("d1,wave-closed,dead,12,,,HTTP 500\n"));
  EXPECT_EQ(Run({"webhooks", "redeliver", "5f2c", "d1"}).code, 0);
  EXPECT_THAT(suite_.Requests<fieldwork::v1::RedeliverWebhookRequest>(Method("RedeliverWebhook")).at(0).deliveries(),
              ElementsAre("webhooks/5f2c/deliveries/d1"));
}

TEST_F(WebhooksTest, GetANewSecretAndEnd) {
  suite_.Answers<fieldwork::v1::RotateWebhookSecretResponse>(Method("RotateWebhookSecret"),
                                                             std::string(R"(secret: "whsec_y" webhook )") + kWebhook);
  suite_.Answers<fieldwork::v1::DeleteWebhookResponse>(Method("DeleteWebhook"), "");
  EXPECT_EQ(Run({"webhooks", "rotate", "5f2c"}).out, "whsec_y\n");
  EXPECT_THAT(Run({"webhooks", "delete", "5f2c"}).err, HasSubstr("told nothing any more"));
  EXPECT_EQ(suite_.Requests<fieldwork::v1::DeleteWebhookRequest>(Method("DeleteWebhook")).at(0).name(), "webhooks/5f2c");
}

}  // namespace
}  // namespace peiling::ctl::testing
