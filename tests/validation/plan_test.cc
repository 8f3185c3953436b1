#include <functional>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "services/validation/validation_plan.h"
#include "tests/validation/questionnaires.h"

namespace peiling::validation {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Who fills in every required question, so that tests see their own findings alone.
const char* const kBegin = R"(
  answers { question: "who" text: "Urk" }
  answers { question: "teams" selection { codes: "ja" } })";

class Plan : public ::testing::Test {
 protected:
  v1::ResponseResult Judge(const std::string& answers, bool submitted = true, std::optional<int64_t> inhabitants = std::nullopt,
                           int last_section = 0) {
    v1::ResponseInput input;
    *input.mutable_answers() = survey::testing::Answers(answers);
    input.set_submitted(submitted);
    input.set_last_section(last_section);
    return Judge(input, inhabitants);
  }
  v1::ResponseResult Judge(const v1::ResponseInput& input, std::optional<int64_t> inhabitants = std::nullopt) {
    v1::ResponseResult result;
    plan_->Judge(input, inhabitants, scratch_, result);
    return result;
  }

  std::shared_ptr<const ValidationPlan> plan_ = *ValidationPlan::Compile(survey::testing::Everything());
  ValidationPlan::Scratch scratch_;
};

TEST_F(Plan, HasNothingToSayAboutASoundResponse) {
  const auto result = Judge(survey::testing::kFullAnswers, true, 21'000);
  EXPECT_THAT(result.issues(), IsEmpty()) << result.DebugString();
  EXPECT_EQ(result.completeness().asked(), 10);
  EXPECT_EQ(result.completeness().answered(), 10);
}

struct Case {
  std::string name;
  std::string answers;
  v1::IssueKind kind;
  v1::Severity severity;
  std::string question;
  std::string code;
  std::string says;
};

TEST_F(Plan, FindsEveryKindOfIssueAndSaysWhatToDo) {
  const std::string long_text(100'001, 'x');
  const std::vector<Case> cases = {
      {"unknown question", R"(answers { question: "Q99" text: "x" })", v1::ISSUE_KIND_UNKNOWN_QUESTION, v1::SEVERITY_ERROR, "Q99", "",
       "niet in de vragenlijst"},
      {"unknown option", R"(answers { question: "tasks" selection { codes: "a" codes: "zz" } })", v1::ISSUE_KIND_UNKNOWN_CODE,
       v1::SEVERITY_ERROR, "tasks", "zz", "kies een"},
      {"unknown row", R"(answers { question: "with" grid { cells { row: "zz" option: "ja" } } })", v1::ISSUE_KIND_UNKNOWN_CODE,
       v1::SEVERITY_ERROR, "with", "zz", "laat hem weg"},
      {"unknown option in a row", R"(answers { question: "with" grid { cells { row: "ggz" option: "x" } } })", v1::ISSUE_KIND_UNKNOWN_CODE,
       v1::SEVERITY_ERROR, "with", "ggz", "kies een"},
      {"text for a number", R"(answers { question: "fte" text: "negen" })", v1::ISSUE_KIND_WRONG_TYPE, v1::SEVERITY_ERROR, "fte", "",
       "een getal"},
      {"number for a text", R"(answers { question: "why" number: 9 })", v1::ISSUE_KIND_WRONG_TYPE, v1::SEVERITY_ERROR, "why", "",
       "een tekst"},
      {"not a number", R"(answers { question: "fte" number: nan })", v1::ISSUE_KIND_WRONG_TYPE, v1::SEVERITY_ERROR, "fte", "", "een getal"},
      {"below the minimum", R"(answers { question: "fte" number: -1 })", v1::ISSUE_KIND_WRONG_TYPE, v1::SEVERITY_ERROR, "fte", "",
       "niet kleiner is dan 0"},
      {"above the maximum", R"(answers { question: "fte" number: 101 })", v1::ISSUE_KIND_WRONG_TYPE, v1::SEVERITY_ERROR, "fte", "",
       "niet groter is dan 100"},
      {"a day that does not exist", R"(answers { question: "since" date: "2021-02-29" })", v1::ISSUE_KIND_WRONG_TYPE, v1::SEVERITY_ERROR,
       "since", "", "datum die bestaat"},
      {"text for a choice", R"(answers { question: "plans" text: "meer" })", v1::ISSUE_KIND_WRONG_TYPE, v1::SEVERITY_ERROR, "plans", "",
       "Kies"},
      {"choice for a matrix", R"(answers { question: "with" selection { codes: "ja" } })", v1::ISSUE_KIND_WRONG_TYPE, v1::SEVERITY_ERROR,
       "with", "", "elke regel"},
      {"more than the maximum", R"(answers { question: "tasks" selection { codes: "a" codes: "b" codes: "c" } })",
       v1::ISSUE_KIND_TOO_MANY_CHOICES, v1::SEVERITY_ERROR, "tasks", "", "hoogstens 2 antwoorden; er zijn er 3"},
      {"two of a single", R"(answers { question: "plans" selection { codes: "meer" codes: "stop" } })", v1::ISSUE_KIND_TOO_MANY_CHOICES,
       v1::SEVERITY_ERROR, "plans", "", "Kies één"},
      {"exclusive with others", R"(answers { question: "tasks" selection { codes: "a" codes: "geen" } })",
       v1::ISSUE_KIND_EXCLUSIVE_WITH_OTHERS, v1::SEVERITY_ERROR, "tasks", "geen", "‘Geen’ alleen"},
      {"other without text", R"(answers { question: "tasks" selection { codes: "anders" } })", v1::ISSUE_KIND_OTHER_WITHOUT_TEXT,
       v1::SEVERITY_WARNING, "tasks", "anders", "Vul in"},
      {"text without other", R"(answers { question: "tasks" selection { codes: "a" other_text: "x" } })", v1::ISSUE_KIND_TEXT_WITHOUT_OTHER,
       v1::SEVERITY_WARNING, "tasks", "anders", "kies dat antwoord"},
      {"text for an other there is not", R"(answers { question: "size" selection { codes: "small" other_text: "x" } })",
       v1::ISSUE_KIND_TEXT_WITHOUT_OTHER, v1::SEVERITY_WARNING, "size", "", "laat de tekst weg"},
      {"comment without its option", R"(answers { question: "plans" selection { codes: "meer" comment: "x" } })",
       v1::ISSUE_KIND_TEXT_WITHOUT_OTHER, v1::SEVERITY_WARNING, "plans", "", "toelichting"},
      {"question twice", R"(answers { question: "fte" number: 1 } answers { question: "fte" number: 2 })", v1::ISSUE_KIND_REPEATED,
       v1::SEVERITY_ERROR, "fte", "", "één antwoord"},
      {"option twice", R"(answers { question: "tasks" selection { codes: "a" codes: "a" } })", v1::ISSUE_KIND_REPEATED, v1::SEVERITY_ERROR,
       "tasks", "a", "één keer"},
      {"row twice", R"(answers { question: "with" grid { cells { row: "ggz" option: "ja" } cells { row: "ggz" option: "nee" } } })",
       v1::ISSUE_KIND_REPEATED, v1::SEVERITY_ERROR, "with", "ggz", "één antwoord"},
      {"text too long", R"(answers { question: "mail" text: ")" + long_text + "\" }", v1::ISSUE_KIND_TEXT_TOO_LONG, v1::SEVERITY_ERROR,
       "mail", "", "100.000"},
      {"other text too long", R"(answers { question: "tasks" selection { codes: "anders" other_text: ")" + long_text + "\" } }",
       v1::ISSUE_KIND_TEXT_TOO_LONG, v1::SEVERITY_ERROR, "tasks", "", "100.000"},
      {"not UTF-8", R"(answers { question: "mail" text: "a\377" })", v1::ISSUE_KIND_TEXT_TOO_LONG, v1::SEVERITY_ERROR, "mail", "",
       "onleesbare"},
  };
  for (const Case& c : cases) {
    const auto result = Judge(kBegin + c.answers);
    ASSERT_THAT(result.issues(), SizeIs(1)) << c.name << result.DebugString();
    const v1::Issue& issue = result.issues(0);
    EXPECT_EQ(issue.kind(), c.kind) << c.name;
    EXPECT_EQ(issue.severity(), c.severity) << c.name;
    EXPECT_EQ(issue.question(), c.question) << c.name;
    EXPECT_EQ(issue.code(), c.code) << c.name;
    EXPECT_THAT(issue.message(), HasSubstr(c.says)) << c.name;
  }
}

