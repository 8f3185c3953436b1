#include "services/gateway/doorkeeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peiling/dedup/v1/dedup.grpc.pb.h"
#include "peiling/fieldwork/v1/contacts.grpc.pb.h"
#include "peiling/fieldwork/v1/mail.grpc.pb.h"
#include "peiling/fieldwork/v1/webhooks.grpc.pb.h"
#include "peiling/intake/v1/drafts.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "services/common/server/metrics.h"
#include "tests/gateway/open_door.h"

namespace peiling::gateway {
namespace {

using access::v1::AuditEntry;
using intake::v1::IntakeService;
using std::chrono::milliseconds;

constexpr char kGetResponse[] = "/peiling.intake.v1.IntakeService/GetResponse";
constexpr char kGetWave[] = "/peiling.intake.v1.IntakeService/GetWave";
constexpr char kImport[] = "/peiling.intake.v1.IntakeService/ImportResponses";
constexpr char kSaveDraft[] = "/peiling.intake.v1.DraftService/SaveDraft";
constexpr char kUnsubscribe[] = "/peiling.fieldwork.v1.MailService/Unsubscribe";
constexpr char kSubmit[] = "/peiling.intake.v1.IntakeService/SubmitResponse";

grpc::ByteBuffer Bytes(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

class DoorkeeperTest : public testing::Test {
 protected:
  DoorkeeperTest() { Open({}); }

  void Open(OpenDoorOptions options) {
    open_.reset();
    // Or its contract may not be in the process.
    google::protobuf::LinkMessageReflection<intake::v1::SaveDraftRequest>();
    options.clock = [this] { return now_; };
    open_.emplace(std::vector<Backend>{{"intake", IntakeService::service_full_name(), nullptr},
                                       {"dedup", dedup::v1::DedupService::service_full_name(), nullptr},
                                       {"intake", intake::v1::DraftService::service_full_name(), nullptr},
                                       {"fieldwork", fieldwork::v1::ContactService::service_full_name(), nullptr},
                                       {"fieldwork", fieldwork::v1::MailService::service_full_name(), nullptr},
                                       {"fieldwork", fieldwork::v1::WebhookService::service_full_name(), nullptr}},
                  options);
    open_->authenticator().Know("link", Invited());
    open_->authenticator().Know("researcher", Caller("keys/r", {{access::v1::ROLE_RESEARCHER, {"surveys/a"}}}));
    open_->authenticator().Know("analyst", Caller("keys/n", {{access::v1::ROLE_ANALYST, {}}}));
  }

  static Arrival Of(const std::string& method, const std::string& bearer = "") {
    return {.protocol = "grpc",
            .method = method,
            .credentials = {.authorization = bearer.empty() ? "" : "Bearer " + bearer},
            .peer = "ipv4:192.0.2.1:51234",
            .request_id = "r-1"};
  }
  absl::StatusOr<std::unique_ptr<Visit>> Admit(Arrival arrival) {
    std::optional<absl::StatusOr<std::unique_ptr<Visit>>> answer;
    open_->door().Admit(std::move(arrival), [&](auto visit) { answer = std::move(visit); });
    return *std::move(answer);
  }
  std::string ReasonOf(Arrival arrival) { return status::Reason(Admit(std::move(arrival)).status()); }
  // Ends it and waits for the audit log.
  static void EndAndWait(Visit& visit, const grpc::Status& status) {
    std::promise<void> done;
    visit.End(status, [&] { done.set_value(); });
    done.get_future().wait();
  }

  struct Stranger;
  static Arrival From(const std::string& peer, const std::string& forwarded_for = "") {
    Arrival arrival = Of(kUnsubscribe);
    arrival.peer = peer;
    arrival.forwarded_for = forwarded_for;
    if (!forwarded_for.empty()) arrival.credentials.certificate = "proxy's certificate";
    return arrival;
  }
  Stranger Ask(const Arrival& arrival);
  static access::v1::Identity Invited() {
    access::v1::Identity identity =
        Caller("surveys/s/waves/1/invitations/GM0363/issues/1", {{access::v1::ROLE_RESPONDENT, {"surveys/s/waves/1/responses/GM0363"}}});
    identity.set_credential(access::v1::CREDENTIAL_KIND_INVITATION);
    return identity;
  }
  static absl::Status Renew(Visit& visit) {
    std::promise<absl::Status> renewed;
    visit.Renew([&](absl::Status status) { renewed.set_value(std::move(status)); });
    return renewed.get_future().get();
  }

  std::chrono::steady_clock::time_point now_ = std::chrono::steady_clock::now();
  std::optional<OpenDoor> open_;
};

TEST_F(DoorkeeperTest, TellsBackendsWhoCallsAndTheRequestId) {
  const auto visit = Admit(Of(kGetWave, "analyst"));
  ASSERT_TRUE(visit.ok());
  EXPECT_EQ((*visit)->caller().subject(), "keys/n");
  EXPECT_EQ((*visit)->backend().title, "intake");
  EXPECT_EQ((*visit)->request_id(), "r-1");
}

TEST_F(DoorkeeperTest, AnybodyMayCallWhatTakesNoCredential) {
  open_->authenticator().WantCredentials();
  Arrival proxied = Of(kUnsubscribe);
  proxied.credentials.certificate = "proxy's certificate";
  for (const Arrival& arrival : {Of(kUnsubscribe), proxied}) {
    const auto visit = Admit(arrival);
    ASSERT_TRUE(visit.ok()) << visit.status();
    EXPECT_EQ((*visit)->caller().subject(), "anonymous");
    EXPECT_EQ((*visit)->caller().credential(), access::v1::CREDENTIAL_KIND_NONE);
    EXPECT_TRUE((*visit)->caller().grants().empty());
    fieldwork::v1::UnsubscribeRequest request;
    request.set_token("t");
    EXPECT_TRUE((*visit)->Check(Bytes(request)).ok());
    bool begun = false;
    EXPECT_TRUE((*visit)->Forward([&] { begun = true; }).ok());
    EXPECT_TRUE(begun);
    EndAndWait(**visit, grpc::Status::OK);
  }
  EXPECT_EQ(ReasonOf(Of(kGetWave)), "CREDENTIALS_MISSING") << "all else takes one";
}

TEST_F(DoorkeeperTest, WhoShowsACredentialAllTheSameMustShowOneThatHolds) {
  EXPECT_EQ(ReasonOf(Of(kUnsubscribe, "forged")), "CREDENTIALS_INVALID");
  const auto visit = Admit(Of(kUnsubscribe, "analyst"));
  ASSERT_TRUE(visit.ok()) << visit.status();
  EXPECT_EQ((*visit)->caller().subject(), "keys/n");
  Arrival by_certificate = Of(kUnsubscribe);
  by_certificate.credentials.certificate = "somebody's";
  EXPECT_EQ((*Admit(by_certificate))->caller().subject(), "keys/anybody") << "the authenticator was asked";
}

// A call of nobody known from there, whose message has come; null when that was refused.
struct DoorkeeperTest::Stranger {
  std::unique_ptr<Visit> visit;
  std::string reason;
};

DoorkeeperTest::Stranger DoorkeeperTest::Ask(const Arrival& arrival) {
  std::unique_ptr<Visit> visit = *Admit(arrival);
  fieldwork::v1::UnsubscribeRequest request;
  request.set_token("t");
  const absl::Status checked = visit->Check(Bytes(request));
  return {checked.ok() ? std::move(visit) : nullptr, status::Reason(checked)};
}

TEST_F(DoorkeeperTest, StrangersTakeAPlaceOnceTheirMessageIsThere) {
  std::vector<std::unique_ptr<Visit>> silent;
  silent.reserve(100);
  for (int i = 0; i < 100; ++i) silent.push_back(*Admit(From("ipv4:192.0.2.1:1")));
  std::vector<Stranger> calls;
  calls.reserve(4);
  for (int i = 0; i < 4; ++i) calls.push_back(Ask(From("ipv4:192.0.2.1:1")));
  for (const Stranger& call : calls) EXPECT_EQ(call.reason, "");
  EXPECT_EQ(open_->limits().calls(), 0) << "none of those that others want";
  EXPECT_EQ(Ask(From("ipv4:192.0.2.1:2")).reason, "TOO_MANY_CALLS") << "another port is no other address";
  calls.pop_back();
  EXPECT_EQ(Ask(From("ipv4:192.0.2.1:2")).reason, "");
}

TEST_F(DoorkeeperTest, StrangersOfOneNetworkAreOne) {
  struct Case {
    std::string one;
    std::string other;
    bool same;
  };
  const std::vector<Case> cases = {
      {"ipv4:192.0.2.1:1", "ipv4:192.0.2.1:2", true},
      {"ipv4:192.0.2.1:1", "ipv4:192.0.2.2:1", false},
      {"ipv4:192.0.2.1:1", "ipv6:%5B::ffff:192.0.2.1%5D:1", true},
      {"ipv6:%5B::ffff:192.0.2.1%5D:1", "ipv6:%5B::ffff:192.0.2.2%5D:1", false},
      {"ipv6:[2001:db8:1:2::1]:1", "ipv6:[2001:db8:1:2:ffff::9]:1", true},
      {"ipv6:[2001:db8:1:2::1]:1", "ipv6:[2001:db8:1:3::1]:1", false},
  };
  for (const auto& [one, other, same] : cases) {
    Open({});
    std::vector<Stranger> calls;
    calls.reserve(4);
    for (int i = 0; i < 4; ++i) calls.push_back(Ask(From(one)));
    EXPECT_EQ(Ask(From(other)).reason, same ? "TOO_MANY_CALLS" : "") << one << " and " << other;
  }
}

TEST_F(DoorkeeperTest, StrangersBehindAProxyAreWhoTheyAreToIt) {
  std::vector<Stranger> calls;
  calls.reserve(4);
  for (int i = 0; i < 4; ++i) calls.push_back(Ask(From("ipv4:192.0.2.1:1")));
  EXPECT_EQ(Ask(From("ipv4:10.0.0.1:1", "192.0.2.1")).reason, "TOO_MANY_CALLS");
  EXPECT_EQ(Ask(From("ipv4:10.0.0.1:1", "192.0.2.3")).reason, "");
}

TEST_F(DoorkeeperTest, StrangersMakeTenCallsASecond) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Ask(From("ipv4:192.0.2.1:1")).reason, "");
  EXPECT_EQ(Ask(From("ipv4:192.0.2.1:1")).reason, "RATE_LIMITED");
  now_ += milliseconds(100);
  EXPECT_EQ(Ask(From("ipv4:192.0.2.1:1")).reason, "");
  EXPECT_EQ(Ask(From("ipv4:192.0.2.1:1")).reason, "RATE_LIMITED");
}

TEST_F(DoorkeeperTest, StrangersLeaveRoomForEverybodyElse) {
  Open({.limits = {.max_calls = 1}});
  std::vector<Stranger> calls;
  calls.reserve(32);
  for (int i = 0; i < 32; ++i) calls.push_back(Ask(From(absl::StrCat("ipv4:192.0.2.", i, ":1"))));
  for (const Stranger& call : calls) EXPECT_EQ(call.reason, "");
  EXPECT_EQ(Ask(From("ipv4:198.51.100.1:1")).reason, "GATEWAY_BUSY");
  const auto known = Admit(Of(kUnsubscribe, "analyst"));
  EXPECT_TRUE(known.ok()) << "known callers have their own places, also here";
  EXPECT_EQ(ReasonOf(Of(kUnsubscribe, "analyst")), "GATEWAY_BUSY");
  calls.clear();
  EXPECT_EQ(Ask(From("ipv4:198.51.100.1:1")).reason, "") << "nor do these take strangers' places";
}

// Of links.

TEST_F(DoorkeeperTest, InvitationIsLookedAtAgainWhenItsMessageIsLate) {
  const auto visit = Admit(Of(kSaveDraft, "link"));
  ASSERT_TRUE(visit.ok()) << visit.status();
  now_ += milliseconds(999);
  EXPECT_FALSE((*visit)->stale());
  now_ += milliseconds(1);
  EXPECT_TRUE((*visit)->stale());
  access::v1::Identity renewed = Invited();
  renewed.set_title("as it is now");
  open_->authenticator().Know("link", renewed);
  EXPECT_TRUE(Renew(**visit).ok());
  EXPECT_EQ((*visit)->caller().title(), "as it is now");
  EXPECT_TRUE((*visit)->Forward([] {}).ok());
}

TEST_F(DoorkeeperTest, InvitationThatWasReplacedMeanwhileIsNotForwarded) {
  const auto changed = [](const auto& change) {
    access::v1::Identity identity = Invited();
    change(identity);
    return identity;
  };
  for (const auto& now : {changed([](auto& identity) { identity.set_subject("surveys/s/waves/1/invitations/GM0363/issues/2"); }),
                          changed([](auto& identity) { identity.mutable_grants(0)->add_sections(2); }),
                          changed([](auto& identity) { identity.clear_grants(); })}) {
    open_->authenticator().Know("link", Invited());
    const auto visit = Admit(Of(kSaveDraft, "link"));
    ASSERT_TRUE(visit.ok());
    open_->authenticator().Know("link", now);
    const absl::Status renewed = Renew(**visit);
    EXPECT_EQ(status::Reason(renewed), "CREDENTIALS_WITHDRAWN") << now.ShortDebugString();
    EndAndWait(**visit, status::ToGrpc(renewed));
  }
  open_->authenticator().Know("link", Invited());
  const auto visit = Admit(Of(kSaveDraft, "link"));
  open_->authenticator().Forget("link");
  EXPECT_EQ(status::Reason(Renew(**visit)), "CREDENTIALS_INVALID");
}

TEST_F(DoorkeeperTest, OtherCredentialsAreNotLookedAtAgain) {
  const auto visit = Admit(Of(kGetWave, "analyst"));
  ASSERT_TRUE(visit.ok());
  now_ += std::chrono::hours(1);
  EXPECT_FALSE((*visit)->stale()) << "they are told when they cease to hold";
}

TEST_F(DoorkeeperTest, OneInvitationHasSixteenPlaces) {
  std::vector<std::unique_ptr<Visit>> visits;
  visits.reserve(16);
  for (int i = 0; i < 16; ++i) visits.push_back(*Admit(Of(kSaveDraft, "link")));
  EXPECT_EQ(ReasonOf(Of(kSaveDraft, "link")), "TOO_MANY_CALLS");
}

// The audit log.

TEST_F(DoorkeeperTest, AuditLogNamesWhatACallWasAbout) {
  struct Case {
    std::string method;
    std::shared_ptr<google::protobuf::Message> request;
    std::string object;
  };
  const auto with = []<typename Request>(Request request, const auto& set) {
    set(request);
    return std::make_shared<Request>(std::move(request));
  };
  const auto named = [&](auto request, const char* name) { return with(request, [&](auto& it) { it.set_name(name); }); };
  const std::string contact = "municipalities/GM0363/contacts/c1";
  const std::vector<Case> cases = {
      {"ContactService/GetContact", named(fieldwork::v1::GetContactRequest(), contact.c_str()), contact},
      {"ContactService/EraseContact", named(fieldwork::v1::EraseContactRequest(), contact.c_str()), contact},
      {"ContactService/UpdateContact",
       with(fieldwork::v1::UpdateContactRequest(), [&](auto& it) { it.mutable_contact()->set_name(contact); }), contact},
      {"ContactService/ListContacts", with(fieldwork::v1::ListContactsRequest(), [](auto& it) { it.set_parent("municipalities/GM0363"); }),
       "municipalities/GM0363"},
      {"MailService/DeleteSuppression", named(fieldwork::v1::DeleteSuppressionRequest(), "suppressions/s1"), "suppressions/s1"},
      {"WebhookService/DeleteWebhook", named(fieldwork::v1::DeleteWebhookRequest(), "webhooks/w1"), "webhooks/w1"},
      {"WebhookService/RotateWebhookSecret", named(fieldwork::v1::RotateWebhookSecretRequest(), "webhooks/w1"), "webhooks/w1"},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto visit = Admit(Of("/peiling.fieldwork.v1." + cases[i].method));
    ASSERT_TRUE(visit.ok()) << visit.status();
    EXPECT_TRUE((*visit)->Check(Bytes(*cases[i].request)).ok());
    EndAndWait(**visit, grpc::Status::OK);
    const AuditEntry entry = open_->access().AwaitEntries(i + 1).at(i);
    EXPECT_EQ(entry.action(), "peiling.fieldwork.v1." + cases[i].method);
    EXPECT_EQ(entry.object(), cases[i].object) << cases[i].method;
  }
}

TEST_F(DoorkeeperTest, OpenStreamIsToldOnceThatItsCallersCredentialIsWithdrawn) {
  const auto visit = Admit(Of(kImport, "researcher"));
  const auto other = Admit(Of(kImport));
  ASSERT_TRUE(visit.ok() && other.ok());
  std::promise<absl::Status> told;
  (*visit)->OnWithdrawn([&](const absl::Status& why) { told.set_value(why); });
  (*other)->OnWithdrawn([](const absl::Status&) { ADD_FAILURE() << "still holds"; });
  open_->authenticator().Withdraw("keys/r");
  const absl::Status why = told.get_future().get();
  EXPECT_EQ(why.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(status::Reason(why), "CREDENTIALS_WITHDRAWN");
  EndAndWait(**visit, status::ToGrpc(why));
}

TEST_F(DoorkeeperTest, WithdrawnStreamMayEndWhereItIsTold) {
  auto visit = Admit(Of(kImport, "researcher"));
  ASSERT_TRUE(visit.ok());
  std::promise<void> ended;
  (*visit)->OnWithdrawn([&](const absl::Status& why) {
    EndAndWait(**visit, status::ToGrpc(why));
    visit->reset();
    ended.set_value();
  });
  open_->authenticator().Withdraw("keys/r");
  ended.get_future().wait();
}

TEST_F(DoorkeeperTest, StreamThatHasEndedIsNotTold) {
  const auto ended = Admit(Of(kImport, "researcher"));
  const auto open = Admit(Of(kImport, "researcher"));
  ASSERT_TRUE(ended.ok() && open.ok());
  std::promise<void> told;
  (*ended)->OnWithdrawn([](const absl::Status&) { ADD_FAILURE() << "is over"; });
  (*open)->OnWithdrawn([&](const absl::Status&) { told.set_value(); });
  EndAndWait(**ended, grpc::Status::OK);
  open_->authenticator().Withdraw("keys/r");
  told.get_future().wait();
}

TEST_F(DoorkeeperTest, CallDoesNotBeginOnceItsCallersCredentialIsWithdrawn) {
  const auto visit = Admit(Of(kGetWave, "researcher"));
  ASSERT_TRUE(visit.ok());
  open_->authenticator().Withdraw("keys/r");
  const absl::Status refused = (*visit)->Forward([] { ADD_FAILURE() << "begun"; });
  EXPECT_EQ(status::Reason(refused), "CREDENTIALS_WITHDRAWN");
  EndAndWait(**visit, status::ToGrpc(refused));
  EXPECT_EQ(open_->access().AwaitEntries(1).at(0).reason(), "CREDENTIALS_WITHDRAWN");
}

TEST_F(DoorkeeperTest, RequestIdThatCouldMisleadIsReplaced) {
  EXPECT_EQ(RequestIdFor("a-B_c.9"), "a-B_c.9");
  for (const std::string& sent : {std::string(), std::string("a b"), std::string("a\nb"), std::string(101, 'a'), std::string("é")}) {
    const std::string made = RequestIdFor(sent);
    EXPECT_NE(made, sent);
    EXPECT_EQ(made.size(), 32u);
    EXPECT_EQ(RequestIdFor(made), made);
    EXPECT_NE(RequestIdFor(sent), made) << "each is another";
  }
}

TEST_F(DoorkeeperTest, LimitedCallerTouchesOnlyWhatLiesWithin) {
  const auto visit = Admit(Of(kGetResponse, "researcher"));
  ASSERT_TRUE(visit.ok());
  intake::v1::GetResponseRequest request;
  request.set_name("surveys/a/waves/1/responses/x");
  EXPECT_TRUE((*visit)->Check(Bytes(request)).ok());
  request.set_name("surveys/b/waves/1/responses/x");
  const absl::Status refused = (*visit)->Check(Bytes(request));
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status::Reason(refused), "NOT_WITHIN_LIMITS");
  EXPECT_EQ(status::Metadata(refused).at("resource"), request.name());
  const grpc::Slice broken("\x0a\x7f");
  EXPECT_EQ(status::Reason((*visit)->Check({&broken, 1})), "INVALID_REQUEST");
}

TEST_F(DoorkeeperTest, OnlyTheFirstMessageOfAStreamMustSayWhatItIsAbout) {
  intake::v1::ImportResponsesRequest mine, yours, content;
  mine.mutable_header()->set_parent("surveys/a/waves/1");
  yours.mutable_header()->set_parent("surveys/b/waves/1");
  content.set_content("row");
  {
    const auto visit = Admit(Of(kImport, "researcher"));
    EXPECT_TRUE((*visit)->Check(Bytes(mine)).ok());
    EXPECT_TRUE((*visit)->Check(Bytes(content)).ok());
    EXPECT_EQ(status::Reason((*visit)->Check(Bytes(yours))), "NOT_WITHIN_LIMITS") << "later ones that say it are checked, too";
  }
  const auto visit = Admit(Of(kImport, "researcher"));
  EXPECT_EQ(status::Reason((*visit)->Check(Bytes(content))), "NOT_WITHIN_LIMITS");
}

TEST_F(DoorkeeperTest, AuditedCallIsInTheLogBeforeItEnds) {
  const auto visit = Admit(Of(kSubmit));
  ASSERT_TRUE(visit.ok());
  intake::v1::SubmitResponseRequest request;
  request.set_parent("surveys/a/waves/1");
  ASSERT_TRUE((*visit)->Check(Bytes(request)).ok());
  intake::v1::SubmitResponseResponse response;
  response.mutable_response()->set_name("surveys/a/waves/1/responses/x");
  (*visit)->Note(Bytes(response));
  open_->access().Hold(true);
  std::atomic<bool> done{false};
  (*visit)->End(grpc::Status::OK, [&] { done = true; });
  open_->access().AwaitBatches(1);
  EXPECT_FALSE(done);
  open_->access().Hold(false);
  const auto entries = open_->access().AwaitEntries(1);
  while (!done) std::this_thread::sleep_for(milliseconds(1));
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].subject(), "keys/anybody");
  EXPECT_EQ(entries[0].credential(), access::v1::CREDENTIAL_KIND_KEY);
  EXPECT_EQ(entries[0].action(), "peiling.intake.v1.IntakeService/SubmitResponse");
  EXPECT_EQ(entries[0].object(), "surveys/a/waves/1/responses/x") << "what was made";
  EXPECT_EQ(entries[0].result(), "OK");
  EXPECT_EQ(entries[0].origin(), "192.0.2.1");
  EXPECT_EQ(entries[0].request_id(), "r-1");
  EXPECT_GT(entries[0].time().seconds(), 0);
}

