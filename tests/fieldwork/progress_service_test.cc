#include "services/fieldwork/progress/progress_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "grpcpp/grpcpp.h"
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"
#include "tests/fieldwork/progress_setting.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class FakeBook final : public WaveBook {
 public:
  std::map<std::string, std::shared_ptr<WaveDetails>> waves;
  std::set<std::string> submitted;

  std::vector<std::string> Waves() const override {
    std::vector<std::string> names;
    for (const auto& [name, wave] : waves) names.push_back(name);
    return names;
  }
  absl::StatusOr<std::shared_ptr<const WaveDetails>> Get(const std::string& wave) const override {
    const auto found = waves.find(wave);
    if (found == waves.end()) return status::Error(absl::StatusCode::kNotFound, "WAVE_NOT_FOUND", "there is no such wave");
    return found->second;
  }
  absl::StatusOr<std::shared_ptr<const WaveDetails>> Details(const std::string& wave) const override { return Get(wave); }
  std::optional<ResponseStand> Response(const std::string&, const std::string&) const override { return std::nullopt; }
  void ForEachResponse(const std::string&, const std::function<void(const std::string&, const ResponseStand&)>&) const override {}
  bool HasSubmittedRecord(const std::string&, const std::string& municipality) const override { return submitted.contains(municipality); }
  uint64_t Version(const std::string&) const override { return 1; }
  uint64_t AwaitChange(uint64_t, absl::Duration) const override { return 1; }
};

// Says of every wave that as many percent as its year minus 2000 responded at its end, and 5 percent on any day before; of those that are
// down nothing.
class FakeAnalytics final : public analytics::v1::AnalyticsService::Service {
 public:
  std::set<std::string> down;

