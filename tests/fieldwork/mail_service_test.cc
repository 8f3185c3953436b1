// Mail as callers see it: what requests must look like, what works while feeds are behind, and how the mail of a wave stands.
#include "services/fieldwork/mail/mail_service.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "services/common/deadline/deadline.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/waves/live_book.h"
#include "tests/fieldwork/outbox_setting.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

using Stub = v1::MailService::StubInterface;

std::string InvitationOf(const std::string& code) { return absl::StrCat(kWave, "/invitations/", code); }

class MailServiceTest : public OutboxSetting {
 protected:
  void SetUp() override {
    OutboxSetting::SetUp();
    wave_.set_name(kWave);
    survey::v1::MailingStep& step = *wave_.mutable_mailing_plan()->add_steps();
    step.set_id("uitnodiging");
    step.set_kind(survey::v1::MAIL_KIND_INVITATION);
    auto frame = std::make_shared<Frame>();
    for (const char* code : {"GM0001", "GM0002", "GM0003", "GM0004"}) frame->municipalities.emplace_back().set_code(code);
    frame_ = frame;
    service_ = std::make_unique<MailService>(MailParts{book_, invitations_, *outbox_, plan_policy_, suppressions_, unsubscriber_});
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = v1::MailService::NewStub(server_->InProcessChannel({}));
  }
  void TearDown() override { server_->Shutdown(); }

  // The wave is known, and what became of its responses is not (yet).
  void OpenWave() {
    book_.Open(wave_);
    book_.SetFrame(kWave, frame_);
    book_.SetListed();
  }
  void CatchUp() {
    book_.SetCaughtUp(kWave, 0);
    book_.SetCaughtUp(kWave, LiveBook::kRecordFeed);
  }

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request,
                    Response& response) {
    grpc::ClientContext context;
    deadline::Set(context, std::chrono::seconds(20));
    response.Clear();
    return status::FromGrpc((*stub_.*method)(&context, request, &response));
  }
  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request) {
    Response response;
    return Call(method, request, response);
  }

  // What the service says is wrong with a request that is right but for `spoil`.
  template <typename Request, typename Response>
  std::vector<std::string> Wrong(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), Request request,
                                 const std::function<void(Request&)>& spoil) {
    spoil(request);
    const absl::Status refused = Call(method, request);
    std::vector<std::string> fields;
    for (const auto& [field, description] : status::FieldViolations(refused)) fields.push_back(field);
    EXPECT_EQ(fields.empty(), status::Reason(refused) != "INVALID_REQUEST") << refused;
    return fields;
  }

  intake::v1::Wave wave_;
  std::shared_ptr<const Frame> frame_;
  LiveBook book_;
  const calendar::Clock clock_ = [this] { return now_.load(); };
  std::unique_ptr<storage::Store> people_ = *storage::OpenStore("sqlite::memory:", "fieldwork");
  ContactStore contacts_{*people_, *vault_, clock_};
  InvitationStore invitations_{*people_, *vault_, "https://peiling.example.nl/deelnemen#{token}", clock_};
  SuppressionList suppressions_{*people_, contacts_, clock_};
  Unsubscriber unsubscriber_{*vault_, suppressions_, "https://peiling.example.nl"};
  PlanPolicy plan_policy_{
      {book_, invitations_, contacts_, suppressions_, clock_}, unsubscriber_, nullptr, "https://peiling.example.nl/{token}"};
  std::unique_ptr<MailService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Stub> stub_;
};

v1::LeaseMailRequest LeaseRequest() {
  v1::LeaseMailRequest request;
  request.set_parent(kWave);
  request.set_request_id("R");
  return request;
}
template <typename Request>
Request UnderLease() {
  Request request;
  request.set_parent(kWave);
  request.set_lease_id("L");
  return request;
}
v1::BeginMailRequest BeginRequest() {
  auto request = UnderLease<v1::BeginMailRequest>();
  request.add_messages(NameOf("GM0001.u.1"));
  return request;
}
v1::CompleteMailRequest CompleteRequest() {
  auto request = UnderLease<v1::CompleteMailRequest>();
  request.add_outcomes()->set_message(NameOf("GM0001.u.1"));
  return request;
}
v1::ReportDeliveryEventsRequest ReportRequest() {
  v1::ReportDeliveryEventsRequest request;
  request.set_parent(kWave);
  request.add_events()->set_message(NameOf("GM0001.u.1"));
  return request;
}
v1::ListMessagesRequest ListRequest() {
  v1::ListMessagesRequest request;
  request.set_parent(kWave);
  return request;
}
v1::PreviewMailRequest PreviewRequest() {
  v1::PreviewMailRequest request;
  request.set_parent(kWave);
  request.set_step("uitnodiging");
  return request;
}
v1::CreateSuppressionRequest CreateRequest() {
  v1::CreateSuppressionRequest request;
  request.set_address("a@example.nl");
  request.set_request_id("R");
  return request;
}
v1::DeleteSuppressionRequest DeleteRequest() {
  v1::DeleteSuppressionRequest request;
  request.set_name("suppressions/a");
  request.set_request_id("R");
  return request;
}