TEST_F(DoorkeeperTest, AuditLogHasFailuresAndCallsThatWereBrokenOff) {
  {
    const auto visit = Admit(Of(kGetResponse));
    EndAndWait(**visit, status::ToGrpc(status::Error(absl::StatusCode::kNotFound, "RESPONSE_NOT_FOUND", "no")));
  }
  { const auto visit = Admit(Of(kGetResponse)); }
  const auto entries = open_->access().AwaitEntries(2);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].result(), "NOT_FOUND");
  EXPECT_EQ(entries[0].reason(), "RESPONSE_NOT_FOUND");
  EXPECT_EQ(entries[1].result(), "CANCELLED");
}

TEST_F(DoorkeeperTest, FailedCallEndsThoughTheLogCannotBeWrittenOthersDoNot) {
  open_->access().Fail({grpc::UNAVAILABLE, "down"});
  const auto succeeded = Admit(Of(kSubmit)), failed = Admit(Of(kSubmit));
  ASSERT_TRUE(succeeded.ok() && failed.ok());
  std::atomic<bool> done{false};
  (*succeeded)->End(grpc::Status::OK, [&] { done = true; });
  EndAndWait(**failed, grpc::Status(grpc::NOT_FOUND, "no"));
  EXPECT_GE(open_->access().batches(), 1) << "it was tried";
  EXPECT_FALSE(done);
  open_->access().Fail(grpc::Status::OK);
  EXPECT_EQ(open_->access().AwaitEntries(2).size(), 2u);
  while (!done) std::this_thread::sleep_for(milliseconds(1));
}