  grpc::Status GetProgress(grpc::ServerContext*, const analytics::v1::GetProgressRequest* request,
                           analytics::v1::GetProgressResponse* response) override {
    const std::string year = request->parent().substr(request->parent().size() - 4);
    if (down.contains(year)) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "down");
    auto& line = *response->mutable_progress()->add_lines();
    line.set_stratum("total");
    line.set_code("total");
    line.set_usable(2);
    line.set_response_percent(request->as_of().empty() ? std::stoi(year) - 2000 : 5);
    *response->mutable_progress()->add_notices() = "Verzonnen antwoorden.";
    std::lock_guard lock(mutex_);
    asked_.push_back(year + " " + request->as_of());
    return grpc::Status::OK;
  }
  std::vector<std::string> TakeAsked() {
    std::lock_guard lock(mutex_);
    return std::exchange(asked_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> asked_;
};

class ProgressServiceTest : public testing::Test {
 protected:
  ProgressServiceTest() {
    book_.waves[kWave] = MakeWave();
    AddWave("surveys/s/waves/2022", "2022-09-05", "2022-10-03");
    AddWave("surveys/s/waves/2019", "2019-09-02", "2019-09-20");
    AddWave("surveys/s/waves/2030", "2030-09-02", "");
    AddWave("surveys/other/waves/2021", "2021-09-02", "");
    grpc::ServerBuilder builder;
    builder.RegisterService(&analytics_);
    analytics_server_ = builder.BuildAndStart();
    service_ = std::make_unique<ProgressService>(
        FactSources{.book = book_,
                    .for_each_invitation =
                        [this](const auto&, const auto& visit) {
                          for (const auto& invitation : invitations_) visit(invitation);
                          return absl::OkStatus();
                        },
                    .for_each_message =
                        [this](const auto&, const auto& visit) {
                          for (const auto& message : messages_) visit(message);
                          return absl::OkStatus();
                        },
                    .has_receiver = [](const v1::Invitation& invitation) { return !invitation.contact().empty(); }},
        contacts_, analytics::v1::AnalyticsService::NewStub(analytics_server_->InProcessChannel({})), [this] { return now_; });
    server_ = grpc::ServerBuilder().RegisterService(service_.get()).BuildAndStart();
    stub_ = v1::ProgressService::NewStub(server_->InProcessChannel({}));
  }

  void AddWave(const std::string& name, const std::string& opened, const std::string& closed) {
    auto details = std::make_shared<WaveDetails>();
    details->wave.set_name(name);
    details->wave.set_title("Peiling " + name.substr(name.size() - 4));
    details->wave.set_opened(opened);
    details->wave.set_closed(closed);
    details->frame = std::make_shared<Frame>();
    book_.waves[name] = details;
  }

  absl::StatusOr<v1::GetFieldworkProgressResponse> Progress(const std::string& wave = kWave) {
    v1::GetFieldworkProgressRequest request;
    request.set_parent(wave);
    v1::GetFieldworkProgressResponse response;
    grpc::ClientContext context;
    const absl::Status called = status::FromGrpc(stub_->GetFieldworkProgress(&context, request, &response));
    if (!called.ok()) return called;
    return response;
  }

  // Codes on each page.
  std::vector<std::vector<std::string>> CallPages(int page_size) {
    std::vector<std::vector<std::string>> pages;
    v1::ListCallsRequest request;
    request.set_parent(kWave);
    request.set_page_size(page_size);
    do {
      grpc::ClientContext context;
      v1::ListCallsResponse response;
      EXPECT_TRUE(stub_->ListCalls(&context, request, &response).ok());
      auto& page = pages.emplace_back();
      for (const auto& call : response.calls()) page.push_back(call.progress().municipality());
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    return pages;
  }

  v1::Call FirstCall() {
    v1::ListCallsRequest request;
    request.set_parent(kWave);
    grpc::ClientContext context;
    v1::ListCallsResponse response;
    EXPECT_TRUE(stub_->ListCalls(&context, request, &response).ok());
    EXPECT_GE(response.calls_size(), 1);
    return response.calls_size() == 0 ? v1::Call() : response.calls(0);
  }

  // Its name.
  std::string AddContact(const std::string& code, v1::ContactKind kind, const std::string& full_name, const std::string& phone) {
    v1::CreateContactRequest request;
    request.set_parent("municipalities/" + code);
    request.set_request_id(full_name + phone);
    request.mutable_contact()->set_kind(kind);
    request.mutable_contact()->set_full_name(full_name);
    request.mutable_contact()->set_phone(phone);
    request.mutable_contact()->set_email(absl::StrCat("a", ++addresses_, "@example.nl"));
    const auto made = contacts_.Create(request);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? made->name() : "";
  }

  absl::Time now_ = *calendar::ParseLocalMinute("2026-04-01 10:00");
  int addresses_ = 0;
  FakeBook book_;
  std::vector<v1::Invitation> invitations_;
  std::vector<v1::Message> messages_;
  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "test");
  std::unique_ptr<vault::Vault> vault_ = *vault::Vault::Make(vault::Vault::NewKey("test"));
  ContactStore contacts_{*store_, *vault_, [this] { return now_; }};
  FakeAnalytics analytics_;
  std::unique_ptr<grpc::Server> analytics_server_;
  std::unique_ptr<ProgressService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::ProgressService::Stub> stub_;
};

TEST_F(ProgressServiceTest, ComparesWithEarlierWavesOfTheSurveyOnTheSameDay) {
  const auto progress = Progress();
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_EQ(progress->fieldwork_day(), 9);
  EXPECT_EQ(calendar::FromProto(progress->time()), now_);
  const auto& total = progress->lines(0);
  EXPECT_EQ(total.usable(), 2);
  EXPECT_EQ(total.response_percent(), 26);
  ASSERT_EQ(total.earlier_size(), 2);
  EXPECT_EQ(total.earlier(0).wave(), "surveys/s/waves/2022");
  EXPECT_EQ(total.earlier(0).response_percent(), 5);
  EXPECT_EQ(total.earlier(0).final_percent(), 22);
  EXPECT_EQ(total.earlier(1).final_percent(), 19);
  EXPECT_THAT(analytics_.TakeAsked(), ElementsAre("2026 ", "2022 2022-09-13", "2022 ", "2019 2019-09-10", "2019 "));
  EXPECT_THAT(progress->notices(), ElementsAre("Verzonnen antwoorden."));
}

TEST_F(ProgressServiceTest, ComparesWithTheLastDayOfAWaveThatWasShorter) {
  now_ = *calendar::ParseLocalMinute("2026-04-20 10:00");
  ASSERT_TRUE(Progress().ok());
  EXPECT_THAT(analytics_.TakeAsked(), ElementsAre("2026 ", "2022 2022-10-02", "2022 ", "2019 2019-09-20", "2019 "));
}

TEST_F(ProgressServiceTest, LeavesOutWhatAnalyticsCannotTellAndSaysSo) {
  analytics_.down = {"2026", "2022"};
  book_.waves[kWave]->wave.set_synthetic_notice("Proef.");
  const auto progress = Progress();
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_FALSE(progress->lines(0).has_usable());
  EXPECT_EQ(progress->lines(0).municipalities(), 6);
  ASSERT_EQ(progress->lines(0).earlier_size(), 1);
  EXPECT_EQ(progress->lines(0).earlier(0).wave(), "surveys/s/waves/2019");
  EXPECT_THAT(progress->notices(), ElementsAre("Proef.", "De bruikbare respons is op dit moment niet bekend.",
                                               "De respons van Peiling 2022 is op dit moment niet bekend."));
}

TEST_F(ProgressServiceTest, RefusesWavesItDoesNotKnowAndRequestsThatAreNone) {
  EXPECT_EQ(status::Reason(Progress("surveys/s/waves/1999").status()), "WAVE_NOT_FOUND");
  EXPECT_EQ(status::Reason(Progress("surveys/s").status()), "INVALID_REQUEST");
  v1::ListMunicipalityProgressRequest request;
  request.set_parent(kWave);
  request.set_stage(static_cast<v1::FieldworkStage>(99));
  request.set_page_size(-1);
  grpc::ClientContext context;
  v1::ListMunicipalityProgressResponse response;
  const auto called = status::FromGrpc(stub_->ListMunicipalityProgress(&context, request, &response));
  EXPECT_EQ(status::FieldViolations(called).size(), 2U);
}

TEST_F(ProgressServiceTest, ListsMunicipalitiesByStageAndPage) {
  invitations_ = {MakeInvitation({"GM0002"}), MakeInvitation({"GM0004"}), MakeInvitation({"GM0005"})};
  v1::Invitation revoked = MakeInvitation({"GM0006"});
  revoked.set_state(v1::INVITATION_STATE_REVOKED);
  invitations_.push_back(revoked);
  v1::ListMunicipalityProgressRequest request;
  request.set_parent(kWave);
  request.set_stage(v1::FIELDWORK_STAGE_INVITED);
  request.set_page_size(2);
  std::vector<std::string> codes;
  int pages = 0;
  do {
    grpc::ClientContext context;
    v1::ListMunicipalityProgressResponse response;
    ASSERT_TRUE(stub_->ListMunicipalityProgress(&context, request, &response).ok());
    for (const auto& municipality : response.municipalities()) codes.push_back(municipality.municipality());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_THAT(codes, ElementsAre("GM0002", "GM0004", "GM0005"));
  EXPECT_EQ(pages, 2);
}

TEST_F(ProgressServiceTest, ListsCallsPageByPageWhileTheWaveTakesAnswers) {
  for (const char* const code : {"GM0001", "GM0002", "GM0003", "GM0004", "GM0005"}) invitations_.push_back(MakeInvitation({code}, ""));
  EXPECT_THAT(CallPages(2), ElementsAre(ElementsAre("GM0001", "GM0002"), ElementsAre("GM0003", "GM0004"), ElementsAre("GM0005")));
  now_ = *calendar::ParseLocalMinute("2026-04-21 17:00");
  EXPECT_THAT(CallPages(2), ElementsAre(IsEmpty()));
}

TEST_F(ProgressServiceTest, WhoeverAnswersBetweenTwoPagesHidesNobody) {
  for (const char* const code : {"GM0001", "GM0002", "GM0003", "GM0004", "GM0005"}) invitations_.push_back(MakeInvitation({code}, ""));
  std::set<std::string> listed;
  v1::ListCallsRequest request;
  request.set_parent(kWave);
  request.set_page_size(2);
  do {
    grpc::ClientContext context;
    v1::ListCallsResponse response;
    ASSERT_TRUE(stub_->ListCalls(&context, request, &response).ok());
    for (const auto& call : response.calls()) listed.insert(call.progress().municipality());
    request.set_page_token(response.next_page_token());
    // Those that were listed first answer: what is left moves up.
    book_.submitted = {"GM0001", "GM0002"};
  } while (!request.page_token().empty());
  EXPECT_THAT(listed, ElementsAre("GM0001", "GM0002", "GM0003", "GM0004", "GM0005"));
}

TEST_F(ProgressServiceTest, SaysWhomToAskFor) {
  const std::string silent = AddContact("GM0001", v1::CONTACT_KIND_PERSON, "Jansen, A.", "");
  v1::Invitation invitation = MakeInvitation({"GM0001"});
  invitation.set_contact(silent);
  invitations_ = {invitation};
  messages_ = {MakeMessage("GM0001", v1::MESSAGE_STATE_SENT, survey::v1::MAIL_KIND_REMINDER)};
  EXPECT_EQ(FirstCall().reason(), v1::CALL_REASON_SILENT);
  EXPECT_EQ(FirstCall().full_name(), "Jansen, A.");
  EXPECT_EQ(FirstCall().phone(), "");
  // The municipality's own number is better than none.
  AddContact("GM0001", v1::CONTACT_KIND_GENERAL, "", "14 0001");
  EXPECT_EQ(FirstCall().full_name(), "");
  EXPECT_EQ(FirstCall().phone(), "14 0001");
  AddContact("GM0001", v1::CONTACT_KIND_PERSON, "Bakker, B.", "06 1");
  EXPECT_EQ(FirstCall().full_name(), "Bakker, B.");
  EXPECT_EQ(FirstCall().stratum().stratum(), "size_class");
}

}  // namespace
}  // namespace peiling::fieldwork
