#include "services/intake/drafts/draft_store.h"

#include "services/common/feed/position.h"
#include "services/common/names/resource_names.h"
#include "services/intake/drafts/draft_sweeper.h"
#include "services/intake/drafts/validate.h"
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

class DraftStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { desk_.rooms.Apply({kSurveyYaml, ScheduledWaveYaml()}); }
  static std::string ReasonOf(const absl::Status& status) { return status::Reason(status); }
  template <typename T>
  static std::string ReasonOf(const absl::StatusOr<T>& answer) {
    return status::Reason(answer.status());
  }
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

  std::unique_ptr<storage::Store> store_ = MemoryStore();
  Desk desk_{*store_};
};

TEST_F(DraftStoreTest, ANewDraftAnswersWithItsMunicipalities) {
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

TEST_F(DraftStoreTest, WhatIsThereForTheSameMunicipalitiesIsAnsweredAsItIs) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Number("Q6", 3)}));
  EXPECT_EQ(SayAll(Must(desk_.Create()).answers().answers()), "Q3=GM0228 Q6=3");
  EXPECT_EQ(ReasonOf(desk_.Create("GM0228", {"GM0228", "GM0243"})), "RESPONSE_EXISTS");
  const std::string whole = names::LastId(Must(desk_.rooms.Submit(Submission("a"))).response().name());
  EXPECT_EQ(ReasonOf(desk_.Create(whole)), "RESPONSE_EXISTS");
  desk_.SetClock("2026-05-01 12:00");
  EXPECT_TRUE(desk_.Create().ok()) << "also to look at it when the wave is over";
}

TEST_F(DraftStoreTest, SavedAnswersAreThereForEverybody) {
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

TEST_F(DraftStoreTest, WhoKnowsNothingIsInConflictWithEveryOtherAnswer) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Number("Q6", 3), Choice("Q4", {"wijk"})}));
  const auto saved = Must(desk_.Save("", {Number("Q6", 4), Choice("Q4", {"wijk"}), Choice("Q5", {"post"})}));
  ASSERT_EQ(saved.conflicts_size(), 1);
  EXPECT_EQ(Say(saved.conflicts(0).theirs()), "Q6=3");
  EXPECT_EQ(SayAll(desk_.Get().answers().answers()), "Q3=GM0228 Q4=wijk Q5=post Q6=3");
  EXPECT_EQ(Must(desk_.Save("r999", {Number("Q6", 4)})).conflicts_size(), 1) << "a state that is not there is as good as none";
}

TEST_F(DraftStoreTest, ARepeatedRequestGetsTheFirstAnswer) {
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

  const auto submitted = Must(desk_.Reopen({}, "reopen"));
  EXPECT_EQ(Must(desk_.Reopen({}, "reopen")).DebugString(), submitted.DebugString());
  const auto response = Must(desk_.Submit("", {}, "submit"));
  EXPECT_EQ(Must(desk_.Submit("", {}, "submit")).DebugString(), response.DebugString());
  EXPECT_EQ(Must(desk_.Create("GM0243", {"GM0243"}, {}, "create")).DebugString(),
            Must(desk_.Create("GM0243", {"GM0243"}, {}, "create")).DebugString());
}

TEST_F(DraftStoreTest, SectionsAndLanguageMoveOnWithoutAnswers) {
  Must(desk_.Create());
  v1::SaveDraftRequest request = Desk::Saving("r1", {});
  request.set_last_section(2);
  request.set_language("fy");
  EXPECT_EQ(Must(desk_.drafts.Save(request, {})).etag(), "r2");
  EXPECT_EQ(desk_.Get().last_section(), 2);
  EXPECT_EQ(desk_.Get().language(), "fy");
  request.set_request_id("again");
  request.set_last_section(1);
  EXPECT_EQ(Must(desk_.drafts.Save(request, {})).etag(), "r2") << "nothing is new";
  EXPECT_EQ(desk_.Get().last_section(), 2);
  EXPECT_EQ(desk_.Changes().size(), 1u);
  request.set_request_id("beyond");
  request.set_last_section(3);
  EXPECT_THAT(status::FieldViolations(desk_.drafts.Save(request, {}).status()), ElementsAre(testing::Pair("last_section", testing::_)));
}

