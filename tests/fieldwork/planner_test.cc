// The mail of a wave with everything it is made of: stores, outbox, policy, planner. Only intake is played.
#include "services/fieldwork/mail/planner.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peiling/intake/v1/drafts_mock.grpc.pb.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/survey/mail_template.h"
#include "services/fieldwork/mail/plan_policy.h"
#include "services/fieldwork/waves/live_book.h"
#include "tests/common/storage/forwarding_store.h"
#include "tests/fieldwork/mail_world.h"

namespace peiling::fieldwork {
namespace {

using testing::_;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::NiceMock;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr char kWave[] = "surveys/s/waves/2026";

// Counts what is read of it, and may refuse to store suppressions. Thread-safe.
class WatchedStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  std::atomic<bool> refuses_suppressions = false;
  std::atomic<int> lists = 0;
  std::atomic<int> looks = 0;

  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    if (refuses_suppressions && batch.partition == SuppressionList::kPartition) return absl::UnavailableError("full");
    return ForwardingStore::Commit(std::move(batch));
  }
  absl::StatusOr<std::vector<storage::Document>> List(const std::string& partition, const std::string& prefix, const std::string& after,
                                                      size_t limit) override {
    ++lists;
    return ForwardingStore::List(partition, prefix, after, limit);
  }
  absl::StatusOr<uint64_t> LastSequence(const std::string& partition) override {
    ++looks;
    return ForwardingStore::LastSequence(partition);
  }
};

class PlannerTest : public testing::Test {
 protected:
  PlannerTest() {
    wave_ = MailWorld().wave;
    wave_.set_title("Peiling 2026");
    auto& plan = *wave_.mutable_mailing_plan();
    plan.set_sender_address("peiling@vng.nl");
    plan.set_sender_name("VNG");
    for (auto& step : *plan.mutable_steps()) *step.add_templates() = survey::DefaultTemplate(step.kind());
    auto& english = *plan.mutable_steps(0)->add_templates();
    english.set_language("en");
    english.set_subject("Invitation for {{contact.naam}}");
    english.set_text("{{link}}");
    book_.Open(wave_);
    auto frame = std::make_shared<Frame>();
    for (const auto& [code, title] : {std::pair("GM0344", "Utrecht"), {"GM0355", "Zeist"}, {"GM0363", "Amsterdam"}}) {
      auto& municipality = frame->municipalities.emplace_back();
      municipality.set_code(code);
      municipality.set_title(title);
    }
    frame_ = frame;
    book_.SetFrame(kWave, frame_);
    book_.SetCaughtUp(kWave, 0);
    book_.SetCaughtUp(kWave, LiveBook::kRecordFeed);
    book_.SetListed();
  }

  std::string AddContact(const std::string& code, const std::string& name, v1::ContactKind kind = v1::CONTACT_KIND_PERSON) {
    v1::CreateContactRequest request;
    request.set_parent("municipalities/" + code);
    request.mutable_contact()->set_full_name(name);
    request.mutable_contact()->set_email(absl::StrCat(name, "@", code, ".nl"));
    request.mutable_contact()->set_kind(kind);
    request.set_request_id(NextId());
    const auto created = contacts_.Create(request);
    EXPECT_TRUE(created.ok()) << created.status();
    return created->name();
  }

  void Issue(const std::vector<std::string>& codes, const std::vector<std::string>& joint = {}) {
    v1::IssueInvitationsRequest request;
    request.set_parent(kWave);
    for (const std::string& code : codes) request.add_municipalities(code);
    for (const std::string& code : joint) {
      if (request.joint().empty()) request.add_joint();
      request.mutable_joint(0)->add_municipalities(code);
    }
    request.set_joint_only(codes.empty());
    request.set_request_id(NextId());
    const auto find = [&](const v1::Invitation& invitation) -> absl::StatusOr<std::string> {
      const auto usable = contacts_.Usable(invitation.municipalities(0), calendar::DayOf(now_));
      return usable->empty() ? "" : usable->front().name();
    };
    const auto issued = invitations_.Issue(request, *frame_, find, absl::OkStatus());
    ASSERT_TRUE(issued.ok()) << issued.status();
  }

