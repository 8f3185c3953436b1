#include "services/intake/drafts/draft_store.h"

#include "services/common/feed/position.h"
#include "services/common/names/resource_names.h"
#include "services/intake/drafts/draft_etag.h"
#include "services/intake/drafts/validate.h"
#include "tests/common/storage/forwarding_store.h"
#include "tests/contract/redis_servers.h"
#include "tests/intake/draft_setting.h"

namespace peiling::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

const DraftWriter kAnna{.subject = "anna", .respondent = true};
// Writes in the second section.
const DraftWriter kCarla{.subject = "carla", .sections = {{2}}, .respondent = true};

std::string ReasonOf(const absl::Status& status) { return status::Reason(status); }
template <typename T>
std::string ReasonOf(const absl::StatusOr<T>& answer) {
  return status::Reason(answer.status());
}

enum class StoreKind { kSqlite, kRedis };
std::string NameOf(const ::testing::TestParamInfo<StoreKind>& kind) { return kind.param == StoreKind::kSqlite ? "Sqlite" : "Redis"; }

class DraftStoreTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override { desk_.rooms.Apply({kSurveyYaml, ScheduledWaveYaml()}); }
  std::vector<v1::ResponseState> States(const std::vector<std::string>& ids) {
    v1::BatchGetResponseStatesRequest request;
    request.set_parent(kWaveName);
    request.mutable_response_ids()->Assign(ids.begin(), ids.end());
    std::vector<v1::ResponseState> states;
    for (const int state : Must(desk_.drafts.States(request)).states()) states.push_back(static_cast<v1::ResponseState>(state));
    return states;
  }
  // All that is stored of the wave, as bytes.
  std::string AllBytes() {
    std::string bytes;
    for (const auto& document : Must(store_->Save(kWaveName, "", 100'000))) bytes += document.key + document.value.value_or("") + "\n";
    for (const std::string& event : desk_.rooms.Feed()) bytes += event;
    return bytes;
  }

  const std::unique_ptr<storage::PlainRedis> redis_ = GetParam() == StoreKind::kRedis ? std::make_unique<storage::PlainRedis>() : nullptr;
  const std::unique_ptr<storage::Store> store_ = redis_ ? Must(storage::OpenStore(redis_->address(), "intake")) : MemoryStore();
  Desk desk_{*store_};
};

INSTANTIATE_TEST_SUITE_P(Stores, DraftStoreTest, ::testing::Values(StoreKind::kSqlite, StoreKind::kRedis), NameOf);

TEST_P(DraftStoreTest, ANewDraftAnswersWithItsMunicipalities) {
  const v1::Draft draft = Must(desk_.Create("GM0228", {"GM0243", "GM0228"}));
  EXPECT_EQ(draft.name(), DraftName());
  EXPECT_EQ(draft.state(), v1::RESPONSE_STATE_STARTED);
  EXPECT_THAT(draft.municipalities(), ElementsAre("GM0228", "GM0243"));
  EXPECT_EQ(SayAll(draft.answers().answers()), "Q3=GM0228, GM0243");
  EXPECT_EQ(draft.etag(), "r1");
  EXPECT_EQ(calendar::FromProto(draft.closes_at()), Local("2026-04-24 19:00")) << "with its grace";
  EXPECT_THAT(desk_.Get().DebugString(), draft.DebugString());
  const v1::Response response = desk_.InFeed();
  EXPECT_EQ(response.state(), v1::RESPONSE_STATE_STARTED);
  EXPECT_THAT(response.municipalities(), ElementsAre("GM0228", "GM0243"));
  ASSERT_EQ(desk_.Changes().size(), 1u);
  EXPECT_EQ(desk_.Changes()[0].kind(), v1::DRAFT_CHANGE_KIND_CREATED);
}

TEST_P(DraftStoreTest, WhatIsThereForTheSameMunicipalitiesIsAnsweredAsItIs) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Number("Q6", 3)}));
  EXPECT_EQ(SayAll(Must(desk_.Create()).answers().answers()), "Q3=GM0228 Q6=3");
  EXPECT_EQ(ReasonOf(desk_.Create("GM0228", {"GM0228", "GM0243"})), "RESPONSE_EXISTS");
  const std::string whole = names::LastId(Must(desk_.rooms.Submit(Submission("a"))).response().name());
  EXPECT_EQ(ReasonOf(desk_.Create(whole)), "RESPONSE_EXISTS");
  desk_.SetClock("2026-05-01 12:00");
  EXPECT_TRUE(desk_.Create().ok()) << "also to look at it when the wave is over";
}

TEST_P(DraftStoreTest, SavedAnswersAreThereForEverybody) {
  Must(desk_.Create());
  const auto saved = Must(desk_.Save("r1", {Number("Q6", 3), Text("Q1", "Anna")}, kAnna));
  EXPECT_EQ(saved.etag(), "r2");
  EXPECT_FALSE(saved.others_changed());
  EXPECT_EQ(SayAll(desk_.Get().answers().answers()), "Q1=Anna Q3=GM0228 Q6=3");
  const auto changes = desk_.Changes();
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[1].changed_by(), "anna");
  EXPECT_EQ(changes[1].etag(), "r2");
  EXPECT_EQ(changes[1].answers_size(), 2);
  EXPECT_TRUE(Must(desk_.Save("r1", {Choice("Q4", {"wijk"})})).others_changed());
}