TEST_F(DraftStoreTest, PersonalAnswersAreStoredSealedAlone) {
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

TEST_F(DraftStoreTest, AColleagueSeesPersonalAnswersOfTheirSectionsAlone) {
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

TEST_F(DraftStoreTest, WhatIsInvalidIsSavedAndStopsSubmitting) {
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

TEST_F(DraftStoreTest, WhatIsWrongForOneMunicipalitySaysForWhich) {
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

TEST_F(DraftStoreTest, ASubmittedDraftIsAResponse) {
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

TEST_F(DraftStoreTest, StatesFollowEachOther) {
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

TEST_F(DraftStoreTest, AResponseThatCameInWholeIsNoDraft) {
  const std::string name = Must(desk_.rooms.Submit(Submission("a"))).response().name();
  EXPECT_EQ(ReasonOf(desk_.drafts.Save(Desk::Saving("", {}, name), {})), "NOT_A_DRAFT");
  v1::ListDraftChangesRequest list;
  list.set_parent(name);
  EXPECT_EQ(ReasonOf(desk_.drafts.ListChanges(list, {})), "NOT_A_DRAFT");
  EXPECT_EQ(Must(desk_.Withdraw({}, name)).response().state(), v1::RESPONSE_STATE_WITHDRAWN);
  EXPECT_EQ(ReasonOf(desk_.Withdraw({}, NameOfDraft("nobody"))), "RESPONSE_NOT_FOUND");
}

TEST_F(DraftStoreTest, AWithdrawalCanAskForTheStateItKnows) {
  Must(desk_.Create());
  EXPECT_EQ(ReasonOf(desk_.Withdraw({}, DraftName(), "v7")), "ETAG_MISMATCH");
  EXPECT_TRUE(desk_.Withdraw({}, DraftName(), Must(desk_.rooms.responses.Get(DraftName(), 1)).response.etag()).ok());
}

// What may be done with a draft of which the wave's times are these.
struct Moment {
  std::string name, created, now, may_create, may_write;
};
class MomentTest : public DraftStoreTest, public ::testing::WithParamInterface<Moment> {};

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

TEST_F(DraftStoreTest, AWaveClosedByHandIsClosedWithinASecond) {
  Must(desk_.Create());
  v1::CloseWaveRequest close;
  close.set_name(kWaveName);
  close.set_request_id("close");
  Must(desk_.rooms.catalog.Close(close, "administrator"));
  desk_.SetClock("2026-03-24 14:01");
  EXPECT_EQ(ReasonOf(desk_.Save("r1", {Number("Q6", 1)})), "WAVE_CLOSED");
}

TEST_F(DraftStoreTest, TheFeedHasWhatWasSavedOnceItIsPublished) {
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

TEST_F(DraftStoreTest, WithoutAnIntervalTheFeedHasEverySave) {
  Desk at_once(*store_, /*publish_at_once=*/true);
  Must(at_once.Create());
  Must(at_once.Save("r1", {Number("Q6", 3)}));
  EXPECT_EQ(SayAll(at_once.InFeed().answers().answers()), "Q3=GM0228 Q6=3");
}

TEST_F(DraftStoreTest, TheSweeperPublishesWhatAnEarlierProcessLeft) {
  Must(desk_.Create());
  Must(desk_.Save("r1", {Number("Q6", 3)}));
  DraftSweeper sweeper(desk_.drafts, std::chrono::hours(1));
  sweeper.Start();
  EXPECT_TRUE(Must(store_->WaitFeed(kWaveName, 1, std::chrono::seconds(20))));
  sweeper.Stop();
  EXPECT_EQ(SayAll(desk_.InFeed().answers().answers()), "Q3=GM0228 Q6=3");
}

TEST_F(DraftStoreTest, StatesAreThoseOfThisMoment) {
  Must(desk_.Create());
  Must(desk_.Create("GM0243", {"GM0243"}));
  Must(desk_.Submit());
  const std::string whole = names::LastId(Must(desk_.rooms.Submit(Submission("a"))).response().name());
  EXPECT_THAT(States({"GM0243", "nobody", whole, "GM0228"}), ElementsAre(v1::RESPONSE_STATE_STARTED, v1::RESPONSE_STATE_UNSPECIFIED,
                                                                         v1::RESPONSE_STATE_SUBMITTED, v1::RESPONSE_STATE_SUBMITTED));
  EXPECT_THAT(States({}), IsEmpty());
}

TEST_F(DraftStoreTest, ADraftHasBounds) {
  Desk small(*store_, false, {.most_changes = 3});
  Must(small.Create());
  Must(small.Save("r1", {Number("Q6", 3)}));
  Must(small.Save("r2", {Number("Q6", 4)}));
  EXPECT_EQ(ReasonOf(small.Save("r3", {Number("Q6", 5)})), "TOO_MANY_CHANGES");
  EXPECT_TRUE(small.Submit().ok()) << "what there is can be handed in";
  EXPECT_EQ(ReasonOf(small.Reopen()), "TOO_MANY_CHANGES");

  Must(desk_.Create("large", {"GM0243"}));
  const std::string half(600'000, 'x');
  Must(desk_.drafts.Save(Desk::Saving("r1", {For("", Text("Q1", half))}, NameOfDraft("large")), {}));
  const auto status = desk_.drafts.Save(Desk::Saving("r2", {For("", Text("Q3", half))}, NameOfDraft("large")), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), "RESPONSE_TOO_LARGE");
  EXPECT_EQ(ReasonOf(Validate(Desk::Saving("r2", {For("", Text("Q1", half)), For("", Text("Q3", half))}))), "RESPONSE_TOO_LARGE");
}

TEST_F(DraftStoreTest, AnImportLeavesDraftsAlone) {
  Must(desk_.Create("1", {"GM0243"}));
  const ImportOutcome outcome = RunImport(desk_.rooms, ExportOf(2));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.rows.size(), 2u);
  EXPECT_EQ(outcome.rows[0].outcome(), v1::IMPORT_OUTCOME_UNCHANGED);
  EXPECT_THAT(outcome.rows[0].message(), HasSubstr("online ingevuld"));
  EXPECT_EQ(outcome.rows[1].outcome(), v1::IMPORT_OUTCOME_ADDED);
  EXPECT_EQ(SayAll(desk_.InFeed(NameOfDraft("1")).answers().answers()), "Q3=GM0243");
}

TEST_F(DraftStoreTest, ErasingPersonalAnswersIsEnteredIntoTheHistory) {
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
