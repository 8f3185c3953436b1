#include "services/dedup/case_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/dedup/fixture.h"

namespace peiling::dedup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Placement PlaceIt(const Filled& filled, std::vector<v1::Ruling> rulings = {}) {
  const Rulings in_force(Numbered(std::move(rulings)));
  return Place(MakeSubmission(filled), in_force, *TestSetup());
}

// A case of GM0001 with what is in it.
struct Decided {
  CaseOutcome outcome;
  std::deque<Submission> submissions;
  std::deque<Placement> placements;

  const v1::Decision& of(const std::string& id) const {
    for (const auto& decision : outcome.decisions) {
      if (decision.response() == ResponseName(id)) return decision;
    }
    ADD_FAILURE() << "no decision on " << id;
    return v1::Decision::default_instance();
  }
  std::string kept() const { return outcome.kept < 0 ? "" : submissions[outcome.kept].response.name(); }
};

Decided Decide(const std::vector<Filled>& responses, std::vector<v1::Ruling> rulings = {}, const std::string& case_id = "GM0001") {
  const Rulings in_force(Numbered(std::move(rulings)));
  Decided decided;
  std::vector<Member> members;
  for (const Filled& filled : responses) {
    decided.submissions.push_back(MakeSubmission(filled));
    decided.placements.push_back(Place(decided.submissions.back(), in_force, *TestSetup()));
    members.push_back({&decided.submissions.back(), &decided.placements.back()});
  }
  decided.outcome = DecideCase(case_id, members, in_force, *TestSetup());
  return decided;
}

// ---- Place ----

struct PlaceCase {
  const char* name;
  Filled filled;
  std::vector<v1::Ruling> rulings;
  std::vector<std::string> cases;
  v1::Disposition disposition;
  std::vector<std::string> codes;
};

class PlaceTest : public testing::TestWithParam<PlaceCase> {};

TEST_P(PlaceTest, GoesWhereItBelongs) {
  const PlaceCase& expected = GetParam();
  const Placement placement = PlaceIt(expected.filled, expected.rulings);
  EXPECT_EQ(placement.cases, expected.cases);
  EXPECT_EQ(v1::Disposition_Name(placement.decision.disposition()), v1::Disposition_Name(expected.disposition));
  EXPECT_EQ(placement.competes, expected.disposition == v1::DISPOSITION_UNSPECIFIED);
  EXPECT_THAT(placement.decision.municipality_codes(), testing::ElementsAreArray(expected.codes));
  EXPECT_EQ(placement.decision.reason().empty(), placement.competes) << "what is final has a reason";
}

constexpr auto kCompetes = v1::DISPOSITION_UNSPECIFIED;

