// Invitations as they are called: by administrators, by the bearers of links, by gateways.
#include "services/fieldwork/invitations/invitation_service.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "peiling/intake/v1/drafts_mock.grpc.pb.h"
#include "peiling/intake/v1/intake_mock.grpc.pb.h"
#include "services/common/deadline/deadline.h"
#include "services/common/identity/identity.h"
#include "tests/fieldwork/invitation_setting.h"

namespace peiling::fieldwork {
namespace {

using testing::_;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::NiceMock;
using testing::Not;
using Stub = v1::InvitationService::StubInterface;

// One wave, as it is set.
class FakeBook : public WaveBook {
 public:
  std::vector<std::string> Waves() const override { return {kWave}; }
  absl::StatusOr<std::shared_ptr<const WaveDetails>> Get(const std::string& wave) const override {
    if (!caught_up.ok()) return caught_up;
    return Details(wave);
  }
  absl::StatusOr<std::shared_ptr<const WaveDetails>> Details(const std::string& wave) const override {
    if (!loaded.ok()) return loaded;
    if (wave == kWave) return std::make_shared<WaveDetails>(details);
    return status::Error(absl::StatusCode::kNotFound, "WAVE_NOT_FOUND", "none");
  }
  std::optional<ResponseStand> Response(const std::string&, const std::string&) const override { return std::nullopt; }
  void ForEachResponse(const std::string&, const std::function<void(const std::string&, const ResponseStand&)>&) const override {}
  bool HasSubmittedRecord(const std::string&, const std::string&) const override { return false; }
  uint64_t Version(const std::string&) const override { return 1; }
  uint64_t AwaitChange(uint64_t since, absl::Duration) const override { return since; }

  WaveDetails details;
  // Of Details and Get.
  absl::Status loaded;
  // Of Get alone.
  absl::Status caught_up;
};

// Who may what.
access::v1::Identity Caller(const std::string& subject, access::v1::Role role, const std::string& limit) {
  access::v1::Identity caller;
  caller.set_subject(subject);
  access::v1::Grant& grant = *caller.add_grants();
  grant.set_role(role);
  if (!limit.empty()) grant.add_resources(limit);
  return caller;
}
access::v1::Identity Administrator(const std::string& limit = "") { return Caller("keys/admin", access::v1::ROLE_ADMINISTRATOR, limit); }

class InvitationServiceTest : public InvitationSetting {
 protected:
  InvitationServiceTest() {
    book_.details.frame = frame_;
    SetTimes(now_ - absl::Hours(24), now_ + absl::Hours(24));
    intake::v1::Wave& wave = book_.details.wave;
    wave.set_name(kWave);
    wave.set_questionnaire("surveys/vn/questionnaires/2026");
    wave.set_questionnaire_fingerprint("f");
    ON_CALL(intake_, GetQuestionnaire(_, _, _)).WillByDefault([](auto*, const auto& request, auto* response) {
      EXPECT_EQ(request.name(), "surveys/vn/questionnaires/2026");
      response->set_fingerprint("f");
      for (int i = 0; i < 22; ++i) response->mutable_questionnaire()->add_sections();
      return grpc::Status::OK;
    });
    ON_CALL(drafts_, CreateDraft(_, _, _)).WillByDefault([this](auto*, const auto& request, auto* response) {
      return CreateDraft(request, *response);
    });
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::InvitationService::NewStub(server_->InProcessChannel({}));
  }
  ~InvitationServiceTest() override { server_->Shutdown(); }

  void SetTimes(absl::Time opens, absl::Time closes, absl::Duration grace = absl::ZeroDuration()) {
    intake::v1::Wave& wave = book_.details.wave;
    *wave.mutable_opens_at() = calendar::ToProto(opens);
    *wave.mutable_closes_at() = calendar::ToProto(closes);
    wave.mutable_grace_period()->set_seconds(absl::ToInt64Seconds(grace));
    *wave.mutable_personal_data_erased_at() = calendar::ToProto(closes + absl::Hours(24 * 90));
  }

  // As intake does it.
  grpc::Status CreateDraft(const intake::v1::CreateDraftRequest& request, intake::v1::CreateDraftResponse& response) {
    drafts_asked_.push_back(request);
    const auto error = [](std::string_view reason) {
      return status::ToGrpc(status::Error(absl::StatusCode::kFailedPrecondition, reason, "no"));
    };
    const intake::v1::Wave& wave = book_.details.wave;
    if (now_ < calendar::FromProto(wave.opens_at())) return error("WAVE_PLANNED");
    if (!made_.contains(request.response_id()) && now_ >= calendar::FromProto(wave.closes_at())) return error("WAVE_CLOSED");
    // Whatever was there is for whom it was made.
    const std::vector<std::string> municipalities(request.municipalities().begin(), request.municipalities().end());
    if (made_.try_emplace(request.response_id(), municipalities).first->second != municipalities) {
      return status::ToGrpc(status::Error(absl::StatusCode::kAlreadyExists, "RESPONSE_EXISTS", "of others"));
    }
    response.mutable_draft()->set_name(absl::StrCat(request.parent(), "/responses/", request.response_id()));
    return grpc::Status::OK;
  }

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request,
                    Response& response, const access::v1::Identity& caller = Administrator()) {
    grpc::ClientContext context;
    deadline::Set(context, std::chrono::seconds(20));
    if (!caller.subject().empty()) context.AddMetadata(identity::kIdentityKey, caller.SerializeAsString());
    response.Clear();
    return status::FromGrpc((*stub_.*method)(&context, request, &response));
  }

