#include "services/intake/catalog.h"

#include <functional>
#include <thread>
#include <utility>

#include "tests/common/storage/forwarding_store.h"
#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPublishedYaml[] = R"(kind: published
survey: poll
wave: one
source: The report, 2023
figures:
- {id: fieldwork.started, of: {fieldwork: started}, count: 167}
)";

// A store in which something happens just before the next commit.
class BusyStore final : public storage::ForwardingStore {
 public:
  BusyStore(storage::Store& store, std::function<void()> before_commit)
      : ForwardingStore(store), before_commit_(std::move(before_commit)) {}

  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    if (const auto happen = std::exchange(before_commit_, nullptr)) happen();
    return ForwardingStore::Commit(std::move(batch));
  }

 private:
  std::function<void()> before_commit_;
};

class CatalogTest : public ::testing::Test {
 protected:
  std::vector<std::pair<std::string, v1::ApplyOutcome>> Apply(const std::vector<std::string>& texts) {
    auto response = catalog_.Apply(Documents(texts));
    EXPECT_TRUE(response.ok()) << response.status();
    std::vector<std::pair<std::string, v1::ApplyOutcome>> outcomes;
    if (response.ok()) {
      for (const auto& resource : response->resources()) outcomes.emplace_back(resource.name(), resource.outcome());
    }
    return outcomes;
  }
  std::string ReasonOf(const std::vector<std::string>& texts) { return status::Reason(catalog_.Apply(Documents(texts)).status()); }
  std::vector<v1::WaveEvent> Events() {
    std::vector<v1::WaveEvent> events;
    for (const auto& event : Must(store_->ReadFeed(Catalog::kPartition, 0, 1000))) {
      EXPECT_TRUE(events.emplace_back().ParseFromString(event.value));
    }
    return events;
  }
  void Use() { ASSERT_TRUE(catalog_.Use(**catalog_.Questions(kWaveName)).ok()); }

  std::unique_ptr<storage::Store> store_ = MemoryStore();
  Catalog catalog_{*store_};
};

TEST_F(CatalogTest, AppliesDocumentsInAnyOrderAndFindsThemAgain) {
  EXPECT_THAT(
      Apply({kPublishedYaml, kWaveYaml, kSurveyYaml}),
      ElementsAre(std::pair("surveys/poll/waves/one/published-report", v1::APPLY_OUTCOME_CREATED),
                  std::pair("surveys/poll/questionnaires/one", v1::APPLY_OUTCOME_CREATED),
                  std::pair("surveys/poll/waves/one", v1::APPLY_OUTCOME_CREATED), std::pair("surveys/poll", v1::APPLY_OUTCOME_CREATED)));
  EXPECT_EQ(catalog_.GetSurvey("surveys/poll")->title(), "A poll");
  const auto wave = catalog_.GetWave(kWaveName);
  ASSERT_TRUE(wave.ok());
  EXPECT_EQ(wave->groups_date(), "2022-03-24") << "by default the frame date";
  const auto questionnaire = catalog_.GetQuestionnaire(wave->questionnaire());
  ASSERT_TRUE(questionnaire.ok());
  EXPECT_EQ(questionnaire->fingerprint(), wave->questionnaire_fingerprint());
  EXPECT_EQ(questionnaire->questionnaire().sections_size(), 2);
  EXPECT_EQ(catalog_.GetPublishedReport(kWaveName)->report().figures(0).count(), 167);
}

TEST_F(CatalogTest, WhatIsTheSameStaysAsItIs) {
  Apply({kSurveyYaml, kWaveYaml, kPublishedYaml});
  const size_t events = Events().size();
  const std::string etag = catalog_.GetWave(kWaveName)->etag();
  for (const auto& [name, outcome] : Apply({kSurveyYaml, kWaveYaml, kPublishedYaml}))
    EXPECT_EQ(outcome, v1::APPLY_OUTCOME_UNCHANGED) << name;
  EXPECT_EQ(Events().size(), events);
  EXPECT_EQ(catalog_.GetWave(kWaveName)->etag(), etag);
}

TEST_F(CatalogTest, AppliesAllOrNothing) {
  auto status = catalog_.Apply(Documents({kSurveyYaml, Replaced(kWaveYaml, "type: number", "type: nummer")})).status();
  EXPECT_EQ(status::Reason(status), "DOCUMENT_INVALID");
  ASSERT_FALSE(status::FieldViolations(status).empty());
  EXPECT_THAT(status::FieldViolations(status)[0].first, ::testing::StartsWith("file2.yaml:26:"));
  EXPECT_EQ(status::Reason(catalog_.GetSurvey("surveys/poll").status()), "SURVEY_NOT_FOUND");
}