INSTANTIATE_TEST_SUITE_P(
    All, PlaceTest,
    testing::Values(
        PlaceCase{"Exact", {.id = "1", .municipality = "GM0001"}, {}, {"GM0001"}, kCompetes, {"GM0001"}},
        PlaceCase{"Corrected", {.id = "1", .municipality = "~GM0002"}, {}, {"GM0002"}, kCompetes, {"GM0002"}},
        PlaceCase{"Several", {.id = "1", .municipality = "GM0002+GM0001"}, {}, {"GM0001", "GM0002"}, kCompetes, {"GM0001", "GM0002"}},
        PlaceCase{"SeveralOneNotInFrame", {.id = "1", .municipality = "GM0001+GM9999"}, {}, {"GM0001"}, kCompetes, {"GM0001"}},
        PlaceCase{"Ambiguous", {.id = "1", .municipality = "GM0002?GM0001"}, {}, {"GM0001-GM0002"}, v1::DISPOSITION_AMBIGUOUS, {}},
        PlaceCase{"Former", {.id = "1", .municipality = "-GM0099"}, {}, {}, v1::DISPOSITION_OUT_OF_FRAME, {"GM0099"}},
        PlaceCase{"NotInFrame", {.id = "1", .municipality = "GM9999"}, {}, {}, v1::DISPOSITION_OUT_OF_FRAME, {"GM9999"}},
        PlaceCase{"Unknown", {.id = "1", .municipality = "Achterhoek"}, {}, {}, v1::DISPOSITION_MUNICIPALITY_UNKNOWN, {}},
        PlaceCase{"TheWordTestIsNoTrial", {.id = "1", .municipality = "test"}, {}, {}, v1::DISPOSITION_MUNICIPALITY_UNKNOWN, {}},
        PlaceCase{"NoText", {.id = "1", .municipality = ""}, {}, {}, v1::DISPOSITION_MUNICIPALITY_UNKNOWN, {}},
        PlaceCase{"Trial", {.id = "1", .test = true}, {}, {"GM0001"}, v1::DISPOSITION_TEST, {"GM0001"}},
        PlaceCase{"Withdrawn", {.id = "1", .withdrawn = true}, {}, {"GM0001"}, v1::DISPOSITION_WITHDRAWN, {"GM0001"}},
        PlaceCase{"WithdrawnUnknown", {.id = "1", .municipality = "?", .withdrawn = true}, {}, {}, v1::DISPOSITION_WITHDRAWN, {}},
        PlaceCase{"Excluded", {.id = "1"}, {Exclude("1")}, {"GM0001"}, v1::DISPOSITION_EXCLUDED, {"GM0001"}},
        PlaceCase{
            "WithdrawnBeforeExcluded", {.id = "1", .withdrawn = true}, {Exclude("1")}, {"GM0001"}, v1::DISPOSITION_WITHDRAWN, {"GM0001"}},
        PlaceCase{"ExcludedBeforeTrial", {.id = "1", .test = true}, {Exclude("1")}, {"GM0001"}, v1::DISPOSITION_EXCLUDED, {"GM0001"}},
        PlaceCase{"AssignedOverAmbiguous",
                  {.id = "1", .municipality = "GM0001?GM0002"},
                  {Assign("1", "GM0002")},
                  {"GM0002"},
                  kCompetes,
                  {"GM0002"}},
        PlaceCase{"AssignedOverUnknown", {.id = "1", .municipality = "?"}, {Assign("1", "GM0002")}, {"GM0002"}, kCompetes, {"GM0002"}},
        PlaceCase{"AssignedOverExact", {.id = "1"}, {Assign("1", "GM0002")}, {"GM0002"}, kCompetes, {"GM0002"}},
        PlaceCase{"Split", {.id = "1"}, {Split("1", {"GM0003", "GM0002"})}, {"GM0002", "GM0003"}, kCompetes, {"GM0002", "GM0003"}},
        PlaceCase{"InvitedOverText",
                  {.id = "1", .municipality = "GM0003", .invited = {"GM0001", "GM0002"}},
                  {},
                  {"GM0001", "GM0002"},
                  kCompetes,
                  {"GM0001", "GM0002"}},
        PlaceCase{"AssignedOverInvited", {.id = "1", .invited = {"GM0001"}}, {Assign("1", "GM0002")}, {"GM0002"}, kCompetes, {"GM0002"}},
        PlaceCase{"InvitedAndOpenedAlone",
                  {.id = "1", .submitted = false, .single = "", .invited = {"GM0001"}},
                  {},
                  {"GM0001"},
                  v1::DISPOSITION_EMPTY,
                  {"GM0001"}},
        PlaceCase{"InvitedAndBegun", {.id = "1", .submitted = false, .invited = {"GM0001"}}, {}, {"GM0001"}, kCompetes, {"GM0001"}},
        PlaceCase{"InvitedAndBegunForOneOfThem",
                  {.id = "1", .submitted = false, .single = "", .invited = {"GM0001", "GM0002"}, .single_of = {{"GM0002", "ja"}}},
                  {},
                  {"GM0001", "GM0002"},
                  kCompetes,
                  {"GM0001", "GM0002"}},
        PlaceCase{"InvitedAndSubmittedEmpty", {.id = "1", .single = "", .invited = {"GM0001"}}, {}, {"GM0001"}, kCompetes, {"GM0001"}},
        PlaceCase{"RulingOnAnother", {.id = "1"}, {Assign("2", "GM0002"), Exclude("3")}, {"GM0001"}, kCompetes, {"GM0001"}}),
    [](const auto& info) { return info.param.name; });