  void Plan() {
    const auto planned = planner_.PlanWave(kWave);
    ASSERT_TRUE(planned.ok()) << planned.status();
  }

  v1::LeaseMailResponse Lease() {
    v1::LeaseMailRequest request;
    request.set_parent(kWave);
    request.set_request_id(NextId());
    const auto response = outbox_.Lease(request, "mailer");
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::LeaseMailResponse();
  }
  absl::StatusOr<v1::BeginMailResponse> Begin(const v1::LeaseMailResponse& lease) {
    v1::BeginMailRequest request;
    request.set_parent(kWave);
    request.set_lease_id(lease.lease_id());
    for (const v1::LeasedMessage& each : lease.messages()) request.add_messages(each.message());
    return outbox_.Begin(request);
  }
  void Complete(const v1::LeaseMailResponse& lease) {
    v1::CompleteMailRequest request;
    request.set_parent(kWave);
    request.set_lease_id(lease.lease_id());
    for (const v1::LeasedMessage& each : lease.messages()) {
      v1::MailOutcome& outcome = *request.add_outcomes();
      outcome.set_message(each.message());
      outcome.set_sent(true);
    }
    const auto completed = outbox_.Complete(request);
    ASSERT_TRUE(completed.ok()) << completed.status();
  }
  // Everything there is to send, sent; who it went to.
  std::vector<std::string> SendAll() {
    std::vector<std::string> receivers;
    const v1::LeaseMailResponse lease = Lease();
    if (lease.messages().empty()) return receivers;
    EXPECT_TRUE(Begin(lease).ok());
    for (const v1::LeasedMessage& each : lease.messages()) receivers.push_back(absl::StrCat(each.step(), " ", each.content().to_address()));
    Complete(lease);
    return receivers;
  }
  void Bounce(const std::string& message) {
    v1::ReportDeliveryEventsRequest request;
    request.set_parent(kWave);
    v1::DeliveryEvent& event = *request.add_events();
    event.set_message(absl::StrCat(kWave, "/messages/", message));
    event.set_provider("smtp");
    event.set_event_id(NextId());
    event.set_kind(v1::DELIVERY_EVENT_KIND_HARD_BOUNCE);
    event.set_smtp_code(550);
    event.set_enhanced_code("5.1.1");
    *event.mutable_time() = calendar::ToProto(now_);
    const auto reported = outbox_.Report(request);
    ASSERT_TRUE(reported.ok()) << reported.status();
    ASSERT_EQ(reported->results(0).result(), v1::MAIL_RESULT_OK) << reported->results(0).problem();
  }
  v1::Invitation InvitationOf(const std::string& code) { return *invitations_.Get(absl::StrCat(kWave, "/invitations/", code)); }

  void Revoke(const std::string& invitation) {
    v1::RevokeInvitationRequest request;
    request.set_name(absl::StrCat(kWave, "/invitations/", invitation));
    request.set_request_id(NextId());
    ASSERT_TRUE(invitations_.Revoke(request).ok());
  }
  void HandOverTo(const std::string& name) {
    v1::HandOverRequest request;
    request.set_response(absl::StrCat(kWave, "/responses/GM0363"));
    request.set_full_name(name);
    request.set_email(name + "@x.nl");
    request.set_request_id(NextId());
    const auto handed_over = invitations_.HandOver(request, {}, absl::OkStatus());
    ASSERT_TRUE(handed_over.ok()) << handed_over.status();
  }
  void LetIn(const std::string& address) {
    v1::DeleteSuppressionRequest request;
    request.set_name(suppressions_.Find(address)->name());
    request.set_request_id(NextId());
    ASSERT_TRUE(suppressions_.Delete(request).ok());
  }