TEST_P(DraftStoreTest, WhoKnowsNothingIsInConflictWithEveryOtherAnswer) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Number("Q6", 3), Choice("Q4", {"wijk"})}));
  const auto saved = Must(desk_.Save("", {Number("Q6", 4), Choice("Q4", {"wijk"}), Choice("Q5", {"post"})}));
  ASSERT_EQ(saved.conflicts_size(), 1);
  EXPECT_EQ(Say(saved.conflicts(0).theirs()), "Q6=3");
  EXPECT_EQ(SayAll(desk_.Get().answers().answers()), "Q3=GM0228 Q4=wijk Q5=post Q6=3");
  EXPECT_EQ(Must(desk_.Save("r999", {Number("Q6", 4)})).conflicts_size(), 1) << "a state that is not there is as good as none";
}

TEST_P(DraftStoreTest, ARepeatedRequestGetsTheFirstAnswer) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Number("Q6", 3), Text("Q1", "Anna")}));
  const v1::SaveDraftRequest request =
      Desk::Saving("r1", {For("", Number("Q6", 4)), For("", Text("Q1", "Bert")), For("", Choice("Q4", {"wijk"}))});
  const auto first = Must(desk_.drafts.Save(request, kAnna));
  EXPECT_EQ(first.conflicts_size(), 2);
  EXPECT_EQ(Must(desk_.drafts.Save(request, kAnna)).DebugString(), first.DebugString());
  Must(desk_.Save("r3", {Choice("Q4", {"stad"})}));
  Must(desk_.Submit());
  EXPECT_EQ(Must(desk_.drafts.Save(request, kAnna)).DebugString(), first.DebugString()) << "whatever became of the draft";
  v1::SaveDraftRequest other = request;
  other.set_etag("r2");
  EXPECT_EQ(ReasonOf(desk_.drafts.Save(other, kAnna)), "REQUEST_ID_REUSED");
  other = request;
  other.mutable_changes(1)->mutable_answer()->set_text("Chris");
  EXPECT_EQ(ReasonOf(desk_.drafts.Save(other, kAnna)), "REQUEST_ID_REUSED") << "also when a personal answer alone is another";

  const auto submitted = Must(desk_.Reopen({}, "reopen"));
  EXPECT_EQ(Must(desk_.Reopen({}, "reopen")).DebugString(), submitted.DebugString());
  const auto response = Must(desk_.Submit("", {}, "submit"));
  EXPECT_EQ(Must(desk_.Submit("", {}, "submit")).DebugString(), response.DebugString());
  EXPECT_EQ(Must(desk_.Create("GM0243", {"GM0243"}, {}, "create")).DebugString(),
            Must(desk_.Create("GM0243", {"GM0243"}, {}, "create")).DebugString());
}

TEST_P(DraftStoreTest, SectionsAndLanguageMoveOnWithoutAnswers) {
  Must(desk_.Create());
  v1::SaveDraftRequest request = Desk::Saving("r1", {});
  request.set_last_section(2);
  request.set_language("fy");
  EXPECT_EQ(Must(desk_.drafts.Save(request, {})).etag(), "r2");
  EXPECT_EQ(desk_.Get().last_section(), 2);
  EXPECT_EQ(desk_.Get().language(), "fy");
  request.set_request_id("again");
  request.set_etag("r2");
  request.set_last_section(1);
  EXPECT_EQ(Must(desk_.drafts.Save(request, {})).etag(), "r2") << "nothing is new";
  EXPECT_EQ(desk_.Get().last_section(), 2);
  EXPECT_EQ(desk_.Changes().size(), 1u);
  request.set_request_id("beyond");
  request.set_last_section(3);
  EXPECT_THAT(status::FieldViolations(desk_.drafts.Save(request, {}).status()), ElementsAre(testing::Pair("last_section", testing::_)));
}

TEST_P(DraftStoreTest, PersonalAnswersAreStoredSealedAlone) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Text("Q1", "Wilhelmina"), Choice("Q9", {"ja"})}));
  // In conflict, so that both names pass through an answer and its receipt.
  Must(desk_.Save("r1", {Text("Q1", "Sophia")}));
  ASSERT_TRUE(desk_.drafts.PublishAll().ok());
  Must(desk_.Submit());
  EXPECT_EQ(SayAll(desk_.Get().answers().answers()), "Q1=Wilhelmina Q3=GM0228 Q9=ja");
  EXPECT_THAT(AllBytes(), Not(HasSubstr("Wilhelmina")));
  EXPECT_THAT(AllBytes(), Not(HasSubstr("Sophia")));
  EXPECT_NE(desk_.InFeed().respondent_key(), "");
}

TEST_P(DraftStoreTest, AColleagueSeesPersonalAnswersOfTheirSectionsAlone) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Text("Q1", "Anna"), Choice("Q9", {"ja"})}));
  const v1::Draft draft = desk_.Get(kCarla);
  EXPECT_EQ(SayAll(draft.answers().answers()), "Q3=GM0228 Q9=ja");
  EXPECT_THAT(draft.sections(), ElementsAre(2));
  EXPECT_EQ(ReasonOf(desk_.Save("r2", {Text("Q1", "Carla")}, kCarla)), "NOT_WITHIN_SECTIONS");
  EXPECT_TRUE(desk_.Save("r2", {Number("Q6", 1)}, kCarla).ok());
  for (const absl::Status& status : {desk_.Submit("", kCarla).status(), desk_.Reopen(kCarla).status(), desk_.Withdraw(kCarla).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(ReasonOf(status), "NOT_WHOLE_DRAFT");
  }
}