TEST_F(CatalogTest, RefusesWhatRefersToNothing) {
  EXPECT_EQ(ReasonOf({kWaveYaml}), "DOCUMENT_INVALID") << "no survey";
  EXPECT_EQ(ReasonOf({kSurveyYaml, kPublishedYaml}), "DOCUMENT_INVALID") << "no wave";
  const std::string named =
      "kind: wave\nsurvey: poll\nwave: two\ntitle: T\nframe_date: 2022-01-01\nopened: 2022-01-01\nquestionnaire: one\n";
  EXPECT_EQ(ReasonOf({kSurveyYaml, named}), "DOCUMENT_INVALID") << "no questionnaire";
  EXPECT_EQ(ReasonOf({kSurveyYaml, named, kWaveYaml}), "") << "the order does not matter";
  EXPECT_EQ(ReasonOf({kSurveyYaml, kSurveyYaml}), "DOCUMENT_INVALID") << "twice";
}

TEST_F(CatalogTest, ADryRunChangesNothing) {
  auto request = Documents({kSurveyYaml, kWaveYaml});
  request.set_dry_run(true);
  auto response = catalog_.Apply(request);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->resources(0).outcome(), v1::APPLY_OUTCOME_CREATED);
  EXPECT_FALSE(catalog_.GetSurvey("surveys/poll").ok());
  EXPECT_TRUE(Events().empty());
}

TEST_F(CatalogTest, QuestionsChangeUntilTheFirstResponse) {
  Apply({kSurveyYaml, kWaveYaml});
  const std::string before = catalog_.GetWave(kWaveName)->questionnaire_fingerprint();
  Apply({Replaced(kWaveYaml, "title: Hoeveel", "title: Hoe veel")});
  EXPECT_NE(catalog_.GetWave(kWaveName)->questionnaire_fingerprint(), before);
  Use();
  auto status = catalog_.Apply(Documents({kWaveYaml})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status::Reason(status), "QUESTIONNAIRE_IN_USE");
}

TEST_F(CatalogTest, AWaveInUseKeepsItsFrameDateAndItsQuestionnaireButNotItsTitle) {
  Apply({kSurveyYaml, kWaveYaml});
  Use();
  EXPECT_EQ(ReasonOf({Replaced(kWaveYaml, "2022-03-24", "2022-03-25")}), "QUESTIONNAIRE_IN_USE");
  EXPECT_EQ(ReasonOf({Replaced(kWaveYaml, "language: nl", "language: nl\nquestionnaire: other")}), "QUESTIONNAIRE_IN_USE");
  EXPECT_EQ(ReasonOf({Replaced(kWaveYaml, "The first wave", "Wave 1")}), "");
  EXPECT_EQ(catalog_.GetWave(kWaveName)->title(), "Wave 1");
}

TEST_F(CatalogTest, AWaveHasOnePartitionUnlessItSaysOtherwiseAndKeepsThemOnceInUse) {
  Apply({kSurveyYaml, kWaveYaml});
  EXPECT_EQ(catalog_.GetWave(kWaveName)->partitions(), 1);
  const std::string eight = Replaced(kWaveYaml, "language: nl", "language: nl\npartitions: 8");
  Apply({eight});
  EXPECT_EQ(catalog_.GetWave(kWaveName)->partitions(), 8);
  EXPECT_EQ(*catalog_.Partitions(kWaveName), 8);
  Use();
  const absl::Status status = catalog_.Apply(Documents({kWaveYaml})).status();
  EXPECT_EQ(status::Reason(status), "QUESTIONNAIRE_IN_USE");
  EXPECT_EQ(status::Metadata(status)["field"], "partitions");
  EXPECT_THAT(status.message(), HasSubstr("8"));
  EXPECT_EQ(ReasonOf({eight}), "");
}

TEST_F(CatalogTest, RefusesImpossibleNumbersOfPartitions) {
  for (const char* partitions : {"0", "-1", "65", "many", "1.5"}) {
    const std::string yaml = Replaced(kWaveYaml, "language: nl", std::string("language: nl\npartitions: ") + partitions);
    EXPECT_EQ(ReasonOf({kSurveyYaml, yaml}), "DOCUMENT_INVALID") << partitions;
  }
}