  // Intake knows these responses as submitted, and hears of no other.
  void TeachIntake(const std::map<std::string, intake::v1::ResponseState>& states) {
    ON_CALL(drafts_, BatchGetResponseStates(_, _, _))
        .WillByDefault([states](grpc::ClientContext*, const intake::v1::BatchGetResponseStatesRequest& request,
                                intake::v1::BatchGetResponseStatesResponse* response) {
          for (const std::string& id : request.response_ids()) {
            const auto found = states.find(id);
            response->add_states(found == states.end() ? intake::v1::RESPONSE_STATE_UNSPECIFIED : found->second);
          }
          return grpc::Status::OK;
        });
  }
  // Waits until the planner has looked so often whether there is reason to plan.
  void LookAgain(int times) {
    // The version of contacts and that of suppressions, each time.
    for (const int until = store_->looks + 2 * times; store_->looks < until;) std::this_thread::yield();
  }
  std::string NextId() { return absl::StrCat("id-", ++ids_); }

  int ids_ = 0;
  absl::Time now_ = At("2026-03-02 09:00");
  // Seconds; may be set while the planner runs.
  std::atomic<int> later_ = 0;
  const calendar::Clock clock_ = [this] { return now_ + absl::Seconds(later_.load()); };
  intake::v1::Wave wave_;
  std::shared_ptr<const Frame> frame_;
  LiveBook book_;
  std::unique_ptr<storage::Store> kept_ = *storage::OpenStore("sqlite::memory:", "fieldwork");
  std::unique_ptr<WatchedStore> store_ = std::make_unique<WatchedStore>(*kept_);
  std::unique_ptr<vault::Vault> vault_ = *vault::Vault::Make(vault::Vault::NewKey("test"));
  ContactStore contacts_{*store_, *vault_, clock_};
  InvitationStore invitations_{*store_, *vault_, "https://peiling.example.nl/deelnemen#{token}", clock_};
  SuppressionList suppressions_{*store_, contacts_, clock_};
  Unsubscriber unsubscriber_{*vault_, suppressions_, "https://peiling.example.nl"};
  const PlanSources sources_{book_, invitations_, contacts_, suppressions_, clock_};
  std::unique_ptr<NiceMock<intake::v1::MockDraftServiceStub>> owned_drafts_ =
      std::make_unique<NiceMock<intake::v1::MockDraftServiceStub>>();
  NiceMock<intake::v1::MockDraftServiceStub>& drafts_ = *owned_drafts_;
  PlanPolicy policy_{sources_, unsubscriber_, std::move(owned_drafts_), "https://peiling.example.nl/deelnemen#{token}"};
  Outbox outbox_{*store_, policy_, *vault_, clock_};
  Planner planner_{sources_, outbox_, absl::Milliseconds(20)};
};

TEST_F(PlannerTest, AtOpeningEveryInvitationIsReadyToBeSent) {
  AddContact("GM0344", "anna");
  AddContact("GM0363", "bert");
  Issue({"GM0344", "GM0355", "GM0363"});
  now_ -= absl::Seconds(1);
  Plan();
  EXPECT_THAT(Lease().messages(), SizeIs(0));
  now_ += absl::Seconds(1);
  Plan();
  Plan();
  const v1::LeaseMailResponse lease = Lease();
  ASSERT_THAT(lease.messages(), SizeIs(2));
  const v1::MailContent& mail = lease.messages(0).content();
  EXPECT_EQ(mail.to_address(), "anna@GM0344.nl");
  EXPECT_EQ(mail.from_address(), "peiling@vng.nl");
  EXPECT_EQ(mail.subject(), "Uitnodiging: Peiling 2026");
  EXPECT_THAT(mail.text(), HasSubstr("Geachte anna,\n\nWij vragen u om namens de gemeente Utrecht deel te nemen"));
  EXPECT_THAT(mail.text(), HasSubstr(*invitations_.LinkOfContact(InvitationOf("GM0344").name(), InvitationOf("GM0344").contact())));
  EXPECT_THAT(mail.html(), HasSubstr("Geachte anna,"));
  EXPECT_THAT(mail.unsubscribe_url(), StartsWith("https://peiling.example.nl/v1/unsubscriptions/"));
}