TEST_P(DraftStoreTest, WhatIsInvalidIsSavedAndStopsSubmitting) {
  Must(desk_.Create("GM0228", {"GM0228", "GM0243"}));
  Must(desk_.drafts.Save(Desk::Saving("r1", {For("", Text("Q2", "FOUT")), For("", Text("Q1", "LET OP"))}), {}));
  EXPECT_EQ(desk_.Get({}, DraftName(), true).issues_size(), 2);
  EXPECT_EQ(desk_.Get().issues_size(), 0) << "not asked for";
  auto status = desk_.Submit().status();
  EXPECT_EQ(ReasonOf(status), "RESPONSE_INVALID");
  ASSERT_EQ(status::FieldViolations(status).size(), 1u);
  EXPECT_EQ(status::FieldViolations(status)[0].first, "Q2");
  EXPECT_EQ(desk_.Get().state(), v1::RESPONSE_STATE_STARTED);
  Must(desk_.Save("r2", {Text("Q2", "beter")}));
  EXPECT_TRUE(desk_.Submit().ok());
}

TEST_P(DraftStoreTest, WhatIsWrongForOneMunicipalitySaysForWhich) {
  desk_.rooms.Apply({Replaced(ScheduledWaveYaml(), "{code: Q6, type: number", "{code: Q6, type: text")});
  Must(desk_.Create("GM0228", {"GM0228", "GM0243"}));
  Must(desk_.drafts.Save(Desk::Saving("r1", {For("", Text("Q6", "goed")), For("GM0243", Text("Q6", "FOUT"))}), {}));
  const auto status = desk_.Submit().status();
  ASSERT_EQ(status::FieldViolations(status).size(), 1u);
  EXPECT_EQ(status::FieldViolations(status)[0].first, "Q6");
  EXPECT_THAT(status::FieldViolations(status)[0].second, testing::StartsWith("GM0243: "));
  // An answer that stands for nobody is wrong for nobody.
  Must(desk_.drafts.Save(Desk::Saving("r2", {For("", Text("Q6", "FOUT")), For("GM0243", Text("Q6", "a")), For("GM0228", Text("Q6", "b"))}),
                         {}));
  EXPECT_TRUE(desk_.Submit().ok());
}

TEST_P(DraftStoreTest, ASubmittedDraftIsAResponse) {
  Must(desk_.Create("GM0228", {"GM0228", "GM0243"}));
  Must(desk_.drafts.Save(Desk::Saving("r1", {For("", Text("Q1", "Anna")), For("", Number("Q6", 3)), For("GM0243", Number("Q6", 5))}), {}));
  desk_.SetClock("2026-03-25 09:00");
  EXPECT_EQ(ReasonOf(desk_.Submit("r1")), "ETAG_MISMATCH");
  const auto submitted = Must(desk_.Submit("r2", kAnna));
  const v1::Response& response = submitted.response();
  EXPECT_EQ(response.state(), v1::RESPONSE_STATE_SUBMITTED);
  EXPECT_EQ(calendar::FromProto(response.started_at()), Local("2026-03-24 12:00"));
  EXPECT_EQ(calendar::FromProto(response.submitted_at()), Local("2026-03-25 09:00"));
  EXPECT_EQ(SayAll(response.answers().answers()), "Q3=GM0228, GM0243 Q6=3");
  ASSERT_EQ(response.municipality_answers_size(), 1);
  EXPECT_EQ(SayAll(response.municipality_answers(0).answers()), "Q6=5");
  EXPECT_EQ(feed::Submissions(submitted.position(), 0), response.sequence());
  EXPECT_EQ(Must(desk_.rooms.responses.Get(DraftName(), 1)).response.DebugString(), response.DebugString());
  EXPECT_EQ(SayAll(Must(desk_.rooms.responses.Get(DraftName(), 1)).personal.answers()), "Q1=Anna");
  EXPECT_EQ(desk_.Changes().back().kind(), v1::DRAFT_CHANGE_KIND_SUBMITTED);
  EXPECT_EQ(desk_.Changes().back().changed_by(), "anna");

  v1::SubmitResponseRequest same = Submission("other");
  same.mutable_response()->mutable_answers()->mutable_answers(0)->set_text("anna");
  EXPECT_EQ(Must(desk_.rooms.Submit(same)).response().respondent_key(), response.respondent_key()) << "the same person";
}

TEST_P(DraftStoreTest, StatesFollowEachOther) {
  EXPECT_EQ(ReasonOf(desk_.Save("r1", {})), "RESPONSE_NOT_FOUND");
  Must(desk_.Create());
  EXPECT_EQ(ReasonOf(desk_.Reopen()), "NOT_SUBMITTED");
  Must(desk_.Submit());
  EXPECT_EQ(ReasonOf(desk_.Submit()), "ALREADY_SUBMITTED");
  EXPECT_EQ(ReasonOf(desk_.Save("", {Number("Q6", 1)})), "ALREADY_SUBMITTED");
  Must(desk_.Reopen());
  EXPECT_EQ(desk_.InFeed().state(), v1::RESPONSE_STATE_STARTED);
  EXPECT_FALSE(desk_.InFeed().has_submitted_at());
  Must(desk_.Save("", {Number("Q6", 1)}));
  const auto withdrawn = Must(desk_.Withdraw(kAnna));
  EXPECT_EQ(withdrawn.response().withdrawal_reason(), "op verzoek");
  EXPECT_EQ(SayAll(withdrawn.response().answers().answers()), "Q3=GM0228 Q6=1") << "as it was last saved";
  EXPECT_EQ(desk_.InFeed().state(), v1::RESPONSE_STATE_WITHDRAWN);
  EXPECT_EQ(ReasonOf(desk_.Withdraw()), "ALREADY_WITHDRAWN");
  EXPECT_EQ(ReasonOf(desk_.Save("", {Number("Q6", 1)})), "ALREADY_WITHDRAWN");
  EXPECT_EQ(ReasonOf(desk_.Submit()), "ALREADY_WITHDRAWN");
  Must(desk_.Reopen());
  Must(desk_.Submit());
  EXPECT_EQ(desk_.InFeed().withdrawal_reason(), "");
  std::vector<int> kinds;
  for (const auto& change : desk_.Changes(DraftName(), 2)) kinds.push_back(change.kind());
  EXPECT_THAT(kinds, ElementsAre(v1::DRAFT_CHANGE_KIND_CREATED, v1::DRAFT_CHANGE_KIND_SUBMITTED, v1::DRAFT_CHANGE_KIND_REOPENED,
                                 v1::DRAFT_CHANGE_KIND_SAVED, v1::DRAFT_CHANGE_KIND_WITHDRAWN, v1::DRAFT_CHANGE_KIND_REOPENED,
                                 v1::DRAFT_CHANGE_KIND_SUBMITTED));
}