TEST_F(CatalogTest, AFirstResponseToPartitionsThatChangedIsNotTaken) {
  Apply({kSurveyYaml, kWaveYaml});
  const auto old = *catalog_.Questions(kWaveName);
  Apply({Replaced(kWaveYaml, "language: nl", "language: nl\npartitions: 2")});
  EXPECT_EQ(status::Reason(catalog_.Use(*old)), "CONCURRENT_CHANGE");
}

TEST_F(CatalogTest, WavesThatShareQuestionsShareTheirFate) {
  const std::string two = "kind: wave\nsurvey: poll\nwave: two\ntitle: T\nframe_date: 2022-01-01\nopened: 2022-01-01\nquestionnaire: one\n";
  Apply({kSurveyYaml, kWaveYaml, two});
  const std::string changed = Replaced(kWaveYaml, "title: Hoeveel", "title: Hoe veel");
  EXPECT_THAT(Apply({changed}), ElementsAre(std::pair("surveys/poll/questionnaires/one", v1::APPLY_OUTCOME_CHANGED),
                                            std::pair("surveys/poll/waves/one", v1::APPLY_OUTCOME_CHANGED),
                                            std::pair("surveys/poll/waves/two", v1::APPLY_OUTCOME_CHANGED)));
  EXPECT_EQ(catalog_.GetWave("surveys/poll/waves/two")->questionnaire_fingerprint(),
            catalog_.GetWave(kWaveName)->questionnaire_fingerprint());
  ASSERT_TRUE(catalog_.Use(**catalog_.Questions("surveys/poll/waves/two")).ok());
  EXPECT_EQ(ReasonOf({kWaveYaml}), "QUESTIONNAIRE_IN_USE");
}

TEST_F(CatalogTest, AWaveThatTakesUpQuestionsWhileTheyChangeIsNotForgotten) {
  const std::string two = "kind: wave\nsurvey: poll\nwave: two\ntitle: T\nframe_date: 2022-01-01\nopened: 2022-01-01\nquestionnaire: one\n";
  const std::string changed = Replaced(kWaveYaml, "title: Hoeveel", "title: Hoe veel");
  Apply({kSurveyYaml, kWaveYaml});
  BusyStore busy(*store_, [&] { Apply({two}); });
  ASSERT_TRUE(Catalog(busy).Apply(Documents({changed})).ok());
  EXPECT_EQ(catalog_.GetWave("surveys/poll/waves/two")->questionnaire_fingerprint(),
            catalog_.GetWave(kWaveName)->questionnaire_fingerprint());

  const std::string three = Replaced(two, "wave: two", "wave: three");
  BusyStore busier(*store_, [&] {
    Apply({three});
    ASSERT_TRUE(catalog_.Use(**catalog_.Questions("surveys/poll/waves/three")).ok());
  });
  EXPECT_EQ(status::Reason(Catalog(busier).Apply(Documents({kWaveYaml})).status()), "QUESTIONNAIRE_IN_USE");
}

TEST_F(CatalogTest, AFirstResponseToQuestionsThatChangedIsNotTaken) {
  Apply({kSurveyYaml, kWaveYaml});
  const auto old = *catalog_.Questions(kWaveName);
  Apply({Replaced(kWaveYaml, "title: Hoeveel", "title: Hoe veel")});
  EXPECT_EQ(status::Reason(catalog_.Use(*old)), "CONCURRENT_CHANGE");
  EXPECT_EQ(ReasonOf({kWaveYaml}), "") << "it was not fixed";
  EXPECT_TRUE(catalog_.Use(*old).ok()) << "they are the same again";
}

TEST_F(CatalogTest, AChangeOfTitleDoesNotStopAFirstResponse) {
  Apply({kSurveyYaml, kWaveYaml});
  const auto old = *catalog_.Questions(kWaveName);
  Apply({Replaced(kWaveYaml, "The first wave", "Wave 1")});
  EXPECT_TRUE(catalog_.Use(*old).ok());
}

TEST_F(CatalogTest, QuestionsInUseComeFromMemory) {
  Apply({kSurveyYaml, kWaveYaml});
  EXPECT_NE(*catalog_.Questions(kWaveName), *catalog_.Questions(kWaveName));
  Use();
  EXPECT_EQ(*catalog_.Questions(kWaveName), *catalog_.Questions(kWaveName));
}