TEST_F(PlannerTest, UnsubscribingWithTheMailsLinkPassesTheInvitationOn) {
  AddContact("GM0363", "anna");
  AddContact("GM0363", "bert");
  Issue({"GM0363"});
  Plan();
  const std::string url = Lease().messages(0).content().unsubscribe_url();
  ASSERT_TRUE(unsubscriber_.Unsubscribe(url.substr(url.rfind('/') + 1)).ok());
  Plan();
  TeachIntake({});
  EXPECT_THAT(SendAll(), ElementsAre("uitnodiging bert@GM0363.nl"));
  EXPECT_EQ(outbox_.Get(absl::StrCat(kWave, "/messages/GM0363.uitnodiging.GM0363-1"))->cancel_reason(), v1::CANCEL_REASON_SUPPRESSED);
}

TEST_F(PlannerTest, WhoHasSubmittedIsNotRemindedThoughTheFeedLags) {
  AddContact("GM0344", "anna");
  AddContact("GM0363", "bert");
  Issue({"GM0344", "GM0363"});
  Plan();
  TeachIntake({});
  EXPECT_THAT(SendAll(), SizeIs(2));
  now_ = At("2026-03-16 09:00");
  Plan();
  const v1::LeaseMailResponse lease = Lease();
  ASSERT_THAT(lease.messages(), SizeIs(2));
  TeachIntake({{"GM0363", intake::v1::RESPONSE_STATE_SUBMITTED}, {"GM0344", intake::v1::RESPONSE_STATE_STARTED}});
  const auto begun = Begin(lease);
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->results(0).result(), v1::MAIL_RESULT_OK);
  EXPECT_EQ(begun->results(1).result(), v1::MAIL_RESULT_CANCELLED);
  EXPECT_EQ(begun->results(1).cancel_reason(), v1::CANCEL_REASON_SUBMITTED);
}

TEST_F(PlannerTest, MailWithALinkThatWasReplacedDoesNotGo) {
  AddContact("GM0344", "anna");
  AddContact("GM0363", "bert");
  Issue({"GM0344", "GM0363"});
  Plan();
  TeachIntake({});
  const v1::LeaseMailResponse lease = Lease();
  v1::ReissueInvitationRequest reissue;
  reissue.set_name(InvitationOf("GM0363").name());
  reissue.set_request_id(NextId());
  const auto reissued = invitations_.Reissue(reissue, absl::OkStatus());
  ASSERT_TRUE(reissued.ok()) << reissued.status();
  const auto begun = Begin(lease);
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->results(0).result(), v1::MAIL_RESULT_OK);
  EXPECT_EQ(begun->results(1).result(), v1::MAIL_RESULT_LEASE_LOST);
  const v1::LeaseMailResponse next = Lease();
  ASSERT_THAT(next.messages(), SizeIs(1));
  EXPECT_THAT(next.messages(0).content().text(), HasSubstr(reissued->link()));
  EXPECT_EQ(Begin(next)->results(0).result(), v1::MAIL_RESULT_OK);
}

TEST_F(PlannerTest, WhileIntakeCannotTellNothingBegins) {
  AddContact("GM0363", "bert");
  Issue({"GM0363"});
  Plan();
  const v1::LeaseMailResponse lease = Lease();
  ON_CALL(drafts_, BatchGetResponseStates(_, _, _)).WillByDefault(testing::Return(grpc::Status(grpc::StatusCode::INTERNAL, "x")));
  EXPECT_EQ(Begin(lease).status().code(), absl::StatusCode::kUnavailable);
  TeachIntake({});
  // An answer about fewer than were asked for is none.
  ON_CALL(drafts_, BatchGetResponseStates(_, _, _)).WillByDefault(testing::Return(grpc::Status::OK));
  EXPECT_EQ(Begin(lease).status().code(), absl::StatusCode::kUnavailable);
  TeachIntake({});
  EXPECT_EQ(Begin(lease)->results(0).result(), v1::MAIL_RESULT_OK);
}