  absl::StatusOr<access::v1::Identity> Verify(const std::string& token) {
    v1::VerifyTokenRequest request;
    request.set_token(token);
    v1::VerifyTokenResponse response;
    const absl::Status verified = Call(&Stub::VerifyToken, request, response, {});
    if (!verified.ok()) return verified;
    return response.identity();
  }
  // Who the bearer of a link is.
  access::v1::Identity Bearer(const std::string& id, const std::string& colleague = "") {
    const auto bearer = Verify(colleague.empty() ? TokenOf(id) : TokenOf(id, colleague));
    EXPECT_TRUE(bearer.ok()) << bearer.status();
    return bearer.ok() ? *bearer : access::v1::Identity();
  }
  absl::StatusOr<v1::RedeemInvitationResponse> Redeem(const access::v1::Identity& caller, const std::string& language = "") {
    v1::RedeemInvitationRequest request;
    request.set_language(language);
    v1::RedeemInvitationResponse response;
    const absl::Status redeemed = Call(&Stub::RedeemInvitation, request, response, caller);
    if (!redeemed.ok()) return redeemed;
    return response;
  }
  absl::StatusOr<v1::Invitation> GetAs(const std::string& id) {
    v1::GetInvitationRequest request;
    request.set_name(NameOf(id));
    v1::GetInvitationResponse response;
    const absl::Status got = Call(&Stub::GetInvitation, request, response);
    if (!got.ok()) return got;
    return response.invitation();
  }
  absl::Status InviteAs(const access::v1::Identity& caller, const v1::InviteColleagueRequest& request) {
    v1::InviteColleagueResponse response;
    return Call(&Stub::InviteColleague, request, response, caller);
  }
  std::vector<std::string> WrongFields(const absl::Status& status) {
    EXPECT_EQ(status::Reason(status), "INVALID_REQUEST") << status;
    std::vector<std::string> fields;
    for (const auto& [field, description] : status::FieldViolations(status)) fields.push_back(field);
    return fields;
  }
  std::string AddContact(const std::string& code, const std::string& email, v1::ContactKind kind) {
    v1::CreateContactRequest request;
    request.set_parent("municipalities/" + code);
    request.mutable_contact()->set_email(email);
    request.mutable_contact()->set_kind(kind);
    request.set_request_id(email);
    const auto created = contact_store_.Create(request);
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->name() : "";
  }