TEST_F(Plan, WarnsOfAnswersThatRoutingDidNotAskFor) {
  const auto result = Judge(R"(answers { question: "who" text: "Urk" } answers { question: "teams" selection { codes: "nee" } }
                               answers { question: "tasks" selection { codes: "a" } } answers { question: "why" text: "" })");
  ASSERT_THAT(result.issues(), SizeIs(1));
  EXPECT_EQ(result.issues(0).kind(), v1::ISSUE_KIND_NOT_ASKED);
  EXPECT_EQ(result.issues(0).severity(), v1::SEVERITY_WARNING);
  EXPECT_EQ(result.issues(0).question(), "tasks");
}

TEST_F(Plan, RequiredIsAnErrorOnceSubmittedAndAWarningBeforeThat) {
  const auto submitted = Judge(R"(answers { question: "who" text: "Urk" })");
  ASSERT_THAT(submitted.issues(), SizeIs(1));
  EXPECT_EQ(submitted.issues(0).kind(), v1::ISSUE_KIND_REQUIRED_MISSING);
  EXPECT_EQ(submitted.issues(0).severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(submitted.issues(0).question(), "teams");
  const auto started = Judge(R"(answers { question: "who" text: "Urk" })", false);
  ASSERT_THAT(started.issues(), SizeIs(1));
  EXPECT_EQ(started.issues(0).severity(), v1::SEVERITY_WARNING);
  EXPECT_EQ(started.completeness().broke_off_at(), "fte");
  // Not reached is nothing to be told about.
  EXPECT_THAT(Judge("", false).issues(), IsEmpty());
}

TEST_F(Plan, TellsAWrongAnswerOnceNotAlsoAsMissing) {
  const auto result = Judge(R"(answers { question: "who" text: "Urk" } answers { question: "teams" text: "ja" })");
  ASSERT_THAT(result.issues(), SizeIs(1));
  EXPECT_EQ(result.issues(0).kind(), v1::ISSUE_KIND_WRONG_TYPE);
}

TEST_F(Plan, SetsTheStatedSizeBesideTheRegistrys) {
  const std::string small = std::string(kBegin) + R"(answers { question: "size" selection { codes: "small" } })";
  for (const int64_t inhabitants : {0, 49'999}) EXPECT_THAT(Judge(small, true, inhabitants).issues(), IsEmpty());
  const auto result = Judge(small, true, 50'000);
  ASSERT_THAT(result.issues(), SizeIs(1));
  EXPECT_EQ(result.issues(0).kind(), v1::ISSUE_KIND_SIZE_CLASS_DIFFERS);
  EXPECT_EQ(result.issues(0).severity(), v1::SEVERITY_WARNING);
  EXPECT_EQ(result.issues(0).question(), "size");
  EXPECT_EQ(result.issues(0).code(), "small");
  EXPECT_THAT(result.issues(0).message(), HasSubstr("50.000 inwoners"));
  // The upper class has no upper end; without a stated class there is nothing to check.
  EXPECT_THAT(Judge(std::string(kBegin) + R"(answers { question: "size" selection { codes: "large" } })", true, 1'000'000).issues(),
              IsEmpty());
  EXPECT_THAT(Judge(kBegin, true, 1'000'000).issues(), IsEmpty());
}

TEST_F(Plan, TellsWhichMunicipalityToLookUp) {
  const auto text = [&](const std::string& answers) {
    const auto parsed = survey::testing::Answers(answers);
    const std::string* found = plan_->MunicipalityToCheck(parsed);
    return found == nullptr ? std::string("-") : *found;
  };
  EXPECT_EQ(text(survey::testing::kFullAnswers), "Urk");
  EXPECT_EQ(text(kBegin), "-");
  EXPECT_EQ(text(R"(answers { question: "size" selection { codes: "small" } } answers { question: "who" text: "Urk" })"), "Urk");
  EXPECT_EQ(text(R"(answers { question: "size" selection { codes: "small" } } answers { question: "who" number: 1 })"), "-");
}

TEST_F(Plan, SortsFindingsByTheQuestionnaire) {
  const auto result =
      Judge(R"(answers { question: "nowhere" text: "x" } answers { question: "fte" number: -1 } answers { question: "plans" text: "x" })");
  std::vector<std::string> questions;
  for (const auto& issue : result.issues()) questions.push_back(issue.question());
  EXPECT_THAT(questions, ::testing::ElementsAre("who", "teams", "plans", "fte", "nowhere"));
}

TEST_F(Plan, RepeatsNoAnswer) {
  const auto result = Judge(R"(answers { question: "Jan de Vries" text: "geheim" }
                               answers { question: "tasks" selection { codes: "jan@voorbeeld.nl" comment: "geheim" } })");
  EXPECT_THAT(result.DebugString(), ::testing::Not(::testing::AnyOf(HasSubstr("geheim"), HasSubstr("voorbeeld"), HasSubstr("Vries"))));
  EXPECT_GE(result.issues_size(), 3);
}

TEST_F(Plan, EndsALongListButHidesNoErrorBehindWarnings) {
  v1::ResponseInput input;
  input.set_submitted(true);
  for (int i = 0; i < 5000; ++i) input.mutable_answers()->add_answers()->set_question("x");
  const auto result = Judge(input);
  EXPECT_EQ(result.issues_size(), static_cast<int>(ValidationPlan::kMaxIssues));
  EXPECT_EQ(result.issues(0).kind(), v1::ISSUE_KIND_UNKNOWN_QUESTION);
}

TEST_F(Plan, SpeaksEnglishWhenTheQuestionnaireDoes) {
  auto questionnaire = survey::testing::Everything();
  questionnaire.set_language("en-GB");
  plan_ = *ValidationPlan::Compile(questionnaire);
  EXPECT_THAT(Judge("").issues(0).message(), HasSubstr("Answer this question"));
  EXPECT_THAT(Judge(survey::testing::kFullAnswers, true, 50'000).issues(0).message(), HasSubstr("50,000 inhabitants"));
}

TEST(Messages, AllPhrasesExistInBothLanguages) {
  for (int phrase = 0; phrase <= static_cast<int>(Phrase::kTextNotUtf8); ++phrase) {
    for (const Language language : {Language::kDutch, Language::kEnglish}) {
      EXPECT_GT(Say(language, static_cast<Phrase>(phrase), "1", "2").size(), 10u) << phrase;
    }
  }
  EXPECT_EQ(Grouped(Language::kDutch, 7), "7");
  EXPECT_EQ(Grouped(Language::kDutch, 1000), "1.000");
  EXPECT_EQ(Grouped(Language::kEnglish, 1234567), "1,234,567");
}

TEST(PlanCompile, RefusesAQuestionnaireThatDoesNotHoldTogether) {
  auto questionnaire = survey::testing::Everything();
  questionnaire.mutable_sections(1)->set_ask("teams = ja");
  const auto plan = ValidationPlan::Compile(questionnaire);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(status::Reason(plan.status()), "QUESTIONNAIRE_INVALID");
}

}  // namespace
}  // namespace peiling::validation