TEST_F(PlannerTest, AHardBounceReachesTheNextContactAndAGeneralOneLast) {
  AddContact("GM0363", "info", v1::CONTACT_KIND_GENERAL);
  AddContact("GM0363", "anna");
  AddContact("GM0363", "bert");
  Issue({"GM0363"});
  TeachIntake({});
  for (const auto& [address, message] : {std::pair("uitnodiging anna@GM0363.nl", "GM0363.uitnodiging.GM0363-2"),
                                         {"uitnodiging bert@GM0363.nl", "GM0363.uitnodiging.GM0363-3"},
                                         {"uitnodiging info@GM0363.nl", "GM0363.uitnodiging.GM0363-1"}}) {
    Plan();
    EXPECT_THAT(SendAll(), ElementsAre(address));
    now_ += absl::Hours(1);
    Bounce(message);
  }
  Plan();
  EXPECT_EQ(InvitationOf("GM0363").contact(), "");
  EXPECT_THAT(InvitationOf("GM0363").escalated_from(), SizeIs(3));
  EXPECT_EQ(*suppressions_.Count(), 3u);
}

TEST_F(PlannerTest, AnAddressThatCameBackIsWrittenToAgainOnceItsSuppressionIsTakenBack) {
  AddContact("GM0363", "anna");
  Issue({"GM0363"});
  TeachIntake({});
  Plan();
  EXPECT_THAT(SendAll(), ElementsAre("uitnodiging anna@GM0363.nl"));
  Bounce("GM0363.uitnodiging.GM0363-1");
  Plan();
  EXPECT_EQ(InvitationOf("GM0363").contact(), "");
  LetIn("anna@GM0363.nl");
  Plan();
  EXPECT_THAT(SendAll(), ElementsAre("uitnodiging anna@GM0363.nl"));
  now_ = At("2026-03-16 09:00");
  Plan();
  EXPECT_THAT(SendAll(), ElementsAre("herinnering-1 anna@GM0363.nl"));
}

TEST_F(PlannerTest, AnAddressWhoseSuppressionWasNotStoredIsNoneThatWasLetIn) {
  AddContact("GM0363", "anna");
  AddContact("GM0363", "bert");
  Issue({"GM0363"});
  TeachIntake({});
  Plan();
  EXPECT_THAT(SendAll(), ElementsAre("uitnodiging anna@GM0363.nl"));
  store_->refuses_suppressions = true;
  Bounce("GM0363.uitnodiging.GM0363-1");
  EXPECT_EQ(*suppressions_.Count(), 0u);
  EXPECT_FALSE(planner_.PlanWave(kWave).ok());
  store_->refuses_suppressions = false;
  Plan();
  EXPECT_THAT(SendAll(), ElementsAre("uitnodiging bert@GM0363.nl"));
  EXPECT_EQ(status::Reason(outbox_.Get(absl::StrCat(kWave, "/messages/GM0363.uitnodiging.GM0363-1~2")).status()), "MESSAGE_NOT_FOUND");
}

TEST_F(PlannerTest, AfterAHandOverThatReachesNobodyThereIsNobodyUntilItIsIssuedForAContact) {
  const std::string anna = AddContact("GM0363", "anna");
  AddContact("GM0363", "bert");
  Issue({"GM0363"});
  TeachIntake({});
  Plan();
  SendAll();
  HandOverTo("dirk");
  EXPECT_TRUE(*HasReceiver(invitations_, suppressions_, InvitationOf("GM0363")));
  Plan();
  const v1::LeaseMailResponse lease = Lease();
  ASSERT_THAT(lease.messages(), SizeIs(1));
  ASSERT_TRUE(Begin(lease).ok());
  Complete(lease);
  Bounce(names::LastId(lease.messages(0).message()));
  now_ = At("2026-03-16 09:00");
  Plan();
  EXPECT_THAT(SendAll(), SizeIs(0));
  EXPECT_FALSE(*HasReceiver(invitations_, suppressions_, InvitationOf("GM0363")));

  v1::ReissueInvitationRequest reissue;
  reissue.set_name(InvitationOf("GM0363").name());
  reissue.set_contact(anna);
  reissue.set_request_id(NextId());
  ASSERT_TRUE(invitations_.Reissue(reissue, absl::OkStatus()).ok());
  EXPECT_TRUE(*HasReceiver(invitations_, suppressions_, InvitationOf("GM0363")));
  Plan();
  EXPECT_THAT(SendAll(), ElementsAre("herinnering-1 anna@GM0363.nl"));
}