TEST_F(DoorkeeperTest, ObjectThatIsNoNameStaysOutOfTheAuditLog) {
  for (const std::string& name : {std::string("jan@example.nl"), std::string("keys/peiling_0123456789abcdef_") + std::string(43, 'A'),
                                  std::string("surveys/Jan de Vries"), std::string(1000, 'a')}) {
    const auto visit = Admit(Of(kGetResponse));
    intake::v1::GetResponseRequest request;
    request.set_name(name);
    ASSERT_TRUE((*visit)->Check(Bytes(request)).ok());
    EndAndWait(**visit, grpc::Status::OK);
  }
  for (const AuditEntry& entry : open_->access().AwaitEntries(4)) EXPECT_EQ(entry.object(), "");
}

TEST_F(DoorkeeperTest, RefusalsBecauseOfWhoCallsAreAuditedOthersAreNot) {
  EXPECT_EQ(ReasonOf(Of(kSubmit, "forged")), "CREDENTIALS_INVALID");
  EXPECT_EQ(ReasonOf(Of(kSubmit, "analyst")), "ROLE_MISSING");
  EXPECT_EQ(ReasonOf(Of("/peiling.intake.v1.IntakeService/DropTables")), "UNKNOWN_METHOD");
  {
    const auto visit = Admit(Of("/peiling.dedup.v1.DedupService/GetCase", "researcher"));
    dedup::v1::GetCaseRequest request;
    request.set_name("surveys/b/waves/1/cases/c");
    const absl::Status refused = (*visit)->Check(Bytes(request));
    EndAndWait(**visit, status::ToGrpc(refused));
  }
  std::set<std::string> reasons;
  for (const auto& entry : open_->access().AwaitEntries(3)) {
    reasons.insert(entry.reason());
    EXPECT_EQ(entry.object(), entry.reason() == "NOT_WITHIN_LIMITS" ? "surveys/b/waves/1/cases/c" : "");
  }
  EXPECT_THAT(reasons, testing::UnorderedElementsAre("CREDENTIALS_INVALID", "ROLE_MISSING", "NOT_WITHIN_LIMITS"));
}

