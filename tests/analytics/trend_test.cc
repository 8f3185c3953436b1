#include "services/analytics/trend.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "tests/analytics/samples.h"

namespace peiling::analytics {
namespace {

namespace sv = survey::v1;
using samples::Definition;
using samples::Parse;
using testing::ElementsAre;
using testing::HasSubstr;

sv::OptionCount Option(const std::string& question, const std::string& option, const std::string& row = "") {
  sv::OptionCount count;
  count.set_question(question);
  count.set_option(option);
  count.set_row(row);
  return count;
}

TrendWave Counted(std::shared_ptr<WaveDefinition> definition, int64_t k, int64_t n) {
  return {std::move(definition), n, analytics::Counted{k, n}, {}};
}

// "2019 80% k/n RECORDS SAME".
std::string Text(const v1::TrendPoint& point) {
  std::string text = point.wave();
  if (point.has_percent()) text += " " + std::to_string(point.percent()) + "%";
  if (point.has_k()) text += " k=" + std::to_string(point.k());
  if (point.has_n()) text += " n=" + std::to_string(point.n());
  if (point.has_published_percent())
    text += " printed=" + std::to_string(point.published_percent()) + (point.published_slip() ? "(slip)" : "");
  if (point.source() == v1::FIGURE_SOURCE_RECORDS) text += " records";
  if (point.source() == v1::FIGURE_SOURCE_PUBLISHED) text += " print";
  if (point.comparability() == sv::COMPARABILITY_STATUS_COMPARABLE) text += " comparable";
  if (point.comparability() == sv::COMPARABILITY_STATUS_BROKEN) text += " broken";
  return text;
}

std::vector<std::string> Points(const absl::StatusOr<v1::Trend>& trend) {
  std::vector<std::string> points;
  if (!trend.ok()) return {std::string(trend.status().ToString())};
  for (const auto& point : trend->points()) points.push_back(Text(point));
  return points;
}

constexpr char kReport[] = R"(
  source: "Rapport 2022"
  figures { id: "teams.ja.lt50" measure { count { option { question: "teams" option: "ja" } } strata { province: "Utrecht" } } percent: 1 base: 2 }
  trends {
    id: "teams" option { question: "teams" option: "ja" }
    points { wave: "2014" percent: 69 base: 224 } points { wave: "2015" percent: 87 }
    points { wave: "2019" percent: 83 base: 212 } points { wave: "2022" percent: 79 base: 65 slip: true }
  })";

TEST(Trend, TakesRecordsWhereThereAreAndElsePrint) {
  auto latest = Definition();
  latest->report = Parse<sv::PublishedReport>(kReport);
  const auto trend = DrawTrend({Counted(latest, 72, 90), Counted(Definition("2019", "2019-06-03"), 0, 0)}, Option("teams", "ja"), "");
  EXPECT_THAT(Points(trend), ElementsAre("2014 69% n=224 printed=69 print comparable", "2015 87% printed=87 print comparable",
                                         "2019 83% n=212 printed=83 print", "2022 80% k=72 n=90 printed=79(slip) records"));
  EXPECT_EQ(trend->id(), "teams");
  EXPECT_EQ(trend->question_title(), "Zijn er teams?");
  EXPECT_EQ(trend->option_label(), "Ja");
  EXPECT_THAT(trend->points(0).comparability_reason(), HasSubstr("2014"));
}

TEST(Trend, ShowsPrintBesideRecords) {
  auto latest = Definition();
  latest->report = Parse<sv::PublishedReport>(kReport);
  EXPECT_THAT(
      Points(DrawTrend({Counted(Definition("2019", "2019-06-03"), 176, 212), Counted(latest, 72, 90)}, Option("teams", "ja"), "2022"))[2],
      "2019 83% k=176 n=212 printed=83 records");
}

TEST(Trend, JudgesFromTheTextsWhenNothingIsStated) {
  auto same = Definition("2019", "2019-06-03"), title = Definition("2017", "2017-06-01"), label = Definition("2016", "2016-06-01");
  auto questions = samples::Questions("2017");
  questions.mutable_sections(0)->mutable_questions(1)->set_title("Heeft u teams?");
  title->questionnaire = samples::Compiled(questions);
  questions = samples::Questions("2016");
  questions.mutable_sections(0)->mutable_questions(1)->mutable_options(0)->set_label("Jazeker");
  label->questionnaire = samples::Compiled(questions);
  const auto trend =
      DrawTrend({Counted(Definition(), 1, 2), Counted(same, 1, 2), Counted(title, 1, 2), Counted(label, 1, 2)}, Option("teams", "ja"), "");
  EXPECT_THAT(Points(trend), ElementsAre("2016 50% k=1 n=2 records comparable", "2017 50% k=1 n=2 records comparable",
                                         "2019 50% k=1 n=2 records", "2022 50% k=1 n=2 records"));
  EXPECT_THAT(trend->points(0).comparability_reason(), HasSubstr("Jazeker"));
  EXPECT_THAT(trend->points(1).comparability_reason(), HasSubstr("Heeft u teams?"));
}

TEST(Trend, RefusesAWaveThatLacksTheQuestionOrTheOption) {
  auto without_option = Definition("2019", "2019-06-03"), without_question = Definition("2017", "2017-06-01");
  auto questions = samples::Questions("2019");
  questions.mutable_sections(0)->mutable_questions(1)->mutable_options(0)->set_code("yes");
  questions.mutable_sections(1)->mutable_questions(0)->set_ask("teams == yes");
  without_option->questionnaire = samples::Compiled(questions);
  questions = samples::Questions("2017");
  questions.mutable_sections(0)->mutable_questions()->RemoveLast();
  questions.mutable_sections(1)->mutable_questions(0)->clear_ask();
  without_question->questionnaire = samples::Compiled(questions);
  const auto trend =
      DrawTrend({Counted(Definition(), 1, 2), {without_option, 50, std::nullopt, {}}, {without_question, 50, std::nullopt, {}}},
                Option("teams", "ja"), "");
  EXPECT_THAT(Points(trend), ElementsAre("2017 broken", "2019 broken", "2022 50% k=1 n=2 records"));
  EXPECT_THAT(trend->points(0).comparability_reason(), HasSubstr("vraag is in 2017 niet gesteld"));
  EXPECT_THAT(trend->points(1).comparability_reason(), HasSubstr("antwoord kon men in 2019"));
}

TEST(Trend, AStatementDecidesAndTheOptionsOwnGoesFirst) {
  auto latest = Definition();
  auto questions = samples::Questions();
  auto& teams = *questions.mutable_sections(0)->mutable_questions(1);
  *teams.add_comparability() = Parse<sv::Comparability>("wave: '2019' status: COMPARABILITY_STATUS_BROKEN reason: 'Andere vraag.'");
  *teams.mutable_options(1)->add_comparability() =
      Parse<sv::Comparability>("wave: '2019' status: COMPARABILITY_STATUS_COMPARABLE reason: 'Alleen nee.'");
  latest->questionnaire = samples::Compiled(questions);
  latest->report = Parse<sv::PublishedReport>(kReport);
  const std::vector<TrendWave> waves{Counted(latest, 1, 2), Counted(Definition("2019", "2019-06-03"), 1, 2)};
  const auto yes = DrawTrend(waves, Option("teams", "ja"), "");
  EXPECT_EQ(Points(yes)[2], "2019 broken");
  EXPECT_EQ(yes->points(2).comparability_reason(), "Andere vraag.");
  const auto no = DrawTrend(waves, Option("teams", "nee"), "");
  EXPECT_EQ(Points(no)[0], "2019 50% k=1 n=2 records comparable");
  EXPECT_EQ(no->points(0).comparability_reason(), "Alleen nee.");
}

TEST(Trend, AStatementOnAWaveKnownFromPrintAloneDecidesToo) {
  auto latest = Definition();
  auto questions = samples::Questions();
  *questions.mutable_sections(0)->mutable_questions(1)->add_comparability() =
      Parse<sv::Comparability>("wave: '2014' status: COMPARABILITY_STATUS_BROKEN reason: 'Geen gegevens.'");
  latest->questionnaire = samples::Compiled(questions);
  latest->report = Parse<sv::PublishedReport>(kReport);
  EXPECT_EQ(Points(DrawTrend({Counted(latest, 1, 2)}, Option("teams", "ja"), ""))[0], "2014 broken");
}

TEST(Trend, ComparesLaterWavesByWhatTheyStateOnTheBase) {
  auto latest = Definition();
  auto questions = samples::Questions();
  *questions.mutable_sections(0)->mutable_questions(1)->add_comparability() =
      Parse<sv::Comparability>("wave: '2019' status: COMPARABILITY_STATUS_BROKEN reason: 'Andere vraag.'");
  latest->questionnaire = samples::Compiled(questions);
  const auto trend = DrawTrend({Counted(latest, 1, 2), Counted(Definition("2019", "2019-06-03"), 1, 2)}, Option("teams", "ja"), "2019");
  EXPECT_THAT(Points(trend), ElementsAre("2019 50% k=1 n=2 records", "2022 broken"));
}

TEST(Trend, CarriesTheNoticesOfTheWavesItCountsOnce) {
  auto first = Definition("2019", "2019-06-03"), second = Definition();
  first->wave.set_synthetic_notice("Verzonnen.");
  second->wave.set_synthetic_notice("Verzonnen.");
  EXPECT_THAT(DrawTrend({Counted(first, 1, 2), Counted(second, 1, 2)}, Option("teams", "ja"), "")->notices(), ElementsAre("Verzonnen."));
}

TEST(Trend, OfWhatTheBaseWaveDoesNotHaveIsNotFound) {
  EXPECT_EQ(status::Reason(DrawTrend({Counted(Definition(), 1, 2)}, Option("nope", "ja"), "").status()), "QUESTION_NOT_FOUND");
  EXPECT_EQ(status::Reason(DrawTrend({Counted(Definition(), 1, 2)}, Option("teams", "nope"), "").status()), "OPTION_NOT_FOUND");
  EXPECT_EQ(status::Reason(DrawTrend({Counted(Definition(), 1, 2)}, Option("teams", "ja"), "2017").status()), "WAVE_NOT_FOUND");
}

}  // namespace
}  // namespace peiling::analytics