TEST_F(PlannerTest, WhileNothingChangesNothingIsRead) {
  AddContact("GM0363", "anna");
  Issue({"GM0363"});
  Plan();
  planner_.Start();
  LookAgain(2);
  const int lists = store_->lists;
  LookAgain(5);
  EXPECT_EQ(store_->lists, lists);
  planner_.Stop();
}

TEST_F(PlannerTest, WhileOnlyResponsesChangeEverythingIsReadOnceInAWhile) {
  AddContact("GM0363", "anna");
  Issue({"GM0363"});
  Plan();
  planner_.Start();
  LookAgain(2);
  const int lists = store_->lists;
  intake::v1::Response response;
  response.set_name(absl::StrCat(kWave, "/responses/GM0363"));
  response.set_state(intake::v1::RESPONSE_STATE_STARTED);
  book_.TakeIn(kWave, {response});
  LookAgain(5);
  EXPECT_EQ(store_->lists, lists);
  later_ = 30;
  LookAgain(5);
  EXPECT_GT(store_->lists, lists);
  planner_.Stop();
}

TEST_F(PlannerTest, AnInvitationThatIsIssuedAnewAfterAJointOneIsMailedWithItsNewLink) {
  AddContact("GM0363", "anna");
  Issue({"GM0363"});
  TeachIntake({});
  Plan();
  EXPECT_THAT(SendAll(), ElementsAre("uitnodiging anna@GM0363.nl"));
  Revoke("GM0363");
  now_ += absl::Hours(1);
  Issue({}, {"GM0344", "GM0363"});
  Revoke("GM0344");
  now_ += absl::Hours(1);
  Issue({"GM0363"});
  Plan();
  const v1::LeaseMailResponse lease = Lease();
  ASSERT_THAT(lease.messages(), SizeIs(1));
  EXPECT_EQ(lease.messages(0).step(), "uitnodiging");
  EXPECT_THAT(lease.messages(0).content().text(),
              HasSubstr(*invitations_.LinkOfContact(InvitationOf("GM0363").name(), InvitationOf("GM0363").contact())));
}

TEST_F(PlannerTest, ColleaguesAndWhoTakesOverGetLinksOfTheirOwn) {
  AddContact("GM0363", "anna");
  Issue({"GM0363"});
  TeachIntake({});
  Plan();
  SendAll();
  v1::InviteColleagueRequest invite;
  invite.set_response(absl::StrCat(kWave, "/responses/GM0363"));
  invite.set_full_name("Carla\r\nBcc: x@y.nl");
  invite.set_email("carla@x.nl");
  invite.set_request_id(NextId());
  const auto invited = invitations_.InviteColleague(invite, {}, absl::OkStatus());
  ASSERT_TRUE(invited.ok()) << invited.status();
  Plan();
  const v1::LeaseMailResponse lease = Lease();
  ASSERT_THAT(lease.messages(), SizeIs(1));
  EXPECT_EQ(lease.messages(0).kind(), survey::v1::MAIL_KIND_COLLEAGUE);
  EXPECT_THAT(lease.messages(0).content().text(), HasSubstr(invited->link()));
  EXPECT_EQ(lease.messages(0).content().to_address(), "carla@x.nl");
  EXPECT_EQ(lease.messages(0).content().to_name(), "Carla  Bcc: x@y.nl");
  EXPECT_EQ(lease.messages(0).content().unsubscribe_url(), "");
  ASSERT_TRUE(Begin(lease).ok());
  Complete(lease);

  v1::HandOverRequest hand_over;
  hand_over.set_response(invite.response());
  hand_over.set_full_name("Dirk");
  hand_over.set_email("dirk@x.nl");
  hand_over.set_request_id(NextId());
  ASSERT_TRUE(invitations_.HandOver(hand_over, {}, absl::OkStatus()).ok());
  Plan();
  EXPECT_THAT(SendAll(), ElementsAre("colleague dirk@x.nl"));
  now_ = At("2026-03-16 09:00");
  Plan();
  EXPECT_THAT(SendAll(), ElementsAre("herinnering-1 dirk@x.nl"));
}