TEST_F(DoorkeeperTest, AuditedCallsAreRefusedWhileTheLogCannotBeWritten) {
  Open({.audit = {.patience = milliseconds(20)}});
  open_->access().Fail({grpc::UNAVAILABLE, "down"});
  const auto visit = Admit(Of(kSubmit));
  ASSERT_TRUE(visit.ok());
  (*visit)->End(grpc::Status::OK, [] {});
  std::string reason;
  while ((reason = ReasonOf(Of(kSubmit))).empty()) std::this_thread::sleep_for(milliseconds(2));
  EXPECT_EQ(reason, "AUDIT_UNAVAILABLE");
  EXPECT_TRUE(Admit(Of(kGetWave)).ok()) << "what is not audited goes on";
  open_->access().Fail(grpc::Status::OK);
  while (!Admit(Of(kSubmit)).ok()) std::this_thread::sleep_for(milliseconds(2));
}

TEST_F(DoorkeeperTest, UnauthenticatedAttemptsTakeNobodysPlaces) {
  Open({.limits = {.max_calls = 2, .max_calls_per_backend = 2}});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ReasonOf(Of(kGetWave, "forged")), "CREDENTIALS_INVALID");
  open_->authenticator().Hold();
  for (int i = 0; i < 100; ++i) open_->door().Admit(Of(kGetWave, "forged"), [](auto) {});
  EXPECT_EQ(open_->authenticator().held(), 100u);
  const Backend backend{"x", "x", nullptr};
  EXPECT_TRUE(open_->limits().Take({"keys/a", backend}).ok());
  open_->authenticator().LetGo();
}

