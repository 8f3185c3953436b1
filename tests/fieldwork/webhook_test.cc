#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/waves/live_book.h"
#include "services/fieldwork/webhooks/webhook_sender.h"
#include "services/fieldwork/webhooks/webhook_store.h"
#include "services/fieldwork/webhooks/webhook_teller.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kWave[] = "surveys/s/waves/2026";
const absl::Time kStart = absl::FromUnixSeconds(1'790'000'000);

// What a receiver got.
struct Received {
  std::string url, id, signature, body;
};

class WebhookTest : public testing::Test {
 protected:
  WebhookTest() {
    wave_.set_name(kWave);
    wave_.set_frame_date("2026-01-01");
    wave_.set_partitions(1);
    *wave_.mutable_closes_at() = calendar::ToProto(kStart + absl::Hours(10));
    book_.Open(wave_);
    book_.SetFrame(kWave, std::make_shared<Frame>());
    book_.SetCaughtUp(kWave, 0);
    book_.SetCaughtUp(kWave, LiveBook::kRecordFeed);
    book_.SetListed();
  }

  v1::CreateWebhookResponse Create(std::vector<v1::WebhookEventType> types = {v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED},
                                   const std::string& resource = "") {
    v1::CreateWebhookRequest request;
    request.mutable_webhook()->set_title("VNG");
    request.mutable_webhook()->set_url("https://vng.example/");
    for (const auto type : types) request.mutable_webhook()->add_event_types(type);
    request.mutable_webhook()->set_resource(resource);
    request.set_request_id(absl::StrCat("create-", ++requests_));
    const auto created = webhooks_.Create(request, "keys/1");
    EXPECT_TRUE(created.ok()) << created.status();
    return created.value_or(v1::CreateWebhookResponse());
  }

  void Submit(const std::string& id, absl::Time at) {
    intake::v1::Response response;
    response.set_name(absl::StrCat(kWave, "/responses/", id));
    response.set_state(intake::v1::RESPONSE_STATE_SUBMITTED);
    response.add_municipalities(id);
    *response.mutable_submitted_at() = calendar::ToProto(at);
    book_.TakeIn(kWave, std::vector<intake::v1::Response>{response});
  }

  // Everything that is due is sent; the receiver answers `answer_`.
  void SendAll() {
    WebhookSender sender(
        webhooks_,
        [this](const std::string& url, const auto& headers, const std::string& body) -> absl::StatusOr<int> {
          const std::map<std::string, std::string> by_name(headers.begin(), headers.end());
          received_.push_back({url, by_name.at("webhook-id"), by_name.at("webhook-signature"), body});
          if (answer_ == 0) return absl::UnavailableError("nobody there");
          return answer_;
        },
        [this] { return now_; }, {.pauses = {absl::Seconds(5), absl::Minutes(5)}});
    while (*sender.SendNext()) {
    }
  }

  std::vector<v1::WebhookDelivery> Deliveries(const v1::Webhook& webhook) {
    v1::ListWebhookDeliveriesRequest request;
    request.set_parent(webhook.name());
    const auto listed = webhooks_.ListDeliveries(request, {});
    EXPECT_TRUE(listed.ok()) << listed.status();
    return {listed->deliveries().begin(), listed->deliveries().end()};
  }

  absl::Time now_ = kStart;
  int answer_ = 204;
  int requests_ = 0;
  std::vector<Received> received_;
  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "fieldwork");
  std::unique_ptr<vault::Vault> vault_ = *vault::Vault::Make(vault::Vault::NewKey("k1"));
  WebhookStore webhooks_{*store_, *vault_, "urn:nld:peiling", [this] { return now_; }};
  LiveBook book_;
  intake::v1::Wave wave_;
  WebhookTeller teller_{book_, webhooks_, [this] { return now_; }};
};

TEST_F(WebhookTest, ASubmissionIsToldOnce) {
  const auto created = Create();
  Submit("GM0001", now_ + absl::Seconds(1));
  ASSERT_TRUE(teller_.Tell().ok());
  ASSERT_TRUE(teller_.Tell().ok());
  SendAll();
  ASSERT_THAT(received_, SizeIs(1));
  EXPECT_EQ(received_[0].url, "https://vng.example/");
  EXPECT_THAT(received_[0].body, HasSubstr(R"("response":"surveys/s/waves/2026/responses/GM0001")"));
  EXPECT_EQ(received_[0].signature, Signatures({created.secret()}, received_[0].id, absl::ToUnixSeconds(now_), received_[0].body));
  EXPECT_THAT(Deliveries(created.webhook()), IsEmpty());
  EXPECT_TRUE(webhooks_.Get(created.webhook().name())->has_last_delivered_at());
}