TEST_F(PlannerTest, MailForOneContactHasNoLinkOfWhoeverHoldsItSince) {
  const std::string anna = AddContact("GM0363", "anna"), bert = AddContact("GM0363", "bert");
  Issue({"GM0363"});
  v1::Message message;
  message.set_name(absl::StrCat(kWave, "/messages/GM0363.uitnodiging.GM0363-1"));
  message.set_invitation(InvitationOf("GM0363").name());
  message.set_contact(anna);
  message.set_step(wave_.mailing_plan().steps(0).id());
  message.set_kind(wave_.mailing_plan().steps(0).kind());
  ASSERT_TRUE(policy_.Compose(kWave, message).ok());

  // Between the lease and a repeat of its request.
  v1::ReissueInvitationRequest reissue;
  reissue.set_name(message.invitation());
  reissue.set_contact(bert);
  reissue.set_request_id(NextId());
  const auto reissued = invitations_.Reissue(reissue, absl::OkStatus());
  ASSERT_TRUE(reissued.ok()) << reissued.status();
  EXPECT_EQ(status::Reason(policy_.Compose(kWave, message).status()), "INVITATION_REVOKED");

  // Thanks go to who was written to, without a link that is somebody else's.
  message.set_kind(survey::v1::MAIL_KIND_THANKS);
  const auto thanks = policy_.Compose(kWave, message);
  ASSERT_TRUE(thanks.ok()) << thanks.status();
  EXPECT_EQ(thanks->content.to_address(), "anna@GM0363.nl");
  EXPECT_THAT(thanks->content.text(), Not(HasSubstr("peiling-uitnodiging_")));
  EXPECT_THAT(thanks->content.html(), Not(HasSubstr("peiling-uitnodiging_")));
}

TEST_F(PlannerTest, AJointInvitationIsForAllItsMunicipalities) {
  AddContact("GM0355", "anna");
  AddContact("GM0344", "info", v1::CONTACT_KIND_GENERAL);
  Issue({}, {"GM0344", "GM0355"});
  Plan();
  Plan();
  TeachIntake({});
  const v1::LeaseMailResponse lease = Lease();
  ASSERT_THAT(lease.messages(), SizeIs(1));
  EXPECT_THAT(lease.messages(0).content().text(), HasSubstr("namens de gemeenten Utrecht en Zeist deel te nemen"));
}

TEST_F(PlannerTest, ManyAtOncePlanEachMessageOnce) {
  for (const char* const code : {"GM0344", "GM0355", "GM0363"}) {
    AddContact(code, "anna");
    AddContact(code, "bert");
  }
  Issue({"GM0344", "GM0355", "GM0363"});
  suppressions_.Add(*contacts_.AddressToken("anna@GM0355.nl"), v1::SUPPRESSION_REASON_MANUAL, "", "").IgnoreError();
  std::vector<std::unique_ptr<Planner>> planners;
  std::vector<std::thread> threads;
  planners.reserve(4);
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) planners.push_back(std::make_unique<Planner>(sources_, outbox_));
  for (const auto& planner : planners) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) EXPECT_TRUE(planner->PlanWave(kWave).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  TeachIntake({});
  EXPECT_THAT(SendAll(), UnorderedElementsAre("uitnodiging anna@GM0344.nl", "uitnodiging bert@GM0355.nl", "uitnodiging anna@GM0363.nl"));
  EXPECT_THAT(SendAll(), SizeIs(0));
  EXPECT_THAT(InvitationOf("GM0355").escalated_from(), SizeIs(1));
}