TEST_F(DoorkeeperTest, PlacesAreHeldAsLongAsTheVisit) {
  Open({.limits = {.max_calls_per_caller = 1}});
  {
    const auto visit = Admit(Of(kGetWave, "analyst"));
    EXPECT_EQ(ReasonOf(Of(kGetWave, "analyst")), "TOO_MANY_CALLS");
    EXPECT_TRUE(Admit(Of(kGetWave)).ok());
  }
  EXPECT_TRUE(Admit(Of(kGetWave, "analyst")).ok());
}

TEST_F(DoorkeeperTest, ClosedDoorLetsNobodyInAndNobodyOn) {
  const auto inside = Admit(Of(kGetWave));
  open_->authenticator().Hold();
  std::string late;
  open_->door().Admit(Of(kGetWave), [&](auto visit) {
    bool begun = false;
    late = status::Reason((*visit)->Forward([&] { begun = true; }));
    EXPECT_FALSE(begun);
  });
  open_->door().Close();
  EXPECT_EQ(ReasonOf(Of(kGetWave)), "SHUTTING_DOWN");
  open_->authenticator().LetGo();
  EXPECT_EQ(late, "SHUTTING_DOWN");
  EXPECT_EQ(status::Reason((*inside)->Forward([] {})), "SHUTTING_DOWN");
}

