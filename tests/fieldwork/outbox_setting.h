// An outbox in a test: a store in memory, a clock that is set, and mail nobody has to write.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/mail/outbox.h"

namespace peiling::fieldwork {

inline constexpr char kWave[] = "surveys/vn/waves/2026";

inline std::string NameOf(const std::string& id) { return absl::StrCat(kWave, "/messages/", id); }

// Judges as told, and writes mail that says whom it is for.
class FakePolicy : public MailPolicy {
 public:
  absl::StatusOr<std::vector<std::optional<v1::CancelReason>>> Judge(const std::string&, const std::vector<v1::Message>& messages,
                                                                     bool at_beginning) override {
    const std::lock_guard lock(mutex_);
    if (at_beginning && !intake.ok()) return intake;
    std::vector<std::optional<v1::CancelReason>> verdicts;
    for (const v1::Message& message : messages) {
      const auto& reasons = at_beginning ? at_beginning_reasons : at_lease_reasons;
      const auto found = reasons.find(message.name());
      verdicts.push_back(found == reasons.end() ? std::nullopt : std::optional(found->second));
    }
    return verdicts;
  }

  absl::StatusOr<Mail> Compose(const std::string&, const v1::Message& message) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = unwritable.find(message.name()); found != unwritable.end()) return found->second;
    Mail mail;
    mail.content.set_to_address(absl::StrCat(message.contact(), "@example.nl"));
    mail.content.set_subject("Uitnodiging");
    mail.content.set_text(std::string(text_bytes, 'x'));
    const auto found = moved.find(message.name());
    mail.link = absl::StrCat("link ", reissued.contains(message.name()) ? 2 : 1);
    mail.address_token = found == moved.end() ? absl::StrCat("token of ", message.contact()) : found->second;
    return mail;
  }

  absl::Status Suppress(const std::string& address_token, v1::SuppressionReason reason, const std::string&) override {
    const std::lock_guard lock(mutex_);
    if (!suppressing.ok()) return suppressing;
    suppressed.emplace(address_token, reason);
    return absl::OkStatus();
  }

  std::map<std::string, v1::CancelReason> at_lease_reasons, at_beginning_reasons;
  std::map<std::string, absl::Status> unwritable;
  // Tokens of addresses, where they have changed.
  std::map<std::string, std::string> moved;
  // Messages whose link is a new one.
  std::set<std::string> reissued;
  absl::Status intake, suppressing;
  size_t text_bytes = 10;
  std::set<std::pair<std::string, v1::SuppressionReason>> suppressed;

 private:
  std::mutex mutex_;
};

class OutboxSetting : public testing::Test {
 protected:
  // A message that is due at `due_at`.
  static v1::Message Planned(const std::string& id, absl::Time due_at) {
    v1::Message message;
    message.set_name(NameOf(id));
    message.set_invitation(absl::StrCat(kWave, "/invitations/", id.substr(0, id.find('.'))));
    message.set_step("uitnodiging");
    message.set_kind(survey::v1::MAIL_KIND_INVITATION);
    message.set_contact(id);
    *message.mutable_due_at() = calendar::ToProto(due_at);
    return message;
  }

  void SetUp() override {
    auto opened = OpenStore();
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    outbox_ = NewOutbox();
  }

  virtual absl::StatusOr<std::unique_ptr<storage::Store>> OpenStore() { return storage::OpenStore("sqlite::memory:", "fieldwork"); }

  std::unique_ptr<Outbox> NewOutbox(OutboxOptions options = {}) { return NewOutbox(*store_, options); }
  std::unique_ptr<Outbox> NewOutbox(storage::Store& store, OutboxOptions options = {}) {
    return std::make_unique<Outbox>(
        store, policy_, *vault_, [this] { return now_.load(); }, options);
  }

  void Add(const std::vector<std::string>& ids) {
    std::vector<v1::Message> messages;
    messages.reserve(ids.size());
    for (const std::string& id : ids) messages.push_back(Planned(id, now_));
    const auto added = outbox_->Add(kWave, messages);
    ASSERT_TRUE(added.ok()) << added.status();
    ASSERT_EQ(*added, ids.size());
  }