TEST_F(WebhookTest, AnotherReplicaOrALaterProcessDoesNotTellAgain) {
  Create();
  Submit("GM0001", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  SendAll();
  WebhookTeller other(book_, webhooks_, [this] { return now_; });
  ASSERT_TRUE(other.Tell().ok());
  SendAll();
  EXPECT_THAT(received_, SizeIs(1));
}

TEST_F(WebhookTest, SubmittedAnewIsToldAnew) {
  Create();
  Submit("GM0001", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  Submit("GM0001", now_ + absl::Minutes(1));
  ASSERT_TRUE(teller_.Tell().ok());
  SendAll();
  ASSERT_THAT(received_, SizeIs(2));
  EXPECT_NE(received_[0].id, received_[1].id);
}

TEST_F(WebhookTest, WhatHappenedBeforeItWasMadeIsNotTold) {
  Submit("GM0001", now_ - absl::Seconds(1));
  Create();
  ASSERT_TRUE(teller_.Tell().ok());
  SendAll();
  EXPECT_THAT(received_, IsEmpty());
}

TEST_F(WebhookTest, OnlyWhatItWantsIsTold) {
  Create({v1::WEBHOOK_EVENT_TYPE_WAVE_CLOSED});
  Create({v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED}, "surveys/other");
  Submit("GM0001", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  SendAll();
  EXPECT_THAT(received_, IsEmpty());
}

TEST_F(WebhookTest, ClosingIsToldWhenTheTimeHasCome) {
  Create({v1::WEBHOOK_EVENT_TYPE_WAVE_CLOSED}, "surveys/s");
  ASSERT_TRUE(teller_.Tell().ok());
  SendAll();
  EXPECT_THAT(received_, IsEmpty());
  now_ = kStart + absl::Hours(10);
  ASSERT_TRUE(teller_.Tell().ok());
  ASSERT_TRUE(teller_.Tell().ok());
  SendAll();
  ASSERT_THAT(received_, SizeIs(1));
  EXPECT_THAT(received_[0].body, HasSubstr("wave.closed"));
}

TEST_F(WebhookTest, EveryExtensionIsTold) {
  Create({v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED});
  for (int i = 1; i <= 2; ++i) {
    wave_.set_extensions(i);
    *wave_.mutable_extended_at() = calendar::ToProto(now_ + absl::Hours(i));
    book_.SetWave(wave_);
    ASSERT_TRUE(teller_.Tell().ok());
  }
  SendAll();
  EXPECT_THAT(received_, SizeIs(2));
}

TEST_F(WebhookTest, WhatDoesNotArriveIsTriedAgainAndThenGivenUp) {
  const auto created = Create();
  Submit("GM0001", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  answer_ = 503;
  for (const auto& pause : {absl::Seconds(5), absl::Minutes(5)}) {
    SendAll();
    ASSERT_THAT(Deliveries(created.webhook()), SizeIs(1));
    EXPECT_EQ(calendar::FromProto(Deliveries(created.webhook())[0].next_attempt_at()), now_ + pause);
    EXPECT_EQ(Deliveries(created.webhook())[0].last_status(), 503);
    now_ += pause;
  }
  answer_ = 0;
  SendAll();
  EXPECT_THAT(received_, SizeIs(3));
  EXPECT_EQ(received_[0].id, received_[2].id);
  ASSERT_THAT(Deliveries(created.webhook()), SizeIs(1));
  EXPECT_EQ(Deliveries(created.webhook())[0].state(), v1::DELIVERY_STATE_DEAD);
  EXPECT_EQ(Deliveries(created.webhook())[0].last_error(), "nobody there");
  EXPECT_EQ(webhooks_.Get(created.webhook().name())->dead(), 1);

  v1::RedeliverWebhookRequest request;
  request.set_name(created.webhook().name());
  request.set_request_id("again");
  EXPECT_EQ(webhooks_.Redeliver(request)->redelivered(), 1);
  EXPECT_EQ(webhooks_.Redeliver(request)->redelivered(), 1) << "a repeat is answered as before";
  answer_ = 200;
  SendAll();
  EXPECT_THAT(Deliveries(created.webhook()), IsEmpty());
}

TEST_F(WebhookTest, WhoSaysThatTheAddressIsGoneIsNotTriedAgain) {
  const auto created = Create();
  Submit("GM0001", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  answer_ = 410;
  SendAll();
  EXPECT_EQ(Deliveries(created.webhook())[0].state(), v1::DELIVERY_STATE_DEAD);
}

TEST_F(WebhookTest, OneThatWasTakenByWhoDiedIsDueAgain) {
  Create();
  Submit("GM0001", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  ASSERT_TRUE(webhooks_.Take(absl::Minutes(1))->has_value());
  SendAll();
  EXPECT_THAT(received_, IsEmpty()) << "somebody has it";
  now_ += absl::Minutes(1);
  SendAll();
  EXPECT_THAT(received_, SizeIs(1));
}

TEST_F(WebhookTest, BothSecretsSignForADayAfterRotation) {
  const auto created = Create();
  v1::RotateWebhookSecretRequest request;
  request.set_name(created.webhook().name());
  request.set_request_id("rotate");
  const auto rotated = webhooks_.Rotate(request);
  ASSERT_TRUE(rotated.ok()) << rotated.status();
  EXPECT_THAT(rotated->secret(), Not(IsEmpty()));
  EXPECT_THAT(webhooks_.Rotate(request)->secret(), IsEmpty()) << "a repeat does not tell it again";
  const auto sent = [&](const std::string& id) {
    received_.clear();
    Submit(id, now_);
    EXPECT_TRUE(teller_.Tell().ok());
    SendAll();
    return received_.at(0);
  };
  const Received first = sent("GM0001");
  EXPECT_EQ(first.signature, Signatures({rotated->secret(), created.secret()}, first.id, absl::ToUnixSeconds(now_), first.body));
  now_ += absl::Hours(25);
  const Received second = sent("GM0002");
  EXPECT_EQ(second.signature, Signatures({rotated->secret()}, second.id, absl::ToUnixSeconds(now_), second.body));
}

TEST_F(WebhookTest, WithTheWebhookGoesWhatWaitsForIt) {
  const auto created = Create();
  Submit("GM0001", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  v1::DeleteWebhookRequest request;
  request.set_name(created.webhook().name());
  request.set_request_id("delete");
  ASSERT_TRUE(webhooks_.Delete(request).ok());
  EXPECT_TRUE(webhooks_.Delete(request).ok()) << "a repeat";
  SendAll();
  EXPECT_THAT(received_, IsEmpty());
  EXPECT_EQ(status::Reason(webhooks_.Get(created.webhook().name()).status()), "WEBHOOK_NOT_FOUND");
  EXPECT_EQ(*store_->Count(WebhookStore::kPartition, "due/"), 0);
  EXPECT_EQ(*store_->Count(WebhookStore::kPartition, "told/"), 0);
}

TEST_F(WebhookTest, ASecretIsToldOnceAndStoredSealed) {
  v1::CreateWebhookRequest request;
  request.mutable_webhook()->set_url("https://vng.example/");
  request.mutable_webhook()->add_event_types(v1::WEBHOOK_EVENT_TYPE_WAVE_CLOSED);
  request.set_request_id("once");
  const auto created = webhooks_.Create(request, "keys/1");
  ASSERT_TRUE(created.ok()) << created.status();
  const auto repeat = webhooks_.Create(request, "keys/1");
  EXPECT_EQ(repeat->webhook().name(), created->webhook().name());
  EXPECT_THAT(repeat->secret(), IsEmpty());
  const auto documents = store_->List(WebhookStore::kPartition, "", "", 100);
  for (const auto& document : *documents) EXPECT_THAT(document.value, Not(HasSubstr(created->secret()))) << document.key;
}

TEST_F(WebhookTest, ThereIsAnEndToThem) {
  for (size_t i = 0; i < WebhookStore::kMostWebhooks; ++i) Create();
  v1::CreateWebhookRequest request;
  request.set_request_id("one more");
  EXPECT_EQ(status::Reason(webhooks_.Create(request, "").status()), "TOO_MANY_WEBHOOKS");
}

TEST_F(WebhookTest, PagesGoOnWhereTheLastEnded) {
  for (int i = 0; i < 3; ++i) Create();
  v1::ListWebhooksRequest request;
  request.set_page_size(2);
  std::vector<std::string> names;
  status::BadRequest bad;
  do {
    const auto page = webhooks_.List(request, paging::ReadPage(request, bad));
    ASSERT_TRUE(page.ok());
    for (const auto& webhook : page->webhooks()) names.push_back(webhook.name());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(names, SizeIs(3));
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

}  // namespace
}  // namespace peiling::fieldwork