TEST_F(DoorkeeperTest, BelievesProxiesAloneAboutTheirClients) {
  Arrival arrival = Of(kGetResponse);
  arrival.forwarded_for = "203.0.113.9, 198.51.100.7";
  arrival.forwarded_certificate = "-----BEGIN%20CERTIFICATE-----%0A";
  arrival.credentials.certificate = "somebody's certificate";
  { EXPECT_TRUE(Admit(arrival).ok()); }
  EXPECT_EQ(open_->authenticator().last().certificate, "somebody's certificate");
  EXPECT_EQ(open_->access().AwaitEntries(1).back().origin(), "192.0.2.1");
  arrival.credentials.certificate = "proxy's certificate";
  { EXPECT_TRUE(Admit(arrival).ok()); }
  EXPECT_EQ(open_->authenticator().last().certificate, "-----BEGIN CERTIFICATE-----\n");
  EXPECT_EQ(open_->access().AwaitEntries(2).back().origin(), "198.51.100.7") << "the last one is what the proxy itself has seen";
  arrival.forwarded_certificate.clear();
  arrival.forwarded_for = "nonsense";
  { EXPECT_TRUE(Admit(arrival).ok()); }
  EXPECT_EQ(open_->authenticator().last().certificate, "") << "the proxy's own is not its client's";
  EXPECT_EQ(open_->access().AwaitEntries(3).back().origin(), "192.0.2.1");
}