TEST(PlaceTest, ResolutionIsShownUnlessARulingAssigned) {
  EXPECT_EQ(PlaceIt({.id = "1"}).decision.resolution().text(), "GM0001");
  const Placement assigned = PlaceIt({.id = "1"}, {Assign("1", "GM0002")});
  EXPECT_FALSE(assigned.decision.has_resolution());
  EXPECT_EQ(assigned.decision.ruling(), "surveys/s/waves/w/rulings/1");
}

TEST(PlaceTest, FormerMunicipalityNamesItsSuccessors) {
  EXPECT_EQ(PlaceIt({.id = "1", .municipality = "-GM0099"}).decision.reason(),
            "Oudstad was op 2022-03-24 geen gemeente; opgevolgd door Aa.");
}

TEST(PlaceTest, WhatSomebodyTypedIsNotInTheReason) {
  EXPECT_THAT(PlaceIt({.id = "1", .municipality = "jan@example.nl"}).decision.reason(), Not(HasSubstr("jan")));
}

TEST(PlaceTest, NameForTooManyMunicipalitiesIsUnknown) {
  std::string text = "GM0001";
  for (int i = 100; i < 114; ++i) absl::StrAppend(&text, "?GM0", i);
  const Placement placement = PlaceIt({.id = "1", .municipality = text});
  EXPECT_THAT(placement.cases, IsEmpty());
  EXPECT_EQ(placement.decision.disposition(), v1::DISPOSITION_MUNICIPALITY_UNKNOWN);
}

TEST(PlaceTest, TimesAndAnswersAreCarried) {
  const Placement placement = PlaceIt({.id = "1", .submitted = false, .answered = 7, .started = 3});
  EXPECT_EQ(placement.decision.answered(), 7);
  EXPECT_EQ(placement.decision.started_at().seconds(), 180);
  EXPECT_FALSE(placement.decision.has_submitted_at());
}

// ---- Which is kept ----

struct BetterCase {
  const char* name;
  Filled better;
  Filled worse;
  bool equally_complete;
};

class BetterTest : public testing::TestWithParam<BetterCase> {};

