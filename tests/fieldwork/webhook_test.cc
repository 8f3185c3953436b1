#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/waves/live_book.h"
#include "services/fieldwork/webhooks/webhook_sender.h"
#include "services/fieldwork/webhooks/webhook_store.h"
#include "services/fieldwork/webhooks/webhook_teller.h"

namespace peiling::fieldwork {
namespace {

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

  v1::CreateWebhookResponse Create(const std::vector<v1::WebhookEventType>& types = {v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED},
                                   const std::string& resource = "", const std::string& url = "https://vng.example/") {
    v1::CreateWebhookRequest request;
    request.mutable_webhook()->set_title("VNG");
    request.mutable_webhook()->set_url(url);
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

  absl::Time ClosingAfter(int extensions) const { return kStart + absl::Hours(10) * (extensions + 1); }
  void Extend(absl::Time at) {
    wave_.set_extensions(wave_.extensions() + 1);
    *wave_.mutable_extended_at() = calendar::ToProto(at);
    *wave_.mutable_closes_at() = calendar::ToProto(ClosingAfter(wave_.extensions()));
    book_.SetWave(wave_);
    intake::v1::WaveChange& other = history_.emplace_back();
    other.set_kind(intake::v1::WAVE_CHANGE_KIND_SCHEDULED);
    *other.mutable_changed_at() = calendar::ToProto(at);
    intake::v1::WaveChange& change = history_.emplace_back();
    change.set_kind(intake::v1::WAVE_CHANGE_KIND_EXTENDED);
    *change.mutable_changed_at() = calendar::ToProto(at);
    *change.mutable_times()->mutable_closes_at() = wave_.closes_at();
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
  // Of kWave.
  std::vector<intake::v1::WaveChange> history_;
  const WaveHistory read_history_ = [this](const std::string&) { return history_; };
  WebhookTeller teller_{book_, webhooks_, read_history_, [this] { return now_; }};
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
  WebhookTeller other(book_, webhooks_, read_history_, [this] { return now_; });
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

TEST_F(WebhookTest, EveryExtensionIsToldAlsoOfSeveralMeanwhile) {
  Extend(now_ - absl::Hours(1));
  Create({v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED});
  ASSERT_TRUE(teller_.Tell().ok());
  Extend(now_ + absl::Hours(1));
  Extend(now_ + absl::Hours(2));
  ASSERT_TRUE(teller_.Tell().ok());
  Extend(now_ + absl::Hours(3));
  ASSERT_TRUE(teller_.Tell().ok());
  SendAll();
  std::vector<std::string> told;
  for (const Received& received : received_) told.push_back(received.body.substr(received.body.find("\"closesAt")));
  const auto tells = [&](int number) {
    return absl::StrCat(R"("closesAt":")", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", ClosingAfter(number), absl::UTCTimeZone()),
                        R"(","extensions":)", number, "}}");
  };
  EXPECT_THAT(told, testing::UnorderedElementsAre(tells(2), tells(3), tells(4)));
}

TEST_F(WebhookTest, AReplicaThatLagsBehindTellsNothingOld) {
  Create({v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED, v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED});
  WebhookTeller behind(book_, webhooks_, read_history_, [this] { return now_; });
  Submit("GM0001", now_);
  Extend(now_ + absl::Minutes(1));
  const auto wave_before = wave_;
  const auto history_before = history_;
  Submit("GM0001", now_ + absl::Minutes(2));
  Extend(now_ + absl::Minutes(3));
  ASSERT_TRUE(teller_.Tell().ok());
  SendAll();
  EXPECT_THAT(received_, SizeIs(3)) << "one submission, as it is now, and two extensions";
  Submit("GM0001", now_);
  book_.SetWave(wave_before);
  history_ = history_before;
  ASSERT_TRUE(behind.Tell().ok());
  SendAll();
  EXPECT_THAT(received_, SizeIs(3));
}