TEST_F(DoorkeeperTest, OfTwoForwardedCertificatesNoneIsRead) {
  Arrival arrival = Of(kGetWave);
  arrival.credentials.certificate = "proxy's certificate";
  for (const char* sent : {"-----BEGIN%20CERTIFICATE-----%0A,-----BEGIN%20CERTIFICATE-----%0A", "-----BEGIN%20CERTIFICATE-----%0A%"}) {
    arrival.forwarded_certificate = sent;
    { EXPECT_TRUE(Admit(arrival).ok()); }
    EXPECT_EQ(open_->authenticator().last().certificate, sent);
  }
}

TEST_F(DoorkeeperTest, AccessLogHasEveryCallOnceAndNoSecret) {
  const std::string path = testing::TempDir() + "doorkeeper_access.log";
  std::filesystem::remove(path);
  Open({.access_log = path});
  Arrival traced = Of(kGetWave, "analyst");
  traced.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  { EndAndWait(**Admit(traced), grpc::Status::OK); }
  EXPECT_EQ(ReasonOf(Of(kSubmit, "analyst")), "ROLE_MISSING");
  EXPECT_EQ(ReasonOf(Of(kSubmit, "forged-secret")), "CREDENTIALS_INVALID");
  EXPECT_EQ(ReasonOf(Of("/x/Y")), "UNKNOWN_METHOD");
  open_.reset();
  std::ifstream file(path);
  std::string all;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line); all += line) lines.push_back(line);
  ASSERT_EQ(lines.size(), 4u);
  for (const char* part :
       {"\"method\":\"peiling.intake.v1.IntakeService/GetWave\"", "\"code\":\"OK\"", "\"subject\":\"keys/n\"", "\"roles\":\"analyst\"",
        "\"origin\":\"192.0.2.1\"", "\"request_id\":\"r-1\"", "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\""}) {
    EXPECT_NE(lines[0].find(part), std::string::npos) << part << " in " << lines[0];
  }
  EXPECT_EQ(all.find("forged-secret"), std::string::npos);
  std::filesystem::remove(path);
}