TEST_P(DraftStoreTest, AResponseThatCameInWholeIsNoDraft) {
  const std::string name = Must(desk_.rooms.Submit(Submission("a"))).response().name();
  EXPECT_EQ(ReasonOf(desk_.drafts.Save(Desk::Saving("", {}, name), {})), "NOT_A_DRAFT");
  v1::ListDraftChangesRequest list;
  list.set_parent(name);
  EXPECT_EQ(ReasonOf(desk_.drafts.ListChanges(list, {}, {})), "NOT_A_DRAFT");
  EXPECT_EQ(Must(desk_.Withdraw({}, name)).response().state(), v1::RESPONSE_STATE_WITHDRAWN);
  EXPECT_EQ(ReasonOf(desk_.Withdraw({}, NameOfDraft("nobody"))), "RESPONSE_NOT_FOUND");
}

TEST_P(DraftStoreTest, AWithdrawalCanAskForTheStateItKnows) {
  Must(desk_.Create());
  EXPECT_EQ(ReasonOf(desk_.Withdraw({}, DraftName(), "v7")), "ETAG_MISMATCH");
  EXPECT_TRUE(desk_.Withdraw({}, DraftName(), Must(desk_.rooms.responses.Get(DraftName(), 1)).response.etag()).ok());
}

// What may be done with a draft of which the wave's times are these.
struct Moment {
  std::string name, created, now, may_create, may_write;
};
class MomentTest : public ::testing::TestWithParam<Moment> {
 protected:
  void SetUp() override { desk_.rooms.Apply({kSurveyYaml, ScheduledWaveYaml()}); }

  const std::unique_ptr<storage::Store> store_ = MemoryStore();
  Desk desk_{*store_};
};

INSTANTIATE_TEST_SUITE_P(Moments, MomentTest,
                         ::testing::Values(Moment{"AtOpening", "2026-03-24 09:00", "2026-03-24 09:00", "", ""},
                                           Moment{"JustBeforeClosing", "2026-03-24 09:00", "2026-04-24 16:59", "", ""},
                                           Moment{"AtClosing", "2026-04-24 16:59", "2026-04-24 17:00", "WAVE_CLOSED", ""},
                                           Moment{"InGrace", "2026-04-24 16:59", "2026-04-24 18:59", "WAVE_CLOSED", ""},
                                           Moment{"AfterGrace", "2026-04-24 16:59", "2026-04-24 19:00", "WAVE_CLOSED", "WAVE_CLOSED"}),
                         [](const auto& info) { return info.param.name; });

TEST_P(MomentTest, TheWaveDecidesToTheMinute) {
  desk_.SetClock("2026-03-24 08:59");
  EXPECT_EQ(ReasonOf(desk_.Create()), "WAVE_PLANNED");
  desk_.SetClock(GetParam().created);
  Must(desk_.Create());
  Must(desk_.Create("submitted", {"GM0243"}));
  v1::SubmitDraftRequest submit;
  submit.set_name(NameOfDraft("submitted"));
  submit.set_request_id("s");
  Must(desk_.drafts.Submit(submit, {}, Desk::Contexts()));

  desk_.SetClock(GetParam().now);
  EXPECT_EQ(ReasonOf(desk_.Create("late", {"GM0344"})), GetParam().may_create);
  EXPECT_EQ(ReasonOf(desk_.Save("r1", {Number("Q6", 1)})), GetParam().may_write);
  v1::ReopenDraftRequest reopen;
  reopen.set_name(NameOfDraft("submitted"));
  reopen.set_request_id("r");
  EXPECT_EQ(ReasonOf(desk_.drafts.Reopen(reopen, {})), GetParam().may_write);
  EXPECT_EQ(ReasonOf(desk_.Submit()), GetParam().may_write);
  EXPECT_EQ(ReasonOf(desk_.Withdraw(kAnna)), GetParam().may_write);
  EXPECT_TRUE(desk_.Get().has_closes_at()) << "it can always be read";
  if (!GetParam().may_write.empty()) {
    EXPECT_TRUE(desk_.Withdraw().ok()) << "officials can do it all the same";
  }
}

TEST_P(DraftStoreTest, AWaveClosedByHandIsClosedWithinASecond) {
  Must(desk_.Create());
  v1::CloseWaveRequest close;
  close.set_name(kWaveName);
  close.set_request_id("close");
  Must(desk_.rooms.catalog.Close(close, "administrator"));
  desk_.SetClock("2026-03-24 14:01");
  EXPECT_EQ(ReasonOf(desk_.Save("r1", {Number("Q6", 1)})), "WAVE_CLOSED");
}