TEST_F(CatalogTest, TellsOfWavesWhole) {
  Apply({kSurveyYaml, kWaveYaml});
  Apply({kPublishedYaml});
  Apply({Replaced(kWaveYaml, "The first wave", "Wave 1")});
  const std::vector<v1::WaveEvent> events = Events();
  ASSERT_EQ(events.size(), 3u);
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].wave().name(), kWaveName);
    EXPECT_EQ(events[i].published_report_changed(), i == 1);
  }
  EXPECT_EQ(events[2].wave().DebugString(), catalog_.GetWave(kWaveName)->DebugString());
}

TEST_F(CatalogTest, ARepeatedRequestGetsTheFirstAnswer) {
  auto request = Documents({kSurveyYaml, kWaveYaml});
  request.set_request_id("once");
  const auto first = catalog_.Apply(request);
  const auto repeat = catalog_.Apply(request);
  ASSERT_TRUE(first.ok() && repeat.ok());
  EXPECT_EQ(first->DebugString(), repeat->DebugString());
  EXPECT_EQ(repeat->resources(0).outcome(), v1::APPLY_OUTCOME_CREATED);
  request.mutable_documents()->RemoveLast();
  EXPECT_EQ(status::Reason(catalog_.Apply(request).status()), "REQUEST_ID_REUSED");
}

TEST_F(CatalogTest, ManyAtOnceAllSucceed) {
  Apply({kSurveyYaml});
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int j = 0; j < 10; ++j) {
        const auto status = catalog_.Apply(Documents({Replaced(kWaveYaml, "wave: one", absl::StrCat("wave: w", i, "x", j % 3))})).status();
        EXPECT_TRUE(status.ok()) << status;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(catalog_
                .ListWaves(
                    [] {
                      v1::ListWavesRequest r;
                      r.set_parent("surveys/-");
                      return r;
                    }(),
                    {})
                ->waves_size(),
            12);
}

TEST_F(CatalogTest, ListsInPages) {
  std::vector<std::string> texts = {kSurveyYaml, Replaced(kSurveyYaml, "survey: poll", "survey: a")};
  for (const char* id : {"c", "a", "b"}) texts.push_back(Replaced(kWaveYaml, "wave: one", std::string("wave: ") + id));
  texts.push_back(Replaced(Replaced(kWaveYaml, "wave: one", "wave: z"), "survey: poll", "survey: a"));
  Apply(texts);

  v1::ListWavesRequest request;
  request.set_parent("surveys/poll");
  auto page = catalog_.ListWaves(request, {.size = 2});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->waves_size(), 2);
  EXPECT_EQ(page->waves(1).name(), "surveys/poll/waves/b");
  request.set_page_token(page->next_page_token());
  status::BadRequest bad;
  page = catalog_.ListWaves(request, paging::ReadPage(request, bad));
  EXPECT_TRUE(bad.empty());
  ASSERT_EQ(page->waves_size(), 1);
  EXPECT_EQ(page->waves(0).name(), "surveys/poll/waves/c");
  EXPECT_EQ(page->next_page_token(), "");

  request.Clear();
  request.set_parent("surveys/-");
  EXPECT_EQ(catalog_.ListWaves(request, {})->waves_size(), 4);
  request.set_parent("surveys/none");
  EXPECT_EQ(status::Reason(catalog_.ListWaves(request, {}).status()), "SURVEY_NOT_FOUND");
  EXPECT_EQ(catalog_.ListSurveys({}, {.size = 1})->surveys(0).name(), "surveys/a");
}

TEST_F(CatalogTest, SaysWhatIsNotThere) {
  Apply({kSurveyYaml, kWaveYaml});
  EXPECT_EQ(status::Reason(catalog_.GetWave("surveys/poll/waves/no").status()), "WAVE_NOT_FOUND");
  EXPECT_EQ(status::Reason(catalog_.Questions("surveys/poll/waves/no").status()), "WAVE_NOT_FOUND");
  EXPECT_EQ(status::Reason(catalog_.GetQuestionnaire("surveys/poll/questionnaires/no").status()), "QUESTIONNAIRE_NOT_FOUND");
  EXPECT_EQ(status::Reason(catalog_.GetPublishedReport(kWaveName).status()), "PUBLISHED_REPORT_NOT_FOUND");
  EXPECT_EQ(status::Reason(catalog_.GetPublishedReport("surveys/poll/waves/no").status()), "WAVE_NOT_FOUND");
}

}  // namespace
}  // namespace peiling::intake