// The value of a series of a counter, 0 when there is none.
double Counted(const std::string& family, const std::map<std::string, std::string>& labels) {
  for (const auto& collected : server::Metrics().Collect()) {
    if (collected.name != family) continue;
    for (const auto& metric : collected.metric) {
      std::map<std::string, std::string> has;
      for (const auto& label : metric.label) has[label.name] = label.value;
      if (has == labels) return metric.counter.value;
    }
  }
  return 0;
}

TEST_F(DoorkeeperTest, CountsCallsByMethodCodeAndRole) {
  const std::map<std::string, std::string> denied = {{"protocol", "grpc"},
                                                     {"service", "peiling.intake.v1.IntakeService"},
                                                     {"method", "SubmitResponse"},
                                                     {"code", "PERMISSION_DENIED"},
                                                     {"role", "none"}};
  const std::map<std::string, std::string> unknown = {
      {"protocol", "grpc"}, {"service", "unknown"}, {"method", "unknown"}, {"code", "UNIMPLEMENTED"}, {"role", "none"}};
  const std::map<std::string, std::string> good = {
      {"protocol", "grpc"}, {"service", "peiling.intake.v1.IntakeService"}, {"method", "GetWave"}, {"code", "OK"}, {"role", "analyst"}};
  const double denied_before = Counted("peiling_gateway_calls_total", denied),
               unknown_before = Counted("peiling_gateway_calls_total", unknown), good_before = Counted("peiling_gateway_calls_total", good);
  EXPECT_EQ(ReasonOf(Of(kSubmit, "analyst")), "ROLE_MISSING");
  for (int i = 0; i < 3; ++i) ReasonOf(Of("/x/" + std::to_string(i)));
  EndAndWait(**Admit(Of(kGetWave, "analyst")), grpc::Status::OK);
  EXPECT_EQ(Counted("peiling_gateway_calls_total", denied) - denied_before, 1);
  EXPECT_EQ(Counted("peiling_gateway_calls_total", unknown) - unknown_before, 3);
  EXPECT_EQ(Counted("peiling_gateway_calls_total", good) - good_before, 1);
}

}  // namespace
}  // namespace peiling::gateway