TEST_P(DraftStoreTest, TheFeedHasWhatWasSavedOnceItIsPublished) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Number("Q6", 3)}));
  Must(desk_.Save("r2", {Choice("Q4", {"wijk"})}));
  EXPECT_EQ(SayAll(desk_.InFeed().answers().answers()), "Q3=GM0228");
  ASSERT_TRUE(desk_.drafts.PublishAll().ok());
  EXPECT_EQ(SayAll(desk_.InFeed().answers().answers()), "Q3=GM0228 Q4=wijk Q6=3");
  EXPECT_EQ(desk_.InFeed().completeness().answered(), 3);
  EXPECT_EQ(desk_.rooms.Feed().size(), 2u);
  ASSERT_TRUE(desk_.drafts.PublishAll().ok());
  EXPECT_EQ(desk_.rooms.Feed().size(), 2u) << "there is nothing new";
}

TEST_P(DraftStoreTest, WithoutAnIntervalTheFeedHasEverySave) {
  Desk at_once(*store_, /*feed_interval=*/std::chrono::seconds(0));
  Must(at_once.Create());
  Must(at_once.Save("r1", {Number("Q6", 3)}));
  EXPECT_EQ(SayAll(at_once.InFeed().answers().answers()), "Q3=GM0228 Q6=3");
}

TEST_P(DraftStoreTest, TheSweeperPublishesWhatAnEarlierProcessLeft) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Number("Q6", 3)}));
  desk_.drafts.Start();
  EXPECT_TRUE(Must(store_->WaitFeed(kWaveName, 1, std::chrono::seconds(20))));
  desk_.drafts.Stop();
  EXPECT_EQ(SayAll(desk_.InFeed().answers().answers()), "Q3=GM0228 Q6=3");
}

TEST_P(DraftStoreTest, StatesAreThoseOfThisMoment) {
  Must(desk_.Create());
  Must(desk_.Create("GM0243", {"GM0243"}));
  Must(desk_.Submit());
  const std::string whole = names::LastId(Must(desk_.rooms.Submit(Submission("a"))).response().name());
  EXPECT_THAT(States({"GM0243", "nobody", whole, "GM0228"}), ElementsAre(v1::RESPONSE_STATE_STARTED, v1::RESPONSE_STATE_UNSPECIFIED,
                                                                         v1::RESPONSE_STATE_SUBMITTED, v1::RESPONSE_STATE_SUBMITTED));
  EXPECT_THAT(States({}), IsEmpty());
}

TEST_P(DraftStoreTest, ADraftHasBounds) {
  Desk small(*store_, std::chrono::hours(1), {.most_bytes_left = 10'000});
  Must(small.Create());
  std::string etag = "r1";
  absl::StatusOr<v1::SaveDraftResponse> saved;
  for (int i = 0; (saved = small.Save(etag, {Text("Q10", std::string(i % 2 == 0 ? 1000 : 900, 'x'))})).ok(); ++i) {
    ASSERT_LT(i, 10) << "before and after, about 2,000 bytes";
    etag = saved->etag();
  }
  EXPECT_EQ(ReasonOf(saved), "TOO_MANY_CHANGES");
  EXPECT_GT(RevisionOf(etag), 4u);
  EXPECT_TRUE(small.Submit().ok()) << "what there is can be handed in";
  EXPECT_EQ(ReasonOf(small.Reopen()), "TOO_MANY_CHANGES");

  Must(small.Create("idle", {"GM0344"}));
  absl::Status idle;
  for (int i = 0; idle.ok() && i < 1000; ++i) idle = small.drafts.Save(Desk::Saving("r1", {}, NameOfDraft("idle")), {}).status();
  EXPECT_EQ(ReasonOf(idle), "TOO_MANY_CHANGES") << "saves that change nothing leave something, too";

  Must(desk_.Create("large", {"GM0243"}));
  const std::string half(600'000, 'x');
  Must(desk_.drafts.Save(Desk::Saving("r1", {For("", Text("Q1", half))}, NameOfDraft("large")), {}));
  const auto status = desk_.drafts.Save(Desk::Saving("r2", {For("", Text("Q10", half))}, NameOfDraft("large")), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), "RESPONSE_TOO_LARGE");
  EXPECT_EQ(ReasonOf(Validate(Desk::Saving("r2", {For("", Text("Q1", half)), For("", Text("Q10", half))}))), "RESPONSE_TOO_LARGE");
}

TEST_P(DraftStoreTest, WhatOthersWroteIsNotOverwrittenByWhoWentOnWriting) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Choice("Q4", {"wijk"}), Text("Q10", "van allen")}));
  const std::string bert = Must(desk_.Save("r2", {Text("Q10", "van Bert")})).etag();
  EXPECT_EQ(bert, "r3");
  // Anna did not see that.
  const auto annas = Must(desk_.Save("r2", {Choice("Q4", {"stad"})}, kAnna));
  EXPECT_EQ(annas.etag(), "r2+4");
  EXPECT_TRUE(annas.others_changed());
  const auto refused = Must(desk_.Save(annas.etag(), {Text("Q10", "van Anna"), Choice("Q4", {"wijk"})}, kAnna));
  ASSERT_EQ(refused.conflicts_size(), 1);
  EXPECT_EQ(Say(refused.conflicts(0).theirs()), "Q10=van Bert");
  EXPECT_EQ(refused.etag(), "r2+4-5") << "her own question is saved again, and she still did not read his";
  EXPECT_EQ(SayAll(desk_.Get().answers().answers()), "Q3=GM0228 Q4=wijk Q10=van Bert");
  EXPECT_EQ(ReasonOf(desk_.Submit(refused.etag(), kAnna)), "ETAG_MISMATCH");
  const std::string read = desk_.Get(kAnna).etag();
  EXPECT_EQ(read, "r5");
  EXPECT_EQ(Must(desk_.Save(read, {Text("Q10", "van Anna")}, kAnna)).etag(), "r6") << "what she has read she may change";
  EXPECT_TRUE(desk_.Submit("r6", kAnna).ok());
}