TEST_F(WebhookTest, WhatCannotBeToldOfOneWebhookKeepsNobodyElseWaiting) {
  Create({v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED});
  const auto unreadable = Create();
  const auto good = Create();
  ASSERT_TRUE(store_
                  ->Commit({.partition = WebhookStore::kPartition,
                            .writes = {{.key = "webhook/" + names::LastId(unreadable.webhook().name()), .value = "\xff"}}})
                  .ok());
  Extend(now_);
  Submit("GM0001", now_);
  bool down = true;
  WebhookTeller teller(
      book_, webhooks_,
      [&](const std::string&) -> absl::StatusOr<std::vector<intake::v1::WaveChange>> {
        if (down) return absl::UnavailableError("intake is down");
        return history_;
      },
      [this] { return now_; });
  EXPECT_TRUE(absl::IsUnavailable(teller.Tell()));
  EXPECT_THAT(Deliveries(good.webhook()), SizeIs(1));
  down = false;
  EXPECT_TRUE(teller.Tell().ok());
  SendAll();
  EXPECT_THAT(received_, SizeIs(2)) << "the extension, too";
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
  ASSERT_TRUE(webhooks_.Take(absl::Minutes(1), "", [](const std::string&) { return true; })->has_value());
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

TEST_F(WebhookTest, ASecretSignsForADayHoweverManyFollowed) {
  const auto created = Create();
  const auto rotate = [&](const std::string& id) {
    v1::RotateWebhookSecretRequest request;
    request.set_name(created.webhook().name());
    request.set_request_id(id);
    return webhooks_.Rotate(request);
  };
  const auto signatures = [&](const std::string& id) {
    received_.clear();
    Submit(id, now_);
    EXPECT_TRUE(teller_.Tell().ok());
    SendAll();
    return received_.at(0);
  };
  const std::string second = rotate("first")->secret();
  now_ += absl::Hours(12);
  const std::string third = rotate("second")->secret();
  Received got = signatures("GM0001");
  EXPECT_EQ(got.signature, Signatures({third, second, created.secret()}, got.id, absl::ToUnixSeconds(now_), got.body));
  now_ += absl::Hours(12);
  got = signatures("GM0002");
  EXPECT_EQ(got.signature, Signatures({third, second}, got.id, absl::ToUnixSeconds(now_), got.body)) << "the first one's day is over";
  now_ += absl::Hours(12);
  got = signatures("GM0003");
  EXPECT_EQ(got.signature, Signatures({third}, got.id, absl::ToUnixSeconds(now_), got.body));
  for (size_t i = 1; i < WebhookStore::kMostSecrets; ++i) ASSERT_TRUE(rotate("more-" + std::to_string(i)).ok());
  EXPECT_EQ(status::Reason(rotate("one more").status()), "TOO_MANY_SECRETS");
  now_ += absl::Hours(24);
  EXPECT_TRUE(rotate("tomorrow").ok());
}

// Receivers that never answer, as many as there may be of them, and one that is fine.
TEST_F(WebhookTest, WhoNeverAnswersKeepsNobodyElseWaiting) {
  const std::string fine = "https://fine.example/";
  std::mutex mutex;
  std::condition_variable changed;
  bool hang_up = false;
  int hanging = 0;
  int arrived = 0;
  const auto post = [&](const std::string& url, const auto&, const std::string&) -> absl::StatusOr<int> {
    std::unique_lock lock(mutex);
    if (url == fine) {
      ++arrived;
      changed.notify_all();
      return 200;
    }
    ++hanging;
    changed.notify_all();
    changed.wait(lock, [&] { return hang_up; });
    --hanging;
    return absl::UnavailableError("timed out");
  };
  SenderOptions options{.pauses = {absl::Seconds(5), absl::Minutes(5)}, .threads = 4};
  WebhookSender sender(
      webhooks_, post, [this] { return now_; }, options);
  // Of the bad ones several events wait each: one attempt is under way to each all the same. Once they failed, they have half of the
  // threads.
  std::vector<v1::Webhook> bad;
  bad.reserve(6);
  for (int i = 0; i < 3; ++i) bad.push_back(Create().webhook());
  Submit("GM0001", now_);
  Submit("GM0002", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  sender.Start();
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return hanging == 3; }));
  }
  const auto good = Create({v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED}, "", fine);
  Submit("GM0003", now_);
  Submit("GM0004", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return arrived == 4; }));
    EXPECT_EQ(hanging, 3) << "the threads that are left are for others";
    hang_up = true;
    changed.notify_all();
  }
  sender.Stop();
  for (const v1::Webhook& webhook : bad) {
    int tried = 0;
    for (const v1::WebhookDelivery& delivery : Deliveries(webhook)) tried += delivery.attempts();
    EXPECT_EQ(tried, 1) << "after a failure the receiver rests";
  }
  EXPECT_THAT(Deliveries(good.webhook()), IsEmpty());
}

TEST_F(WebhookTest, ReceiversThatFailedShareHalfOfTheThreads) {
  std::vector<v1::Webhook> bad;
  bad.reserve(6);
  for (int i = 0; i < 6; ++i) bad.push_back(Create().webhook());
  Submit("GM0001", now_);
  Submit("GM0002", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  int under_way = 0;
  int most = 0;
  WebhookSender* again = nullptr;
  WebhookSender sender(
      webhooks_,
      [&](const auto&, const auto&, const auto&) -> absl::StatusOr<int> {
        most = std::max(most, ++under_way);
        // While this one is waited for, another thread looks.
        if (again != nullptr) (void)*again->SendNext();
        --under_way;
        return 500;
      },
      [this] { return now_; }, {.pauses = {absl::Seconds(5), absl::Minutes(5)}, .threads = 4});
  while (*sender.SendNext()) {
  }
  now_ += absl::Seconds(5);
  most = 0;
  again = &sender;
  while (*sender.SendNext()) {
  }
  EXPECT_EQ(most, 2);
}

TEST_F(WebhookTest, WhatCannotBeSignedIsTriedAgainLaterAndTheOthersGoOn) {
  const auto bad = Create();
  Create();
  const auto lost_key = *vault::Vault::Make(vault::Vault::NewKey("k2"));
  const std::string secret = "secret/" + names::LastId(bad.webhook().name());
  const std::string sealed = lost_key->Seal("0 whsec_x", vault::ContextOf(WebhookStore::kPartition, secret));
  ASSERT_TRUE(store_->Commit({.partition = WebhookStore::kPartition, .writes = {{.key = secret, .value = sealed}}}).ok());
  Submit("GM0001", now_);
  ASSERT_TRUE(teller_.Tell().ok());
  SendAll();
  EXPECT_THAT(received_, SizeIs(1));
  const auto waiting = Deliveries(bad.webhook());
  ASSERT_THAT(waiting, SizeIs(1));
  EXPECT_EQ(waiting[0].last_error(), "its secret cannot be opened");
  EXPECT_EQ(calendar::FromProto(waiting[0].next_attempt_at()), now_ + absl::Seconds(5));
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