TEST_P(BetterTest, IsKeptWhateverTheOrder) {
  const auto& [name, better, worse, equally_complete] = GetParam();
  for (const auto& responses : {std::vector<Filled>{better, worse}, std::vector<Filled>{worse, better}}) {
    const Decided decided = Decide(responses);
    EXPECT_EQ(decided.outcome.state, v1::CASE_STATE_DECIDED);
    EXPECT_EQ(decided.kept(), ResponseName(better.id));
    EXPECT_EQ(decided.of(better.id).disposition(), v1::DISPOSITION_KEPT);
    EXPECT_THAT(decided.of(better.id).kept_for(), ElementsAre("GM0001"));
    EXPECT_EQ(decided.of(worse.id).disposition(), v1::DISPOSITION_COLLEAGUE_DUPLICATE);
    EXPECT_EQ(decided.of(worse.id).superseded_by(), ResponseName(better.id));
    EXPECT_EQ(decided.of(worse.id).equally_complete(), equally_complete);
    EXPECT_FALSE(decided.of(better.id).equally_complete());
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BetterTest,
    testing::Values(
        BetterCase{
            "SubmittedBeforeMoreAnswers", {.id = "1", .answered = 1}, {.id = "2", .submitted = false, .answered = 19, .minute = 9}, false},
        BetterCase{"MoreAnswersBeforeLater", {.id = "1", .answered = 11}, {.id = "2", .answered = 10, .minute = 9}, false},
        BetterCase{"MoreAnswersNotSubmitted",
                   {.id = "1", .submitted = false, .answered = 11},
                   {.id = "2", .submitted = false, .minute = 9},
                   false},
        BetterCase{"LaterSubmitted", {.id = "1", .minute = 9}, {.id = "2", .minute = 8, .started = 5}, true},
        BetterCase{"LaterChanged", {.id = "1", .submitted = false, .minute = 9}, {.id = "2", .submitted = false, .minute = 8}, true},
        BetterCase{"LaterStarted", {.id = "1", .minute = 9, .started = 2}, {.id = "2", .minute = 9, .started = 1}, true},
        BetterCase{"GreaterId", {.id = "2"}, {.id = "1"}, true}, BetterCase{"LongerIdIsGreater", {.id = "101"}, {.id = "99"}, true}),
    [](const auto& info) { return info.param.name; });

TEST(DecideCaseTest, OneForSeveralIsAsCompleteAsItIsForThisMunicipality) {
  // Complete for GM0001, but not for GM0002, as which its completeness is told.
  const Filled joint{
      .id = "1", .answered = 1, .single = "", .multiple = {"a"}, .invited = {"GM0001", "GM0002"}, .single_of = {{"GM0001", "ja"}}};
  const auto alone = [](const char* code) { return Filled{.id = "2", .municipality = code, .answered = 2, .minute = 9}; };
  const Decided of_first = Decide({joint, alone("GM0001")}, {}, "GM0001");
  EXPECT_EQ(of_first.kept(), ResponseName("1"));
  EXPECT_FALSE(of_first.of("2").equally_complete());
  const Decided of_second = Decide({joint, alone("GM0002")}, {}, "GM0002");
  EXPECT_EQ(of_second.kept(), ResponseName("2"));
  EXPECT_TRUE(of_second.of("1").equally_complete()) << "each says one of the two";
  EXPECT_THAT(of_second.outcome.contradictions, testing::SizeIs(1));
}

TEST(DecideCaseTest, SamePersonIsARestart) {
  const Decided decided =
      Decide({{.id = "1", .minute = 1, .person = "p"}, {.id = "2", .minute = 2, .person = "p"}, {.id = "3", .person = "q"}});
  EXPECT_EQ(decided.of("1").disposition(), v1::DISPOSITION_RESTART);
  EXPECT_EQ(decided.of("2").disposition(), v1::DISPOSITION_KEPT);
  EXPECT_EQ(decided.of("3").disposition(), v1::DISPOSITION_COLLEAGUE_DUPLICATE);
}

TEST(DecideCaseTest, TwoWithoutANameAreNotTheSamePerson) {
  const Decided decided = Decide({{.id = "1", .minute = 1}, {.id = "2", .minute = 2}});
  EXPECT_EQ(decided.of("1").disposition(), v1::DISPOSITION_COLLEAGUE_DUPLICATE);
}

TEST(DecideCaseTest, OneAloneIsKeptHoweverLittleItSays) {
  const Decided decided = Decide({{.id = "1", .submitted = false, .answered = 0}});
  EXPECT_EQ(decided.of("1").disposition(), v1::DISPOSITION_KEPT);
  EXPECT_EQ(decided.of("1").reason(), "De enige vragenlijst van Aa.");
}

TEST(DecideCaseTest, WhatTakesNoPartIsNeverKept) {
  const Decided decided =
      Decide({{.id = "1", .withdrawn = true}, {.id = "2", .test = true}, {.id = "3"}, {.id = "4", .submitted = false, .answered = 1}},
             {Exclude("3")});
  EXPECT_EQ(decided.kept(), ResponseName("4"));
  EXPECT_EQ(decided.of("1").disposition(), v1::DISPOSITION_WITHDRAWN);
  EXPECT_EQ(decided.of("2").disposition(), v1::DISPOSITION_TEST);
  EXPECT_EQ(decided.of("3").disposition(), v1::DISPOSITION_EXCLUDED);
}

TEST(DecideCaseTest, CaseWithNothingThatCountsIsEmpty) {
  EXPECT_EQ(Decide({{.id = "1", .withdrawn = true}, {.id = "2", .test = true}}).outcome.state, v1::CASE_STATE_EMPTY);
  EXPECT_EQ(Decide({{.id = "1", .municipality = "GM0001?GM0002", .test = true}}, {}, "GM0001-GM0002").outcome.state, v1::CASE_STATE_EMPTY);
}

TEST(DecideCaseTest, AmbiguousCaseWaits) {
  const Decided decided = Decide(
      {{.id = "1", .municipality = "GM0001?GM0002"}, {.id = "2", .municipality = "GM0001?GM0002", .withdrawn = true}}, {}, "GM0001-GM0002");
  EXPECT_EQ(decided.outcome.state, v1::CASE_STATE_WAITING);
  EXPECT_EQ(decided.kept(), "");
  EXPECT_EQ(decided.of("1").reason(), "Kan voor Aa of Bee zijn (GM0001, GM0002); een onderzoeker moet beslissen.");
}

TEST(DecideCaseTest, KeepRulingWinsOverCompleteness) {
  const Decided decided = Decide(
      {{.id = "1", .submitted = false, .answered = 1, .person = "p"}, {.id = "2", .answered = 19, .person = "p"}}, {Keep("1", "GM0001")});
  EXPECT_EQ(decided.kept(), ResponseName("1"));
  EXPECT_EQ(decided.of("1").ruling(), "surveys/s/waves/w/rulings/1");
  EXPECT_EQ(decided.of("2").disposition(), v1::DISPOSITION_RESTART);
  EXPECT_EQ(decided.of("2").ruling(), "surveys/s/waves/w/rulings/1");
  EXPECT_EQ(decided.of("2").reason(), "Dezelfde persoon begon opnieuw; vragenlijst 1 is gekozen bij beslissing 1.");
}

TEST(DecideCaseTest, KeepRulingOnOneThatTakesNoPartDoesNothing) {
  const Decided decided = Decide({{.id = "1", .withdrawn = true}, {.id = "2"}}, {Keep("1", "GM0001")});
  EXPECT_EQ(decided.kept(), ResponseName("2"));
  EXPECT_EQ(decided.of("2").ruling(), "");
}

// ---- Contradictions ----

TEST(ContradictionTest, EquallyCompleteOnesThatSayOtherThings) {
  const Decided decided = Decide({{.id = "1", .minute = 1, .single = "ja", .multiple = {"a", "b"}},
                                  {.id = "2", .minute = 2, .single = "nee", .multiple = {"b", "a"}},
                                  {.id = "3", .answered = 9, .single = "ja"}});
  ASSERT_EQ(decided.outcome.contradictions.size(), 1u);
  const v1::Contradiction& contradiction = decided.outcome.contradictions[0];
  EXPECT_EQ(contradiction.kept(), ResponseName("2"));
  EXPECT_EQ(contradiction.other(), ResponseName("1"));
  ASSERT_EQ(contradiction.answers_size(), 1) << "the same options in another order are the same answer";
  EXPECT_EQ(contradiction.answers(0).question(), "Single");
  EXPECT_THAT(contradiction.answers(0).kept().selection().codes(), ElementsAre("nee"));
  EXPECT_THAT(contradiction.answers(0).other().selection().codes(), ElementsAre("ja"));
}

TEST(ContradictionTest, SilenceDiffersFromAnAnswer) {
  const Decided decided = Decide({{.id = "1", .minute = 1, .multiple = {"a"}}, {.id = "2", .minute = 2}});
  ASSERT_EQ(decided.outcome.contradictions.size(), 1u);
  EXPECT_EQ(decided.outcome.contradictions[0].answers(0).question(), "Several");
  EXPECT_FALSE(decided.outcome.contradictions[0].answers(0).has_kept());
  EXPECT_TRUE(decided.outcome.contradictions[0].answers(0).has_other());
}

TEST(ContradictionTest, OpenPersonalAndUnaskedAnswersAreNotCompared) {
  const Rulings none;
  Submission one = MakeSubmission({.id = "1", .minute = 1, .single = "nee"});
  Submission two = MakeSubmission({.id = "2", .minute = 2, .single = "nee"});
  int i = 0;
  for (Submission* submission : {&one, &two}) {
    const auto answer = [&](const char* question) {
      auto* added = submission->response.mutable_answers()->add_answers();
      added->set_question(question);
      return added;
    };
    answer("IfYes")->mutable_selection()->add_codes(i == 0 ? "x" : "y");
    answer("Open")->set_text(i == 0 ? "zus" : "zo");
    answer("Secret")->mutable_selection()->add_codes(i == 0 ? "p" : "q");
    ++i;
  }
  const Placement placed_one = Place(one, none, *TestSetup());
  const Placement placed_two = Place(two, none, *TestSetup());
  EXPECT_THAT(DecideCase("GM0001", {{&one, &placed_one}, {&two, &placed_two}}, none, *TestSetup()).contradictions, IsEmpty());
}

TEST(ContradictionTest, MatricesDifferByCell) {
  const Rulings none;
  Submission one = MakeSubmission({.id = "1", .minute = 1});
  Submission two = MakeSubmission({.id = "2", .minute = 2});
  for (Submission* submission : {&one, &two}) {
    auto& answer = *submission->response.mutable_answers()->add_answers();
    answer.set_question("Matrix");
    for (const char* row : {"r1", "r2"}) {
      auto& cell = *answer.mutable_grid()->add_cells();
      cell.set_row(row);
      cell.set_option(submission == &one && row == std::string("r2") ? "nooit" : "vaak");
    }
  }
  const Placement placed_one = Place(one, none, *TestSetup());
  const Placement placed_two = Place(two, none, *TestSetup());
  const CaseOutcome outcome = DecideCase("GM0001", {{&one, &placed_one}, {&two, &placed_two}}, none, *TestSetup());
  ASSERT_EQ(outcome.contradictions.size(), 1u);
  EXPECT_EQ(outcome.contradictions[0].answers(0).question(), "Matrix");
}

// ---- Joint responses ----

v1::Decision InCase(const std::string& code, bool kept, const std::string& superseded_by = "") {
  v1::Decision decision;
  decision.set_disposition(kept ? v1::DISPOSITION_KEPT : v1::DISPOSITION_RESTART);
  if (kept) decision.add_kept_for(code);
  decision.set_superseded_by(superseded_by);
  decision.set_equally_complete(!kept);
  return decision;
}

TEST(CombineTest, JointIsKeptWhenItIsKeptAnywhere) {
  const Placement placement = PlaceIt({.id = "1", .municipality = "GM0001+GM0002"});
  const v1::Decision lost = InCase("GM0001", false, "other");
  const v1::Decision won = InCase("GM0002", true);
  const v1::Decision combined = Combine(placement, {&lost, &won}, *TestSetup());
  EXPECT_EQ(combined.disposition(), v1::DISPOSITION_KEPT);
  EXPECT_THAT(combined.kept_for(), ElementsAre("GM0002"));
  EXPECT_EQ(combined.superseded_by(), "");
  EXPECT_FALSE(combined.equally_complete());
}

TEST(CombineTest, JointKeptForAllSaysSo) {
  const Placement placement = PlaceIt({.id = "1", .municipality = "GM0001+GM0002+GM0003"});
  const v1::Decision a = InCase("GM0001", true), b = InCase("GM0002", true), c = InCase("GM0003", true);
  const v1::Decision combined = Combine(placement, {&a, &b, &c}, *TestSetup());
  EXPECT_THAT(combined.kept_for(), ElementsAre("GM0001", "GM0002", "GM0003"));
  EXPECT_EQ(combined.reason(), "Staat voor Aa, Bee en Cee samen.");
}

TEST(CombineTest, JointKeptNowhereIsWhatTheFirstCaseSays) {
  const Placement placement = PlaceIt({.id = "1", .municipality = "GM0001+GM0002"});
  const v1::Decision first = InCase("GM0001", false, "a"), second = InCase("GM0002", false, "b");
  EXPECT_EQ(Combine(placement, {&first, &second}, *TestSetup()).superseded_by(), "a");
}

// ---- Records ----

TEST(MakeRecordTest, HoldsTheAnswersWithoutPersonalOnes) {
  intake::v1::Response response = MakeResponse({.id = "1", .single = "nee"});
  for (const char* question : {"Name", "Secret", "NoSuchQuestion"}) {
    auto& answer = *response.mutable_answers()->add_answers();
    answer.set_question(question);
    answer.set_text("x");
  }
  v1::Decision decision;
  decision.add_kept_for("GM0001");
  decision.add_kept_for("GM0002");
  const v1::Record record = MakeRecord("GM0002", response, decision, *TestSetup());
  EXPECT_EQ(record.name(), "surveys/s/waves/w/records/GM0002");
  EXPECT_EQ(record.response(), ResponseName("1"));
  EXPECT_THAT(record.joint_with(), ElementsAre("GM0001"));
  EXPECT_TRUE(record.complete());
  EXPECT_EQ(record.last_section(), 1);
  EXPECT_FALSE(record.consents_public_data());
  ASSERT_EQ(record.answers().answers_size(), 2);
  EXPECT_EQ(record.answers().answers(0).question(), "Where");
  EXPECT_EQ(record.answers().answers(1).question(), "Single");
}

TEST(MakeRecordTest, HoldsTheAnswersOfItsMunicipality) {
  const intake::v1::Response response =
      MakeResponse({.id = "1", .single = "nee", .invited = {"GM0001", "GM0002"}, .single_of = {{"GM0002", "ja"}}});
  const auto single = [&](const std::string& code) {
    const v1::Record record = MakeRecord(code, response, {}, *TestSetup());
    for (const auto& answer : record.answers().answers()) {
      if (answer.question() == "Single") return answer.selection().codes(0);
    }
    return std::string("none");
  };
  EXPECT_EQ(single("GM0001"), "nee");
  EXPECT_EQ(single("GM0002"), "ja");
}

TEST(MakeRecordTest, ConsentIsTheOptionThatConsents) {
  for (const char* option : {"ja", "nee"}) {
    intake::v1::Response response = MakeResponse({.id = "1"});
    auto& answer = *response.mutable_answers()->add_answers();
    answer.set_question("Consent");
    answer.mutable_selection()->add_codes(option);
    EXPECT_EQ(MakeRecord("GM0001", response, {}, *TestSetup()).consents_public_data(), option == std::string("ja"));
  }
}

// ---- Properties ----

TEST(DecideCaseProperty, ExactlyOneIsKeptAndOrderDoesNotMatter) {
  std::mt19937_64 random(1);
  const auto pick = [&](int n) { return static_cast<int>(random() % n); };
  for (int round = 0; round < 2000; ++round) {
    std::vector<Filled> responses;
    std::vector<v1::Ruling> rulings;
    const int count = 1 + pick(6);
    for (int i = 0; i < count; ++i) {
      responses.push_back({.id = std::to_string(i + 1),
                           .submitted = pick(2) == 0,
                           .answered = pick(3),
                           .minute = pick(2),
                           .person = pick(2) == 0 ? "p" : "",
                           .test = pick(8) == 0,
                           .withdrawn = pick(8) == 0,
                           .started = pick(2)});
      if (pick(10) == 0) rulings.push_back(Exclude(responses.back().id));
    }
    if (pick(4) == 0) rulings.push_back(Keep(std::to_string(1 + pick(count)), "GM0001"));
    const Decided decided = Decide(responses, rulings);
    const auto competing = std::count_if(decided.placements.begin(), decided.placements.end(), [](const auto& p) { return p.competes; });
    const auto kept = std::count_if(decided.outcome.decisions.begin(), decided.outcome.decisions.end(),
                                    [](const auto& d) { return d.disposition() == v1::DISPOSITION_KEPT; });
    ASSERT_EQ(kept, competing > 0 ? 1 : 0);
    ASSERT_EQ(decided.outcome.state, competing > 0 ? v1::CASE_STATE_DECIDED : v1::CASE_STATE_EMPTY);
    for (const auto& decision : decided.outcome.decisions) {
      ASSERT_NE(decision.disposition(), v1::DISPOSITION_UNSPECIFIED);
      ASSERT_FALSE(decision.reason().empty());
      const bool duplicate =
          decision.disposition() == v1::DISPOSITION_RESTART || decision.disposition() == v1::DISPOSITION_COLLEAGUE_DUPLICATE;
      ASSERT_EQ(decision.superseded_by(), duplicate ? decided.kept() : "");
    }
    std::shuffle(responses.begin(), responses.end(), random);
    const Decided again = Decide(responses, rulings);
    ASSERT_EQ(again.kept(), decided.kept());
    for (const Filled& filled : responses) {
      ASSERT_EQ(again.of(filled.id).SerializeAsString(), decided.of(filled.id).SerializeAsString());
    }
  }
}

}  // namespace
}  // namespace peiling::dedup