TEST_P(DraftStoreTest, TwoPagesOfTheSamePersonAreTwoWriters) {
  Must(desk_.Create());
  const std::string one = Must(desk_.Save("r1", {Number("Q6", 1)}, kAnna)).etag();
  const auto two = Must(desk_.Save("r1", {Number("Q6", 2)}, kAnna));
  EXPECT_EQ(two.conflicts_size(), 1);
  EXPECT_EQ(two.etag(), "r1") << "nothing was saved";
  EXPECT_EQ(Must(desk_.Save(one, {Number("Q6", 3)}, kAnna)).conflicts_size(), 0);
}

TEST_P(DraftStoreTest, WhoWritesAloneIsNeverInConflict) {
  Must(desk_.Create());
  std::string etag = "r1";
  for (int i = 0; i < 60; ++i) {
    const auto saved = Must(desk_.Save(etag, {Number("Q6", i), Text("Q10", std::to_string(i))}, kAnna));
    ASSERT_EQ(saved.conflicts_size(), 0);
    ASSERT_FALSE(saved.others_changed());
    etag = saved.etag();
  }
  EXPECT_EQ(etag, "r61");
}

TEST_P(DraftStoreTest, AConflictLeavesNoAnswersBehind) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Text("Q10", std::string(500'000, 'x'))}));
  const size_t before = AllBytes().size();
  v1::SaveDraftRequest request;
  for (int i = 0; i < 5; ++i) {
    request = Desk::Saving("r1", {For("", Text("Q10", std::string(100'000, 'y')))});
    EXPECT_EQ(Must(desk_.drafts.Save(request, kAnna)).conflicts_size(), 1);
    Must(desk_.Create());
  }
  EXPECT_LT(AllBytes().size(), before + 2'000);
  Must(desk_.Save("r2", {Text("Q10", "kort")}));
  const auto again = Must(desk_.drafts.Save(request, kAnna));
  ASSERT_EQ(again.conflicts_size(), 1);
  EXPECT_EQ(again.conflicts(0).yours().DebugString(), request.changes(0).DebugString());
  EXPECT_EQ(Say(again.conflicts(0).theirs()), "Q10=kort") << "a repeat shows what stands there now";
  EXPECT_EQ(again.etag(), "r1");
}

TEST_P(DraftStoreTest, OpeningAgainLeavesNoCopyOfTheDraft) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Text("Q10", std::string(500'000, 'x'))}));
  Must(desk_.Submit());
  const size_t before = AllBytes().size();
  Must(desk_.Reopen({}, "reopen"));
  EXPECT_LT(AllBytes().size(), before + 600'000) << "the event, and no more";
  Must(desk_.Save("r4", {Number("Q6", 3)}));
  EXPECT_EQ(Must(desk_.Reopen({}, "reopen")).etag(), "r5") << "a repeat is answered with the draft as it now is";
}

TEST_P(DraftStoreTest, LongHistoriesComeInPagesThatFitInAMessage) {
  Must(desk_.Create());
  std::string etag = "r1";
  for (int i = 0; i < 8; ++i) etag = Must(desk_.Save(etag, {Text("Q10", std::string(400'000, static_cast<char>('a' + i)))})).etag();
  v1::ListDraftChangesRequest request;
  request.set_parent(DraftName());
  status::BadRequest bad;
  const auto page = Must(desk_.drafts.ListChanges(request, paging::ReadPage(request, bad), {}));
  EXPECT_LT(page.ByteSizeLong(), size_t{3} << 20);
  EXPECT_FALSE(page.next_page_token().empty());
  for (int i = 0; i < 30; ++i) etag = Must(desk_.Save(etag, {Number("Q6", i)})).etag();
  const auto changes = desk_.Changes();
  ASSERT_EQ(changes.size(), 39u);
  for (size_t at = 0; at < changes.size(); ++at) EXPECT_EQ(changes[at].etag(), DraftEtag(at + 1));
}

// Notes how much is read at a time, and can be unable to say what is durable.
class WatchedStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  absl::StatusOr<std::vector<storage::Document>> List(const std::string& partition, const std::string& prefix, const std::string& after,
                                                      size_t limit) override {
    most_listed = std::max(most_listed, limit);
    return ForwardingStore::List(partition, prefix, after, limit);
  }
  absl::Status Confirm(const std::string& partition) override {
    if (lost) return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "the servers changed");
    return ForwardingStore::Confirm(partition);
  }

  size_t most_listed = 0;
  bool lost = false;
};

TEST_P(DraftStoreTest, AHistoryIsReadALittleAtATime) {
  WatchedStore watched(*store_);
  Desk desk(watched);
  Must(desk.Create());
  desk.Changes();
  EXPECT_LE(watched.most_listed, 10u);
}

TEST_P(DraftStoreTest, WhatMayBeLostIsNoReasonToRefuse) {
  WatchedStore watched(*store_);
  Desk desk(watched);
  Must(desk.Create());
  Must(desk.Submit());
  watched.lost = true;
  for (const absl::Status& status : {desk.Save("r2", {Number("Q6", 3)}).status(), desk.Submit().status(), desk.Create().status(),
                                     desk.Create("GM0228", {"GM0243"}).status(), desk.Withdraw({}, NameOfDraft("nobody")).status()}) {
    EXPECT_EQ(ReasonOf(status), "STORAGE_UNAVAILABLE");
  }
  v1::GetDraftRequest get;
  get.set_name(DraftName());
  EXPECT_EQ(ReasonOf(desk.drafts.Get(get, {}, Desk::Contexts())), "STORAGE_UNAVAILABLE");
  watched.lost = false;
  EXPECT_EQ(ReasonOf(desk.Save("r2", {Number("Q6", 3)})), "ALREADY_SUBMITTED");
  Must(desk.Withdraw());
  watched.lost = true;
  EXPECT_EQ(ReasonOf(desk.Withdraw()), "STORAGE_UNAVAILABLE");
}

TEST_P(DraftStoreTest, WhoWritesAPartDoesNotSayHowFarTheWholeIs) {
  Must(desk_.Create());
  v1::SaveDraftRequest request = Desk::Saving("r1", {For("", Number("Q6", 3))});
  request.set_last_section(2);
  request.set_language("fy");
  Must(desk_.drafts.Save(request, kCarla));
  EXPECT_EQ(desk_.Get().last_section(), 0);
  EXPECT_EQ(desk_.Get().language(), "");
  request = Desk::Saving("r2", {});
  request.set_last_section(2);
  EXPECT_EQ(Must(desk_.drafts.Save(request, kCarla)).etag(), "r2");
}

TEST_P(DraftStoreTest, TheQuestionThatNamesTheMunicipalityIsNotSaved) {
  Must(desk_.Create());
  EXPECT_THAT(status::FieldViolations(desk_.Save("r1", {Text("Q3", "Ede")}).status()),
              ElementsAre(testing::Pair("changes[0].answer.question", HasSubstr("Q3"))));
}

TEST_P(DraftStoreTest, AStrangerDoesNothingWithADraft) {
  const DraftWriter form{.subject = "form", .sections = {{}}, .respondent = true, .stranger = true};
  Must(desk_.Create());
  Must(desk_.Submit("", {}, "submit"));
  v1::GetDraftRequest get;
  get.set_name(DraftName());
  v1::ListDraftChangesRequest list;
  list.set_parent(DraftName());
  for (const absl::Status& status :
       {desk_.drafts.Get(get, form, Desk::Contexts()).status(), desk_.drafts.ListChanges(list, {}, form).status(),
        desk_.Save("", {}, form).status(), desk_.Submit("", form).status(), desk_.Submit("", form, "submit").status(),
        desk_.Reopen(form).status(), desk_.Withdraw(form).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(ReasonOf(status), "NOT_WITHIN_LIMITS");
  }
  const std::string whole = Must(desk_.rooms.Submit(Submission("a"))).response().name();
  EXPECT_TRUE(desk_.Withdraw(form, whole).ok()) << "what it submitted it may take back";
}

TEST_P(DraftStoreTest, AJointDraftIsJudgedInGroupsThatFitInAMessage) {
  std::vector<std::string> municipalities;
  for (int i = 0; i < 10; ++i) municipalities.push_back("GM" + std::to_string(1000 + i));
  Must(desk_.Create("GM0228", municipalities));
  Must(desk_.Save("r1", {Text("Q10", std::string(900'000, 'x'))}));
  std::vector<v1::AnswerChange> own;
  for (const std::string& municipality : municipalities) own.push_back(For(municipality, Number("Q6", 1)));
  own.back().mutable_answer()->set_question("Q2");
  own.back().clear_municipality();
  own.back().mutable_answer()->set_text("LET OP");
  Must(desk_.drafts.Save(Desk::Saving("r2", own), {}));
  const size_t calls = desk_.rooms.validation.calls().size();
  EXPECT_EQ(desk_.Get({}, DraftName(), true).issues_size(), 1) << "what is said of all is said once, in whatever group they are";
  int judged = 0;
  const auto all_calls = desk_.rooms.validation.calls();
  for (size_t i = calls; i < all_calls.size(); ++i) {
    EXPECT_LE(all_calls[i], 2);
    judged += all_calls[i];
  }
  EXPECT_GE(judged, 10);
  EXPECT_TRUE(desk_.Submit().ok());
}

// Findings of a kind that a matrix has several of.
validation::v1::ResponseResult Found(const std::vector<std::pair<std::string, validation::v1::Severity>>& rows) {
  validation::v1::ResponseResult result;
  for (const auto& [row, severity] : rows) {
    validation::v1::Issue& issue = *result.add_issues();
    issue.set_question("Q8");
    issue.set_code(row);
    issue.set_severity(severity);
    issue.set_message("niet goed");
  }
  return result;
}

TEST_P(DraftStoreTest, ADraftWithAnErrorForOneMunicipalityIsNotSubmitted) {
  constexpr auto kError = validation::v1::SEVERITY_ERROR, kWarning = validation::v1::SEVERITY_WARNING;
  struct Case {
    std::string name;
    // Of what all share and of what one has.
    validation::v1::ResponseResult shared, own;
    std::vector<std::string> said;
  };
  const std::vector<Case> cases = {
      {"twice in the second", Found({}), Found({{"po", kError}, {"po", kError}}), {"GM0243: niet goed", "GM0243: niet goed"}},
      {"twice in the first", Found({{"po", kError}, {"po", kError}}), Found({}), {"niet goed", "niet goed"}},
      {"as a warning in the first", Found({{"po", kWarning}}), Found({{"po", kError}}), {"GM0243: niet goed"}},
      {"in both", Found({{"po", kError}}), Found({{"po", kError}}), {"niet goed"}},
  };
  Must(desk_.Create("GM0228", {"GM0228", "GM0243"}));
  Must(desk_.drafts.Save(Desk::Saving("r1", {For("GM0243", Number("Q6", 5))}), {}));
  for (const Case& test : cases) {
    EXPECT_CALL(desk_.rooms.validation, ValidateResponses)
        .WillOnce([&](auto*, const auto&, validation::v1::ValidateResponsesResponse* response) {
          *response->add_results() = test.shared;
          *response->add_results() = test.own;
          return grpc::Status::OK;
        });
    const absl::Status status = desk_.Submit().status();
    EXPECT_EQ(ReasonOf(status), "RESPONSE_INVALID") << test.name;
    std::vector<std::string> said;
    for (const auto& [field, description] : status::FieldViolations(status)) said.push_back(description);
    EXPECT_EQ(said, test.said) << test.name;
  }
}

TEST_P(DraftStoreTest, AnImportLeavesDraftsAlone) {
  desk_.rooms.Apply({Replaced(ScheduledWaveYaml(), kTextQuestion, "")});
  Must(desk_.Create("1", {"GM0243"}));
  const ImportOutcome outcome = RunImport(desk_.rooms, ExportOf(2));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.rows.size(), 2u);
  EXPECT_EQ(outcome.rows[0].outcome(), v1::IMPORT_OUTCOME_UNCHANGED);
  EXPECT_THAT(outcome.rows[0].message(), HasSubstr("online ingevuld"));
  EXPECT_EQ(outcome.rows[1].outcome(), v1::IMPORT_OUTCOME_ADDED);
  EXPECT_EQ(SayAll(desk_.InFeed(NameOfDraft("1")).answers().answers()), "Q3=GM0243");
}

TEST_P(DraftStoreTest, ErasingPersonalAnswersIsEnteredIntoTheHistory) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Text("Q1", "Anna")}));
  storage::Batch batch{.partition = kWaveName};
  batch.writes = Must(ErasureWrites(*store_, kWaveName, "GM0228", "administrator", "op verzoek", desk_.now()));
  batch.writes.push_back({.key = "personal/GM0228", .value = std::nullopt});
  ASSERT_TRUE(store_->Commit(std::move(batch)).ok());
  EXPECT_EQ(SayAll(desk_.Get().answers().answers()), "Q3=GM0228");
  EXPECT_EQ(desk_.Get().etag(), "r3");
  EXPECT_EQ(desk_.Changes().back().kind(), v1::DRAFT_CHANGE_KIND_ERASED);
  EXPECT_EQ(desk_.Changes().back().reason(), "op verzoek");
  EXPECT_THAT(Must(ErasureWrites(*store_, kWaveName, "nobody", "", "", desk_.now())), IsEmpty());
  Must(desk_.Save("r3", {Text("Q1", "Bert")}));
  EXPECT_EQ(SayAll(desk_.Get().answers().answers()), "Q1=Bert Q3=GM0228") << "it can be given anew";
}

std::vector<std::string> Fields(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const auto& [field, description] : status::FieldViolations(status)) fields.push_back(field);
  return fields;
}

TEST(DraftValidateTest, NamesEveryWrongField) {
  v1::CreateDraftRequest create;
  create.set_response_id("a~b");
  for (const char* code : {"GM0228", "GM0228", "Ede!"}) create.add_municipalities(code);
  create.set_language(std::string(36, 'x'));
  EXPECT_THAT(Fields(Validate(create)),
              UnorderedElementsAre("parent", "response_id", "municipalities[1]", "municipalities[2]", "language", "request_id"));
  create.clear_municipalities();
  EXPECT_THAT(Fields(Validate(create)), testing::Contains("municipalities"));
  for (int i = 0; i <= 50; ++i) create.add_municipalities("GM" + std::to_string(1000 + i));
  EXPECT_THAT(Fields(Validate(create)), testing::Contains("municipalities"));

  v1::SaveDraftRequest save;
  save.set_etag("v1");
  save.set_last_section(-1);
  for (int i = 0; i <= 1000; ++i) save.add_changes();
  EXPECT_THAT(Fields(Validate(save)), UnorderedElementsAre("name", "etag", "changes", "last_section", "request_id"));

  v1::BatchGetResponseStatesRequest states;
  for (int i = 0; i <= 1000; ++i) states.add_response_ids(i == 3 ? "a/b" : "a");
  EXPECT_THAT(Fields(Validate(states)), UnorderedElementsAre("parent", "response_ids", "response_ids[3]"));
  EXPECT_THAT(Fields(Validate(v1::SubmitDraftRequest())), UnorderedElementsAre("name", "request_id"));
  EXPECT_THAT(Fields(Validate(v1::ReopenDraftRequest())), UnorderedElementsAre("name", "request_id"));
  EXPECT_THAT(Fields(Validate(v1::GetDraftRequest())), ElementsAre("name"));
  paging::Page page;
  v1::ListDraftChangesRequest list;
  list.set_page_size(-1);
  EXPECT_THAT(Fields(Validate(list, page)), UnorderedElementsAre("parent", "page_size"));
}

}  // namespace
}  // namespace peiling::intake