TEST_F(PlannerTest, AWholeWaveIsPlannedInOneRunAndLeftAloneAfterThat) {
  constexpr int kMunicipalities = 344;
  auto frame = std::make_shared<Frame>();
  std::vector<std::string> codes;
  for (int i = 1; i <= kMunicipalities; ++i) {
    codes.push_back(absl::StrFormat("GM%04d", i));
    frame->municipalities.emplace_back().set_code(codes.back());
    AddContact(codes.back(), "anna");
    AddContact(codes.back(), "bert");
  }
  frame_ = frame;
  book_.SetFrame(kWave, frame_);
  Issue(codes);
  const auto next = planner_.PlanWave(kWave);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(*next, At("2026-03-16 09:00"));
  const uint64_t version = *outbox_.Version(kWave);
  now_ = *next - absl::Seconds(1);
  Plan();
  EXPECT_EQ(*outbox_.Version(kWave), version);
  TeachIntake({});
  EXPECT_THAT(SendAll(), SizeIs(100));
}

TEST_F(PlannerTest, ItPlansByItselfWhenTheBookChanges) {
  AddContact("GM0363", "anna");
  Issue({"GM0363"});
  intake::v1::Wave planned = wave_;
  planned.clear_mailing_plan();
  book_.SetWave(planned);
  planner_.Start();
  book_.SetWave(wave_);
  // No sleep: it is there as soon as it is planned, or the test is stopped by its time limit.
  while (Lease().messages().empty()) std::this_thread::yield();
  planner_.Stop();
  planner_.Stop();
}

TEST_F(PlannerTest, AWaveThatIsNotKnownIsAnErrorAndOneWithoutPlanIsNone) {
  EXPECT_EQ(status::Reason(planner_.PlanWave("surveys/s/waves/2099").status()), "WAVE_NOT_FOUND");
  wave_.clear_mailing_plan();
  book_.SetWave(wave_);
  AddContact("GM0363", "anna");
  Issue({"GM0363"});
  Plan();
  EXPECT_THAT(Lease().messages(), SizeIs(0));
}

TEST_F(PlannerTest, APreviewIsTheMailWithALinkThatDoesNotWork) {
  AddContact("GM0363", "anna");
  Issue({"GM0344", "GM0363"});
  v1::PreviewMailRequest request;
  request.set_parent(kWave);
  request.set_step("uitnodiging");
  const auto invented = policy_.Preview(request);
  ASSERT_TRUE(invented.ok()) << invented.status();
  EXPECT_THAT(invented->text(), HasSubstr("namens de gemeente Utrecht"));
  EXPECT_THAT(invented->text(), HasSubstr("\nhttps://peiling.example.nl/deelnemen#voorbeeld\n"));
  EXPECT_EQ(invented->unsubscribe_url(), "https://peiling.example.nl/v1/unsubscriptions/voorbeeld");
  EXPECT_EQ(status::Reason(unsubscriber_.Unsubscribe("voorbeeld")), "TOKEN_INVALID");
  request.set_invitation("GM0363");
  const auto real = policy_.Preview(request);
  ASSERT_TRUE(real.ok()) << real.status();
  EXPECT_EQ(real->to_address(), "anna@GM0363.nl");
  EXPECT_THAT(real->text(), Not(HasSubstr("peiling-uitnodiging_")));
  request.set_language("en");
  EXPECT_EQ(policy_.Preview(request)->subject(), "Invitation for anna");

  request.set_invitation("GM0344");
  EXPECT_EQ(status::Reason(policy_.Preview(request).status()), "NO_CONTACT");
  request.set_invitation("GM0001");
  EXPECT_EQ(status::Reason(policy_.Preview(request).status()), "INVITATION_NOT_FOUND");
  request.set_step("anders");
  EXPECT_EQ(status::Reason(policy_.Preview(request).status()), "STEP_NOT_FOUND");
  request.set_parent("surveys/s/waves/2099");
  EXPECT_EQ(status::Reason(policy_.Preview(request).status()), "WAVE_NOT_FOUND");
}

}  // namespace
}  // namespace peiling::fieldwork