TEST_F(MailServiceTest, NamesEveryFieldThatIsWrongWithALease) {
  OpenWave();
  CatchUp();
  const auto lease = [&](const std::function<void(v1::LeaseMailRequest&)>& spoil) {
    return Wrong(&Stub::LeaseMail, LeaseRequest(), spoil);
  };
  EXPECT_THAT(lease([](auto&) {}), IsEmpty());
  for (const char* parent : {"", "surveys/vn", "surveys/vn/waves/", "surveys/vn/waves/2026/messages/a", "waves/2026"}) {
    EXPECT_THAT(lease([&](auto& request) { request.set_parent(parent); }), ElementsAre("parent")) << parent;
  }
  EXPECT_THAT(lease([](auto& request) { request.set_max_messages(-1); }), ElementsAre("max_messages"));
  EXPECT_THAT(lease([](auto& request) { request.set_max_messages(1'000'000); }), IsEmpty());
  const struct {
    int64_t seconds;
    int32_t nanos;
    bool right;
  } kDurations[] = {{1, 0, true},   {3600, 0, true},  {3599, 999'999'999, true}, {0, 0, false},  {0, 999'999'999, false},
                    {-1, 0, false}, {3600, 1, false}, {3601, 0, false},          {1, -1, false}, {1, 1'000'000'000, false}};
  for (const auto& duration : kDurations) {
    const auto wrong = lease([&](auto& request) {
      request.set_request_id(absl::StrCat("R ", duration.seconds, " ", duration.nanos));
      request.mutable_lease_duration()->set_seconds(duration.seconds);
      request.mutable_lease_duration()->set_nanos(duration.nanos);
    });
    EXPECT_EQ(wrong.empty(), duration.right) << duration.seconds << " " << duration.nanos;
    if (!duration.right) {
      EXPECT_THAT(wrong, ElementsAre("lease_duration"));
    }
  }
  for (const std::string& id : {std::string(), std::string(101, 'a')}) {
    EXPECT_THAT(lease([&](auto& request) { request.set_request_id(id); }), ElementsAre("request_id"));
  }
  EXPECT_THAT(lease([](auto& request) {
                request.Clear();
                request.set_max_messages(-1);
              }),
              UnorderedElementsAreArray({"parent", "max_messages", "request_id"}));
}

TEST_F(MailServiceTest, NamesEveryFieldThatIsWrongWithWhatIsSentOrReported) {
  OpenWave();
  CatchUp();
  const auto begin = [&](const std::function<void(v1::BeginMailRequest&)>& spoil) {
    return Wrong(&Stub::BeginMail, BeginRequest(), spoil);
  };
  EXPECT_THAT(begin([](auto&) {}), IsEmpty());
  EXPECT_THAT(begin([](auto& request) { request.clear_lease_id(); }), ElementsAre("lease_id"));
  EXPECT_THAT(begin([](auto& request) { request.set_lease_id(std::string(101, 'a')); }), ElementsAre("lease_id"));
  EXPECT_THAT(begin([](auto& request) { request.clear_messages(); }), ElementsAre("messages"));
  for (const int size : {1000, 1001}) {
    const auto wrong = begin([&](auto& request) {
      while (request.messages_size() < size) request.add_messages("x");
    });
    EXPECT_EQ(wrong.empty(), size == 1000);
  }

  const auto complete = [&](const std::function<void(v1::CompleteMailRequest&)>& spoil) {
    return Wrong(&Stub::CompleteMail, CompleteRequest(), spoil);
  };
  EXPECT_THAT(complete([](auto&) {}), IsEmpty());
  EXPECT_THAT(complete([](auto& request) { request.set_parent("surveys/vn"); }), ElementsAre("parent"));
  EXPECT_THAT(complete([](auto& request) { request.clear_lease_id(); }), ElementsAre("lease_id"));
  EXPECT_THAT(complete([](auto& request) { request.clear_outcomes(); }), ElementsAre("outcomes"));

  const auto report = [&](const std::function<void(v1::ReportDeliveryEventsRequest&)>& spoil) {
    return Wrong(&Stub::ReportDeliveryEvents, ReportRequest(), spoil);
  };
  EXPECT_THAT(report([](auto&) {}), IsEmpty());
  EXPECT_THAT(report([](auto& request) { request.clear_parent(); }), ElementsAre("parent"));
  EXPECT_THAT(report([](auto& request) { request.clear_events(); }), ElementsAre("events"));
}

TEST_F(MailServiceTest, NamesEveryFieldThatIsWrongWithWhatIsLookedAt) {
  OpenWave();
  CatchUp();
  const auto list = [&](const std::function<void(v1::ListMessagesRequest&)>& spoil) {
    return Wrong(&Stub::ListMessages, ListRequest(), spoil);
  };
  EXPECT_THAT(list([](auto&) {}), IsEmpty());
  EXPECT_THAT(list([](auto& request) { request.set_state(static_cast<v1::MessageState>(99)); }), ElementsAre("state"));
  EXPECT_THAT(list([](auto& request) { request.set_step("a/b"); }), ElementsAre("step"));
  EXPECT_THAT(list([](auto& request) { request.set_invitation("GM0001"); }), ElementsAre("invitation", "invitation"));
  EXPECT_THAT(list([](auto& request) { request.set_invitation("surveys/vn/waves/2022/invitations/GM0001"); }), ElementsAre("invitation"));
  EXPECT_THAT(list([](auto& request) { request.set_invitation(InvitationOf("GM0001")); }), IsEmpty());
  EXPECT_THAT(list([](auto& request) { request.set_page_size(-1); }), ElementsAre("page_size"));
  EXPECT_THAT(list([](auto& request) { request.set_page_token("x"); }), ElementsAre("page_token"));

  EXPECT_THAT(Wrong<v1::GetMessageRequest>(&Stub::GetMessage, {}, [](auto& request) { request.set_name("GM0001.u.1"); }),
              ElementsAre("name"));
  EXPECT_THAT(Wrong<v1::GetMailStatusRequest>(&Stub::GetMailStatus, {}, [](auto& request) { request.set_parent("2026"); }),
              ElementsAre("parent"));

  const auto preview = [&](const std::function<void(v1::PreviewMailRequest&)>& spoil) {
    return Wrong(&Stub::PreviewMail, PreviewRequest(), spoil);
  };
  EXPECT_THAT(preview([](auto& request) { request.clear_step(); }), ElementsAre("step"));
  EXPECT_THAT(preview([](auto& request) { request.set_invitation(InvitationOf("GM0001")); }), ElementsAre("invitation"));
  EXPECT_THAT(preview([](auto& request) { request.set_language(std::string(36, 'a')); }), ElementsAre("language"));
}

TEST_F(MailServiceTest, NamesEveryFieldThatIsWrongWithASuppression) {
  EXPECT_THAT(Wrong<v1::ListSuppressionsRequest>(&Stub::ListSuppressions, {}, [](auto& request) { request.set_page_size(-1); }),
              ElementsAre("page_size"));
  EXPECT_THAT(Wrong<v1::FindSuppressionRequest>(&Stub::FindSuppression, {}, [](auto& request) { request.set_address("a"); }),
              ElementsAre("address"));
  const auto create = [&](const std::function<void(v1::CreateSuppressionRequest&)>& spoil) {
    return Wrong(&Stub::CreateSuppression, CreateRequest(), spoil);
  };
  EXPECT_THAT(create([](auto& request) { request.set_address("a@b@c"); }), ElementsAre("address"));
  EXPECT_THAT(create([](auto& request) { request.set_reason(static_cast<v1::SuppressionReason>(99)); }), ElementsAre("reason"));
  EXPECT_THAT(create([](auto& request) { request.clear_request_id(); }), ElementsAre("request_id"));
  const auto remove = [&](const std::function<void(v1::DeleteSuppressionRequest&)>& spoil) {
    return Wrong(&Stub::DeleteSuppression, DeleteRequest(), spoil);
  };
  EXPECT_THAT(remove([](auto& request) { request.set_name("a@example.nl"); }), ElementsAre("name"));
  EXPECT_THAT(remove([](auto& request) { request.clear_request_id(); }), ElementsAre("request_id"));
}

TEST_F(MailServiceTest, RepeatsNoAddressInAnError) {
  for (const auto& refused : {Call(&Stub::FindSuppression,
                                   [] {
                                     v1::FindSuppressionRequest request;
                                     request.set_address("jansen@@example.nl");
                                     return request;
                                   }()),
                              Call(&Stub::CreateSuppression, [] {
                                auto request = CreateRequest();
                                request.set_address("jansen@@example.nl");
                                return request;
                              }())}) {
    EXPECT_EQ(refused.ToString().find("jansen"), std::string::npos) << refused;
    for (const auto& [field, description] : status::FieldViolations(refused)) EXPECT_EQ(description.find("jansen"), std::string::npos);
  }
}

TEST_F(MailServiceTest, TakesWhatBecameOfMailWhileFeedsAreBehind) {
  Add({"GM0001.u.1", "GM0002.u.1"});
  const auto lease = Lease();
  Begin(lease.lease_id(), "GM0001.u.1");
  v1::CompleteMailRequest complete = CompleteRequest();
  complete.set_lease_id(lease.lease_id());
  *complete.mutable_outcomes(0) = Sent("GM0001.u.1");
  v1::ReportDeliveryEventsRequest report = ReportRequest();
  *report.mutable_events(0) = Event("GM0001.u.1", v1::DELIVERY_EVENT_KIND_DELIVERED);
  v1::CompleteMailResponse completed;
  v1::ReportDeliveryEventsResponse reported;
  v1::ListMessagesResponse listed;
  // Nothing is known of any wave, then something of this one.
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(status::Reason(Call(&Stub::LeaseMail, LeaseRequest())), "WAVE_LOADING");
    EXPECT_EQ(status::Reason(Call(&Stub::BeginMail, BeginRequest())), "WAVE_LOADING");
    const v1::MailResult wanted = i == 0 ? v1::MAIL_RESULT_OK : v1::MAIL_RESULT_REPEATED;
    EXPECT_TRUE(Call(&Stub::CompleteMail, complete, completed).ok());
    EXPECT_EQ(completed.results(0).result(), wanted);
    EXPECT_TRUE(Call(&Stub::ReportDeliveryEvents, report, reported).ok());
    EXPECT_EQ(reported.results(0).result(), wanted);
    EXPECT_TRUE(Call(&Stub::ListMessages, ListRequest(), listed).ok());
    EXPECT_EQ(listed.messages_size(), 2);
    OpenWave();
  }
  // A wave that is none is none.
  const auto elsewhere = [](auto request) {
    request.set_parent("surveys/vn/waves/2030");
    return request;
  };
  EXPECT_EQ(status::Reason(Call(&Stub::CompleteMail, elsewhere(complete))), "WAVE_NOT_FOUND");
  EXPECT_EQ(status::Reason(Call(&Stub::ReportDeliveryEvents, elsewhere(report))), "WAVE_NOT_FOUND");
  EXPECT_EQ(status::Reason(Call(&Stub::ListMessages, elsewhere(ListRequest()))), "WAVE_NOT_FOUND");
}

TEST_F(MailServiceTest, SaysWhoHasNobodyToWriteTo) {
  OpenWave();
  CatchUp();
  v1::IssueInvitationsRequest issue;
  issue.set_parent(kWave);
  issue.set_request_id("issue");
  const auto contact_of = [](const v1::Invitation& invitation) -> absl::StatusOr<std::string> {
    const std::string& code = invitation.municipalities(0);
    return code == "GM0001" ? std::string() : absl::StrCat("municipalities/", code, "/contacts/a");
  };
  ASSERT_TRUE(invitations_.Issue(issue, *frame_, contact_of, absl::OkStatus()).ok());
  for (const char* code : {"GM0003", "GM0004"}) {
    v1::HandOverRequest request;
    request.set_response(absl::StrCat(kWave, "/responses/", code));
    request.set_full_name("A. Jansen");
    request.set_email(absl::StrCat("jansen@", code, ".nl"));
    request.set_request_id(code);
    ASSERT_TRUE(invitations_.HandOver(request, {}, absl::OkStatus()).ok());
  }
  v1::GetMailStatusRequest request;
  request.set_parent(kWave);
  v1::GetMailStatusResponse response;
  ASSERT_TRUE(Call(&Stub::GetMailStatus, request, response).ok());
  EXPECT_THAT(response.without_contact(), ElementsAre("GM0001"));
  // Mail to who took over comes back: the contacts before have no link any more.
  v1::CreateSuppressionRequest suppress = CreateRequest();
  suppress.set_address("jansen@gm0003.nl");
  ASSERT_TRUE(Call(&Stub::CreateSuppression, suppress).ok());
  Add({"GM0002.u.1"});
  ASSERT_TRUE(Call(&Stub::GetMailStatus, request, response).ok());
  EXPECT_THAT(response.without_contact(), ElementsAre("GM0001", "GM0003"));
  EXPECT_EQ(response.suppressed(), 1);
  ASSERT_EQ(response.steps_size(), 1);
  EXPECT_EQ(response.steps(0).step(), "uitnodiging");
  ASSERT_EQ(response.steps(0).states_size(), 1);
  EXPECT_EQ(response.steps(0).states(0).state(), v1::MESSAGE_STATE_DUE);
  EXPECT_EQ(response.steps(0).states(0).count(), 1);
}

}  // namespace
}  // namespace peiling::fieldwork