  FakeBook book_;
  std::set<std::string> suppressed_;
  // Drafts, with whom they are for.
  std::map<std::string, std::vector<std::string>> made_;
  std::vector<intake::v1::CreateDraftRequest> drafts_asked_;
  NiceMock<intake::v1::MockDraftServiceStub> drafts_;
  NiceMock<intake::v1::MockIntakeServiceStub> intake_;
  ContactStore contact_store_{*store_, *vault_, [this] { return now_; }};
  InvitationService service_{{invitations_, contact_store_, book_, drafts_, intake_},
                             [this](const std::vector<std::string>& addresses) -> absl::StatusOr<std::vector<bool>> {
                               std::vector<bool> found;
                               for (const std::string& address : addresses) found.push_back(suppressed_.contains(address));
                               return found;
                             },
                             [this] { return now_; }};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Stub> stub_;
};

// --- Issuing.

TEST_F(InvitationServiceTest, TheFirstContactThatMayBeWrittenToIsChosenAndGeneralOnesComeLast) {
  const std::string general = AddContact("GM0001", "info@gm1.nl", v1::CONTACT_KIND_GENERAL);
  AddContact("GM0002", "weg@gm2.nl", v1::CONTACT_KIND_PERSON);
  const std::string second = AddContact("GM0002", "tweede@gm2.nl", v1::CONTACT_KIND_PERSON);
  suppressed_ = {"weg@gm2.nl"};
  v1::IssueInvitationsResponse response;
  ASSERT_TRUE(Call(&Stub::IssueInvitations, IssueRequest({}, "all"), response).ok());
  EXPECT_EQ(response.issued(), 5);
  EXPECT_THAT(response.without_contact(), ElementsAre("GM0003", "GM0004", "GM0005"));
  EXPECT_EQ(Get("GM0001").contact(), general);
  EXPECT_EQ(Get("GM0002").contact(), second);
}

TEST_F(InvitationServiceTest, AJointInvitationGoesToAPersonOfAnyOfThemBeforeItGoesToAGeneralAddress) {
  AddContact("GM0001", "info@gm1.nl", v1::CONTACT_KIND_GENERAL);
  const std::string person = AddContact("GM0002", "jansen@gm2.nl", v1::CONTACT_KIND_PERSON);
  v1::IssueInvitationsResponse response;
  ASSERT_TRUE(Call(&Stub::IssueInvitations, IssueRequest({}, "joint", {{"GM0001", "GM0002"}}, true), response).ok());
  EXPECT_EQ(Get("GM0001").contact(), person);
}

TEST_F(InvitationServiceTest, NobodyIsInvitedToWhatIsNotThereOrOver) {
  v1::IssueInvitationsRequest request = IssueRequest({}, "all");
  request.set_parent("surveys/vn/waves/1999");
  v1::IssueInvitationsResponse response;
  EXPECT_EQ(status::Reason(Call(&Stub::IssueInvitations, request, response)), "WAVE_NOT_FOUND");
  now_ += absl::Hours(25);
  const absl::Status closed = Call(&Stub::IssueInvitations, IssueRequest({}, "all"), response);
  EXPECT_EQ(status::Reason(closed), "WAVE_CLOSED");
  EXPECT_THAT(std::string(closed.message()), HasSubstr("woensdag 25 maart 2026 om 10.00 uur"));
}

TEST_F(InvitationServiceTest, RequestsAreCheckedWhole) {
  v1::IssueInvitationsRequest issue = IssueRequest({"GM0001", "GM0001", ""}, "", {{"GM0002"}, {"GM0001", "GM0003"}}, true);
  issue.set_parent("surveys/vn");
  v1::IssueInvitationsResponse issued;
  EXPECT_THAT(WrongFields(Call(&Stub::IssueInvitations, issue, issued)),
              ElementsAre("parent", "municipalities[1]", "municipalities[2]", "joint[0].municipalities", "joint[1].municipalities[0]",
                          "request_id"));
  EXPECT_THAT(WrongFields(Call(&Stub::IssueInvitations, IssueRequest({}, "x", {}, true), issued)), ElementsAre("joint_only"));

  v1::ListInvitationsRequest list;
  list.set_page_size(-1);
  list.set_state(static_cast<v1::InvitationState>(99));
  v1::ListInvitationsResponse listed;
  EXPECT_THAT(WrongFields(Call(&Stub::ListInvitations, list, listed)), ElementsAre("parent", "state", "page_size"));

  v1::GetInvitationRequest get;
  get.set_name("surveys/vn/waves/2026/responses/GM0001");
  v1::GetInvitationResponse got;
  EXPECT_THAT(WrongFields(Call(&Stub::GetInvitation, get, got)), ElementsAre("name"));

  v1::ReissueInvitationRequest reissue;
  reissue.set_contact("jansen@gm1.nl");
  v1::ReissueInvitationResponse reissued;
  EXPECT_THAT(WrongFields(Call(&Stub::ReissueInvitation, reissue, reissued)), ElementsAre("name", "contact", "request_id"));

  v1::RevokeInvitationRequest revoke;
  revoke.set_reason(std::string(1001, 'x'));
  v1::RevokeInvitationResponse revoked;
  EXPECT_THAT(WrongFields(Call(&Stub::RevokeInvitation, revoke, revoked)), ElementsAre("name", "reason", "request_id"));

  v1::InviteColleagueRequest invite;
  invite.set_full_name("Jansen\r\nBcc: jansen");
  invite.set_email("a@b.nl, c@d.nl");
  invite.add_sections(0);
  const absl::Status invited = InviteAs(Administrator(), invite);
  EXPECT_THAT(WrongFields(invited), ElementsAre("response", "full_name", "email", "sections[0]", "request_id"));
  EXPECT_THAT(invited.ToString(), Not(HasSubstr("a@b.nl")));

  class v1::HandOverRequest over;
  over.set_full_name("  ");
  v1::HandOverResponse handed;
  EXPECT_THAT(WrongFields(Call(&Stub::HandOver, over, handed)), ElementsAre("response", "full_name", "email", "request_id"));

  v1::RemoveColleagueRequest remove;
  v1::RemoveColleagueResponse removed;
  EXPECT_THAT(WrongFields(Call(&Stub::RemoveColleague, remove, removed)), ElementsAre("response", "colleague", "request_id"));
  v1::ListColleaguesResponse colleagues;
  EXPECT_THAT(WrongFields(Call(&Stub::ListColleagues, v1::ListColleaguesRequest(), colleagues)), ElementsAre("response"));

  Invite("GM0001");
  EXPECT_THAT(WrongFields(Redeem(Bearer("GM0001"), "Nederlands, graag").status()), ElementsAre("language"));
}

// --- Expiry, and new links.

TEST_F(InvitationServiceTest, AnInvitationExpiresWithItsWaveAndItsGrace) {
  Invite("GM0001");
  SetTimes(now_ - absl::Hours(1), now_ + absl::Hours(1), absl::Hours(2));
  const auto list = [&](v1::InvitationState state) {
    v1::ListInvitationsRequest request;
    request.set_parent(kWave);
    request.set_state(state);
    v1::ListInvitationsResponse response;
    EXPECT_TRUE(Call(&Stub::ListInvitations, request, response).ok());
    return response.invitations_size();
  };
  now_ += absl::Hours(3) - absl::Seconds(1);
  EXPECT_EQ(GetAs("GM0001")->state(), v1::INVITATION_STATE_ISSUED);
  EXPECT_EQ(list(v1::INVITATION_STATE_EXPIRED), 0);
  now_ += absl::Seconds(1);
  EXPECT_EQ(GetAs("GM0001")->state(), v1::INVITATION_STATE_EXPIRED);
  EXPECT_EQ(list(v1::INVITATION_STATE_EXPIRED), 1);
  EXPECT_EQ(list(v1::INVITATION_STATE_ISSUED), 0);
  // More time brings it back.
  SetTimes(now_ - absl::Hours(3), now_ + absl::Hours(1));
  EXPECT_EQ(GetAs("GM0001")->state(), v1::INVITATION_STATE_ISSUED);
  book_.details.wave.clear_closes_at();
  now_ += absl::Hours(24 * 1000);
  EXPECT_EQ(GetAs("GM0001")->state(), v1::INVITATION_STATE_ISSUED);
}

TEST_F(InvitationServiceTest, ANewLinkIsMadeForAContactThatIsThereWhileTheWaveIsOpen) {
  Invite("GM0001");
  const std::string contact = AddContact("GM0001", "jansen@gm1.nl", v1::CONTACT_KIND_PERSON);
  v1::ReissueInvitationRequest request;
  request.set_name(NameOf("GM0001"));
  request.set_contact("municipalities/GM0001/contacts/none");
  request.set_request_id("1");
  v1::ReissueInvitationResponse response;
  EXPECT_EQ(status::Reason(Call(&Stub::ReissueInvitation, request, response)), "CONTACT_NOT_FOUND");
  request.set_contact(contact);
  ASSERT_TRUE(Call(&Stub::ReissueInvitation, request, response).ok());
  EXPECT_EQ(response.invitation().contact(), contact);
  EXPECT_TRUE(Verify(TokenIn(response.link())).ok());

  v1::EraseContactRequest erase;
  erase.set_name(contact);
  erase.set_request_id("erase");
  ASSERT_TRUE(contact_store_.Erase(erase, "keys/admin", {}).ok());
  request.set_request_id("2");
  EXPECT_EQ(status::Reason(Call(&Stub::ReissueInvitation, request, response)), "CONTACT_NOT_FOUND");

  now_ += absl::Hours(25);
  request.clear_contact();
  EXPECT_EQ(status::Reason(Call(&Stub::ReissueInvitation, request, response)), "WAVE_CLOSED");
  // What was answered before is answered again.
  request.set_contact(contact);
  request.set_request_id("1");
  EXPECT_TRUE(Call(&Stub::ReissueInvitation, request, response).ok());
  request.set_name(NameOf("GM0002"));
  request.set_request_id("3");
  EXPECT_EQ(status::Reason(Call(&Stub::ReissueInvitation, request, response)), "INVITATION_NOT_FOUND");
}

// --- Tokens.

TEST_F(InvitationServiceTest, ATokenIsARespondentOfOneResponseForASecond) {
  Invite("GM0001");
  const auto bearer = Verify(TokenOf("GM0001"));
  ASSERT_TRUE(bearer.ok()) << bearer.status();
  EXPECT_EQ(bearer->subject(), NameOf("GM0001") + "/issues/1");
  EXPECT_EQ(bearer->title(), "");
  EXPECT_EQ(bearer->credential(), access::v1::CREDENTIAL_KIND_INVITATION);
  EXPECT_EQ(calendar::FromProto(bearer->expires_at()), now_ + absl::Seconds(1));
  ASSERT_EQ(bearer->grants_size(), 1);
  EXPECT_EQ(bearer->grants(0).role(), access::v1::ROLE_RESPONDENT);
  EXPECT_THAT(bearer->grants(0).resources(), ElementsAre(ResponseOf("GM0001")));
  EXPECT_THAT(bearer->grants(0).sections(), IsEmpty());

  ASSERT_TRUE(invitations_.InviteColleague(ColleagueRequest("GM0001", "jansen", "1", {3, 5}), {}, absl::OkStatus()).ok());
  const auto colleague = Verify(TokenOf("GM0001", "1"));
  ASSERT_TRUE(colleague.ok()) << colleague.status();
  EXPECT_EQ(colleague->subject(), NameOf("GM0001") + "/colleagues/1");
  EXPECT_THAT(colleague->grants(0).resources(), ElementsAre(ResponseOf("GM0001")));
  EXPECT_THAT(colleague->grants(0).sections(), ElementsAre(3, 5));
  // In histories the next holder is somebody else.
  ASSERT_TRUE(Reissue("GM0001", "next").ok());
  EXPECT_EQ(Bearer("GM0001").subject(), NameOf("GM0001") + "/issues/2");
}

TEST_F(InvitationServiceTest, WhatIsNoTokenIsUnknownWhateverItLooksLike) {
  Invite("GM0001");
  const std::string token = TokenOf("GM0001");
  for (const std::string& shown : {std::string(), std::string("peiling_5f2c"), token + "x", std::string(100'000, 'a'), token.substr(1)}) {
    const auto bearer = Verify(shown);
    EXPECT_EQ(bearer.status().code(), absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(status::Reason(bearer.status()), "TOKEN_UNKNOWN");
  }
}

TEST_F(InvitationServiceTest, ATokenHoldsUntilItsWaveIsPastItsPersonalData) {
  Invite("GM0001");
  const std::string token = TokenOf("GM0001");
  now_ += absl::Hours(24 * 91) - absl::Seconds(1);
  EXPECT_TRUE(Verify(token).ok());
  now_ += absl::Seconds(1);
  EXPECT_EQ(status::Reason(Verify(token).status()), "TOKEN_UNKNOWN");
}

TEST_F(InvitationServiceTest, WhileTheWaveIsNotReadAGoodTokenIsNotCalledUnknown) {
  Invite("GM0001");
  const std::string token = TokenOf("GM0001");
  book_.loaded = status::Error(absl::StatusCode::kUnavailable, "WAVE_LOADING", "soon");
  EXPECT_EQ(status::Reason(Verify(token).status()), "WAVE_LOADING");
  EXPECT_EQ(status::Reason(Verify(token.substr(0, token.size() - 43) + std::string(43, 'A')).status()), "TOKEN_UNKNOWN");
}

TEST_F(InvitationServiceTest, LinksWorkWhateverFeedsAndTheFrameAreUpTo) {
  Invite("GM0001");
  book_.caught_up = status::Error(absl::StatusCode::kUnavailable, "WAVE_LOADING", "dedup is down");
  book_.details.frame = nullptr;
  const access::v1::Identity holder = Bearer("GM0001");
  const auto redeemed = Redeem(holder);
  ASSERT_TRUE(redeemed.ok()) << redeemed.status();
  EXPECT_THAT(redeemed->titles(), ElementsAre("GM0001"));
  EXPECT_TRUE(InviteAs(holder, ColleagueRequest("GM0001", "jansen", "1", {2})).ok());
  EXPECT_TRUE(GetAs("GM0001").ok());
  // Who is in the frame has to be known.
  v1::IssueInvitationsResponse response;
  EXPECT_EQ(status::Reason(Call(&Stub::IssueInvitations, IssueRequest({}, "all"), response)), "WAVE_LOADING");
}

// --- Redeeming.

TEST_F(InvitationServiceTest, ShowingALinkMakesTheDraftOnceAndOpensTheInvitation) {
  Invite("GM0001");
  const auto redeemed = Redeem(Bearer("GM0001"));
  ASSERT_TRUE(redeemed.ok()) << redeemed.status();
  EXPECT_EQ(redeemed->wave(), kWave);
  EXPECT_EQ(redeemed->response(), ResponseOf("GM0001"));
  EXPECT_THAT(redeemed->municipalities(), ElementsAre("GM0001"));
  EXPECT_THAT(redeemed->titles(), ElementsAre("Gemeente GM0001"));
  EXPECT_THAT(redeemed->sections(), IsEmpty());
  EXPECT_TRUE(redeemed->holder());
  EXPECT_FALSE(redeemed->read_only());
  EXPECT_EQ(calendar::FromProto(redeemed->closes_at()), now_ + absl::Hours(24));
  const absl::Time opened = now_;
  EXPECT_EQ(Get("GM0001").response(), ResponseOf("GM0001"));

  now_ += absl::Hours(1);
  const uint64_t version = Version();
  ASSERT_TRUE(Redeem(Bearer("GM0001")).ok());
  EXPECT_EQ(Version(), version);
  EXPECT_EQ(calendar::FromProto(Get("GM0001").opened_at()), opened);
  ASSERT_TRUE(Redeem(Bearer("GM0001"), "fy").ok());
  // Intake is asked until there is a draft.
  ASSERT_EQ(drafts_asked_.size(), 1);
  EXPECT_EQ(drafts_asked_[0].parent(), kWave);
  EXPECT_EQ(drafts_asked_[0].response_id(), "GM0001");
  EXPECT_EQ(drafts_asked_[0].language(), "nl");
  EXPECT_LE(drafts_asked_[0].request_id().size(), 100);
}

TEST_F(InvitationServiceTest, ADraftWhoseMakingWasNotNotedIsFoundInWhateverLanguage) {
  Invite("GM0001");
  const access::v1::Identity holder = Bearer("GM0001");
  watched_.fail_next = true;
  EXPECT_FALSE(Redeem(holder, "nl").ok());
  EXPECT_EQ(Get("GM0001").response(), "");
  ASSERT_TRUE(Redeem(holder, "fy").ok());
  ASSERT_EQ(drafts_asked_.size(), 2);
  EXPECT_EQ(drafts_asked_[1].language(), "fy");
  // Another content with the same id would be refused.
  EXPECT_NE(drafts_asked_[0].request_id(), drafts_asked_[1].request_id());
  EXPECT_EQ(Get("GM0001").response(), ResponseOf("GM0001"));
}

TEST_F(InvitationServiceTest, AJointInvitationThatIsChangedShowsNobodyWhatWasFilledInForOthers) {
  ASSERT_TRUE(Issue(IssueRequest({}, "joint", {{"GM0001", "GM0002"}}, true)).ok());
  ASSERT_EQ(Redeem(Bearer("GM0001"))->response(), ResponseOf("GM0001"));
  ASSERT_TRUE(Revoke("GM0001", "revoke").ok());
  ASSERT_TRUE(Issue(IssueRequest({"GM0001"}, "alone")).ok());
  const access::v1::Identity alone = Bearer("GM0001-2");
  EXPECT_THAT(alone.grants(0).resources(), ElementsAre(ResponseOf("GM0001-2")));
  const auto redeemed = Redeem(alone);
  ASSERT_TRUE(redeemed.ok()) << redeemed.status();
  EXPECT_EQ(redeemed->response(), ResponseOf("GM0001-2"));
  EXPECT_THAT(redeemed->municipalities(), ElementsAre("GM0001"));
  EXPECT_EQ(status::Reason(Verify(TokenOf("GM0001-2")).status()), "");
  // Together again they go on where they were.
  ASSERT_TRUE(Revoke("GM0001-2", "revoke alone").ok());
  ASSERT_TRUE(Issue(IssueRequest({}, "together", {{"GM0002", "GM0001"}}, true)).ok());
  EXPECT_EQ(Redeem(Bearer("GM0001"))->response(), ResponseOf("GM0001"));
  EXPECT_EQ(status::Reason(Redeem(alone).status()), "TOKEN_UNKNOWN");
}

TEST_F(InvitationServiceTest, AFewWaitForASlowIntakeAndTheOthersGoOn) {
  const std::vector<std::string> codes = {"GM0001", "GM0002", "GM0003", "GM0004", "GM0005"};
  ASSERT_TRUE(Issue(IssueRequest(codes, "all")).ok());
  std::mutex mutex;
  std::condition_variable changed;
  int waiting = 0;
  bool slow = true;
  EXPECT_CALL(drafts_, CreateDraft(_, _, _)).WillRepeatedly([&](auto*, const auto& request, auto* response) {
    std::unique_lock lock(mutex);
    ++waiting;
    changed.notify_all();
    changed.wait(lock, [&] { return !slow; });
    response->mutable_draft()->set_name(absl::StrCat(request.parent(), "/responses/", request.response_id()));
    return grpc::Status::OK;
  });
  const access::v1::Identity holder = Bearer("GM0001");
  std::vector<std::thread> opening;
  for (int i = 0; i < InvitationService::kMostAtIntake; ++i) {
    opening.emplace_back([&] { EXPECT_TRUE(Redeem(holder).ok()); });
  }
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return waiting == InvitationService::kMostAtIntake; }));
  }
  const auto refused = Redeem(Bearer("GM0002"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status::Reason(refused.status()), "TOO_MANY_AT_ONCE");
  {
    const std::lock_guard lock(mutex);
    slow = false;
    changed.notify_all();
  }
  for (std::thread& each : opening) each.join();
  EXPECT_TRUE(Redeem(Bearer("GM0002")).ok());
}

TEST_F(InvitationServiceTest, AJointLinkMakesOneDraftForAllItsMunicipalities) {
  ASSERT_TRUE(Issue(IssueRequest({}, "joint", {{"GM0003", "GM0002"}}, true)).ok());
  const auto redeemed = Redeem(Bearer("GM0002"));
  ASSERT_TRUE(redeemed.ok()) << redeemed.status();
  EXPECT_THAT(redeemed->municipalities(), ElementsAre("GM0002", "GM0003"));
  EXPECT_THAT(redeemed->titles(), ElementsAre("Gemeente GM0002", "Gemeente GM0003"));
  EXPECT_EQ(redeemed->response(), ResponseOf("GM0002"));
  EXPECT_THAT(drafts_asked_[0].municipalities(), ElementsAre("GM0002", "GM0003"));
}

TEST_F(InvitationServiceTest, AColleagueIsToldTheirSections) {
  Invite("GM0001");
  ASSERT_TRUE(invitations_.InviteColleague(ColleagueRequest("GM0001", "jansen", "1", {3, 5}), {}, absl::OkStatus()).ok());
  const auto redeemed = Redeem(Bearer("GM0001", "1"));
  ASSERT_TRUE(redeemed.ok()) << redeemed.status();
  EXPECT_THAT(redeemed->sections(), ElementsAre(3, 5));
  EXPECT_FALSE(redeemed->holder());
  EXPECT_EQ(Get("GM0001").state(), v1::INVITATION_STATE_ISSUED);
  EXPECT_EQ(Get("GM0001").response(), ResponseOf("GM0001"));
}

TEST_F(InvitationServiceTest, BeforeTheWaveOpensALinkOpensNothing) {
  Invite("GM0001");
  SetTimes(now_ + absl::Hours(1), now_ + absl::Hours(2));
  EXPECT_EQ(status::Reason(Redeem(Bearer("GM0001")).status()), "WAVE_PLANNED");
  EXPECT_EQ(Get("GM0001").state(), v1::INVITATION_STATE_ISSUED);
}

TEST_F(InvitationServiceTest, AfterTheWaveALinkShowsWhatWasFilledInAndNoMore) {
  Invite("GM0001");
  Invite("GM0002");
  SetTimes(now_ - absl::Hours(1), now_ + absl::Hours(1), absl::Hours(1));
  ASSERT_TRUE(Redeem(Bearer("GM0001")).ok());
  now_ += absl::Minutes(90);
  // In its grace: what was begun can be finished, nothing is begun.
  const auto begun = Redeem(Bearer("GM0001"));
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_FALSE(begun->read_only());
  EXPECT_EQ(calendar::FromProto(begun->closes_at()), now_ + absl::Minutes(30));
  const auto late = Redeem(Bearer("GM0002"));
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_TRUE(late->read_only());
  EXPECT_EQ(late->response(), "");
  EXPECT_TRUE(Get("GM0002").has_opened_at());
  now_ += absl::Minutes(30);
  const auto over = Redeem(Bearer("GM0001"));
  ASSERT_TRUE(over.ok()) << over.status();
  EXPECT_TRUE(over->read_only());
  EXPECT_EQ(over->response(), ResponseOf("GM0001"));
}

TEST_F(InvitationServiceTest, OnlyTheBearerOfALinkThatHoldsRedeems) {
  Invite("GM0001");
  const access::v1::Identity bearer = Bearer("GM0001");
  EXPECT_EQ(status::Reason(Redeem(Administrator()).status()), "NO_INVITATION");
  EXPECT_EQ(status::Reason(Redeem({}).status()), "NO_INVITATION");
  EXPECT_EQ(status::Reason(Redeem(Caller(NameOf("GM0002") + "/issues/1", access::v1::ROLE_RESPONDENT, ResponseOf("GM0002"))).status()),
            "TOKEN_UNKNOWN");
  // As a gateway may remember it for a moment.
  ASSERT_TRUE(Reissue("GM0001", "again").ok());
  EXPECT_EQ(status::Reason(Redeem(bearer).status()), "TOKEN_UNKNOWN");
  const access::v1::Identity next = Bearer("GM0001");
  ASSERT_TRUE(Revoke("GM0001", "revoke").ok());
  EXPECT_EQ(status::Reason(Redeem(next).status()), "TOKEN_UNKNOWN");
  EXPECT_THAT(drafts_asked_, IsEmpty());
}

TEST_F(InvitationServiceTest, WithoutIntakeNothingIsOpened) {
  Invite("GM0001");
  EXPECT_CALL(drafts_, CreateDraft(_, _, _)).WillOnce([](auto*, const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "down");
  });
  EXPECT_EQ(Redeem(Bearer("GM0001")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Get("GM0001").state(), v1::INVITATION_STATE_ISSUED);
}

// --- Colleagues.

TEST_F(InvitationServiceTest, OnlyTheHolderOrAnAdministratorManagesColleagues) {
  Invite("GM0001");
  Invite("GM0002");
  ASSERT_TRUE(InviteColleague("GM0001", "jansen", "0").ok());
  struct Case {
    std::string what;
    access::v1::Identity caller;
    bool may;
  };
  const std::vector<Case> cases = {
      {"a colleague", Bearer("GM0001", "1"), false},
      {"the holder", Bearer("GM0001"), true},
      {"an administrator", Administrator(), true},
      {"an administrator of the survey", Administrator("surveys/vn"), true},
      {"the holder of another", Bearer("GM0002"), false},
      {"an administrator of another survey", Administrator("surveys/v"), false},
      {"a respondent by key", Caller("keys/5f2c", access::v1::ROLE_RESPONDENT, ResponseOf("GM0001")), false},
      {"nobody", {}, false},
  };
  int requests = 0;
  for (const Case& one : cases) {
    v1::ListColleaguesRequest list;
    list.set_response(ResponseOf("GM0001"));
    v1::ListColleaguesResponse listed;
    const absl::Status listing = Call(&Stub::ListColleagues, list, listed, one.caller);
    if (one.what == "the holder of another") {
      EXPECT_EQ(status::Reason(listing), "NOT_THE_HOLDER");
    } else {
      ASSERT_TRUE(listing.ok()) << one.what << listing;
      EXPECT_EQ(listed.colleagues(0).full_name(), "jansen") << one.what;
      EXPECT_EQ(listed.colleagues(0).email().empty(), !one.may) << one.what;
    }

    const std::string id = absl::StrCat("request ", ++requests);
    const absl::Status invited = InviteAs(one.caller, ColleagueRequest("GM0001", "pietersen", id + " invite"));
    v1::RemoveColleagueRequest remove;
    remove.set_response(ResponseOf("GM0001"));
    remove.set_colleague("1");
    remove.set_request_id(id + " remove");
    v1::RemoveColleagueResponse removed;
    const absl::Status removing = Call(&Stub::RemoveColleague, remove, removed, one.caller);
    v1::HandOverResponse handed;
    const absl::Status handing = Call(&Stub::HandOver, HandOverRequest("GM0001", "dekker", id + " over"), handed, one.caller);
    for (const absl::Status& status : {invited, removing, handing}) {
      EXPECT_EQ(status.ok(), one.may) << one.what << ": " << status;
      if (one.may) continue;
      EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << one.what;
      EXPECT_EQ(status::Reason(status), "NOT_THE_HOLDER") << one.what;
    }
  }
}

TEST_F(InvitationServiceTest, ColleaguesAreInvitedToSectionsThereAre) {
  Invite("GM0001");
  EXPECT_CALL(intake_, GetQuestionnaire(_, _, _)).Times(1);
  EXPECT_THAT(WrongFields(InviteAs(Bearer("GM0001"), ColleagueRequest("GM0001", "jansen", "1", {1, 23, 22, 99}))),
              ElementsAre("sections[1]", "sections[3]"));
  EXPECT_TRUE(InviteAs(Bearer("GM0001"), ColleagueRequest("GM0001", "jansen", "2", {22})).ok());
}

TEST_F(InvitationServiceTest, ColleaguesAndNewHoldersComeWhileTheWaveIsOpenAndGoAlsoAfter) {
  Invite("GM0001");
  const access::v1::Identity holder = Bearer("GM0001");
  ASSERT_TRUE(InviteAs(holder, ColleagueRequest("GM0001", "jansen", "1")).ok());
  now_ += absl::Hours(24);
  EXPECT_EQ(status::Reason(InviteAs(holder, ColleagueRequest("GM0001", "pietersen", "2"))), "WAVE_CLOSED");
  EXPECT_TRUE(InviteAs(holder, ColleagueRequest("GM0001", "jansen", "1")).ok());
  v1::HandOverResponse handed;
  EXPECT_EQ(status::Reason(Call(&Stub::HandOver, HandOverRequest("GM0001", "dekker", "3"), handed, holder)), "WAVE_CLOSED");
  v1::RemoveColleagueRequest remove;
  remove.set_response(ResponseOf("GM0001"));
  remove.set_colleague("1");
  remove.set_request_id("4");
  v1::RemoveColleagueResponse removed;
  EXPECT_TRUE(Call(&Stub::RemoveColleague, remove, removed, holder).ok());
}

TEST_F(InvitationServiceTest, TheNewHolderIsOneAndTheOldOneIsNot) {
  Invite("GM0001");
  const std::string old_token = TokenOf("GM0001");
  v1::HandOverResponse handed;
  ASSERT_TRUE(Call(&Stub::HandOver, HandOverRequest("GM0001", "dekker", "1"), handed, Bearer("GM0001")).ok());
  EXPECT_TRUE(handed.invitation().handed_over());
  EXPECT_EQ(status::Reason(Verify(old_token).status()), "TOKEN_UNKNOWN");
  EXPECT_TRUE(InviteAs(Bearer("GM0001", "holder"), ColleagueRequest("GM0001", "jansen", "2")).ok());
}

TEST_F(InvitationServiceTest, NamesThatReadAsLinksAreNotMailedToStrangers) {
  Invite("GM0001");
  const access::v1::Identity holder = Bearer("GM0001");
  for (const char* const name :
       {"Klik hier: http:x.nl", "Gratis! WWW.win.nl", "a@b.nl", "Jansen/Pietersen", "hTTps", "Jan\nsen", "Jan\rsen",
        "Log in op vng-peiling.nl", "t.co", "A.B.Jansen", "St.Jansen", "bücher.de", "peiling.xn--90a", "nog.een.j"}) {
    EXPECT_THAT(WrongFields(InviteAs(holder, ColleagueRequest("GM0001", name, "1"))), testing::Contains("full_name")) << name;
    v1::HandOverResponse handed;
    EXPECT_THAT(WrongFields(Call(&Stub::HandOver, HandOverRequest("GM0001", name, "2"), handed, holder)), testing::Contains("full_name"));
  }
  for (const char* const name : {"Mw. drs. A.-M. d'Ancona (beleid & regie), 's-Hertogenbosch", "J.A. Jansen", "A.B.C. de Vries",
                                 "Jansen, P.H.", "Th.J. van Dam", "St. Jansen", "Jansen (afd. 3.1)", ".Jansen", "Jansen."}) {
    v1::InviteColleagueRequest request = ColleagueRequest("GM0001", "x", name);
    request.set_full_name(name);
    EXPECT_TRUE(InviteAs(holder, request).ok()) << name;
  }
}

}  // namespace
}  // namespace peiling::fieldwork