  v1::LeaseMailResponse Lease(int most = 100, const std::string& request_id = "", absl::Duration duration = absl::Minutes(5)) {
    v1::LeaseMailRequest request;
    request.set_parent(kWave);
    request.set_max_messages(most);
    request.set_request_id(request_id.empty() ? absl::StrCat("request ", ++requests_) : request_id);
    request.mutable_lease_duration()->set_seconds(absl::ToInt64Seconds(duration));
    auto response = outbox_->Lease(request, "mailer");
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::LeaseMailResponse();
  }

  v1::MailItemResult Begin(const std::string& lease_id, const std::string& id) {
    v1::BeginMailRequest request;
    request.set_parent(kWave);
    request.set_lease_id(lease_id);
    request.add_messages(NameOf(id));
    const auto response = outbox_->Begin(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->results(0) : v1::MailItemResult();
  }

  static v1::MailOutcome Sent(const std::string& id) {
    v1::MailOutcome outcome;
    outcome.set_message(NameOf(id));
    outcome.set_sent(true);
    outcome.set_provider_message_id("P1");
    outcome.set_smtp_code(250);
    return outcome;
  }
  static v1::MailOutcome Refused(const std::string& id, bool permanent, int smtp_code = 0, const std::string& enhanced_code = "") {
    v1::MailOutcome outcome;
    outcome.set_message(NameOf(id));
    outcome.set_permanent(permanent);
    outcome.set_smtp_code(smtp_code);
    outcome.set_enhanced_code(enhanced_code);
    return outcome;
  }

  v1::MailResult Complete(const std::string& lease_id, const v1::MailOutcome& outcome) {
    v1::CompleteMailRequest request;
    request.set_parent(kWave);
    request.set_lease_id(lease_id);
    *request.add_outcomes() = outcome;
    const auto response = outbox_->Complete(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->results(0).result() : v1::MAIL_RESULT_UNSPECIFIED;
  }

  v1::DeliveryEvent Event(const std::string& id, v1::DeliveryEventKind kind, const std::string& event_id = "") {
    v1::DeliveryEvent event;
    event.set_message(NameOf(id));
    event.set_provider("smtp");
    event.set_event_id(event_id.empty() ? absl::StrCat("event ", ++events_) : event_id);
    event.set_kind(kind);
    *event.mutable_time() = calendar::ToProto(now_);
    return event;
  }

  v1::MailResult Report(const v1::DeliveryEvent& event) {
    v1::ReportDeliveryEventsRequest request;
    request.set_parent(kWave);
    *request.add_events() = event;
    const auto response = outbox_->Report(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->results(0).result() : v1::MAIL_RESULT_UNSPECIFIED;
  }

  v1::Message Get(const std::string& id) {
    const auto message = outbox_->Get(NameOf(id));
    EXPECT_TRUE(message.ok()) << message.status();
    return message.ok() ? *message : v1::Message();
  }
  std::string StateOf(const std::string& id) { return v1::MessageState_Name(Get(id).state()).substr(std::string("MESSAGE_STATE_").size()); }

  // "DUE 2, SENT 1".
  std::string Counts() {
    const auto steps = outbox_->Counts(kWave);
    EXPECT_TRUE(steps.ok()) << steps.status();
    std::string text;
    for (const v1::StepStatus& step : *steps) {
      for (const v1::StateCount& count : step.states()) {
        absl::StrAppend(&text, text.empty() ? "" : ", ", v1::MessageState_Name(count.state()).substr(14), " ", count.count());
      }
    }
    return text;
  }

  std::unique_ptr<storage::Store> store_;
  const std::string keys_ = vault::Vault::NewKey("test");
  std::unique_ptr<vault::Vault> vault_ = *vault::Vault::Make(keys_);
  FakePolicy policy_;
  std::atomic<absl::Time> now_ = absl::FromUnixSeconds(1'774'000'000);
  std::unique_ptr<Outbox> outbox_;

 private:
  int requests_ = 0, events_ = 0;
};

}  // namespace peiling::fieldwork
