#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/common/survey/compiled_questionnaire.h"
#include "tests/validation/questionnaires.h"

namespace peiling::survey {
namespace {

// The states as letters: answered, not asked (-), skipped, unreached.
std::string States(const Assessment& assessment) {
  std::string letters;
  for (const v1::QuestionState state : assessment.states) {
    letters += state == v1::QUESTION_STATE_ANSWERED    ? 'a'
               : state == v1::QUESTION_STATE_NOT_ASKED ? '-'
               : state == v1::QUESTION_STATE_SKIPPED   ? 's'
                                                       : 'u';
  }
  return letters;
}

struct Case {
  std::string name;
  std::string answers;
  bool submitted;
  int last_section;
  // who size teams | tasks why plans with | fte since mail
  std::string states;
  int asked;
  int answered;
  std::string broke_off_at;
};

const char* const kYes = R"(answers { question: "teams" selection { codes: "ja" } })";
const char* const kNo = R"(answers { question: "teams" selection { codes: "nee" } })";

TEST(Assess, SaysWhatBecameOfEachQuestion) {
  const auto compiled = *CompiledQuestionnaire::Compile(testing::Everything());
  const std::vector<Case> cases = {
      {"all answered", testing::kFullAnswers, true, 3, "aaaaaaaaaa", 10, 10, ""},
      {"nothing, submitted", "", true, 3, "sss----sss", 6, 0, ""},
      // Without teams the middle section is not put; answers to it are kept aside and steer nothing.
      {"routing decides", kNo, true, 0, "ssa----sss", 6, 1, ""},
      {"kept aside", std::string(kNo) + R"(answers { question: "tasks" selection { codes: "a" } })", true, 0, "ssa----sss", 6, 1, ""},
      {"kept aside is how far they came", std::string(kNo) + R"(answers { question: "tasks" selection { codes: "a" } })", false, 0,
       "ssa----uuu", 6, 1, "fte"},
      {"question routing", std::string(kYes) + R"(answers { question: "tasks" selection { codes: "geen" } })", true, 0, "ssaa-sssss", 9, 2,
       ""},
      // Broken off: after the last section seen, or the last with an answer.
      {"broken off by section", kYes, false, 1, "ssauuuuuuu", 9, 1, "tasks"},
      {"broken off, section not known", kYes, false, 0, "ssauuuuuuu", 9, 1, "tasks"},
      {"broken off in the middle", kYes, false, 2, "ssas-ssuuu", 9, 1, "fte"},
      {"an answer beyond the section seen", R"(answers { question: "fte" number: 1 })", false, 1, "sss----ass", 6, 1, ""},
      {"not begun", "", false, 0, "uuuuuuuuuu", 6, 0, "who"},
      {"seen to the end, not submitted", kYes, false, 3, "ssas-sssss", 9, 1, ""},
      {"a section that is not there", kYes, false, 99, "ssas-sssss", 9, 1, ""},
  };
  Assessment assessment;
  for (const Case& c : cases) {
    compiled->Assess(testing::Answers(c.answers), c.submitted, c.last_section, assessment);
    EXPECT_EQ(States(assessment), c.states) << c.name;
    EXPECT_EQ(assessment.completeness.asked(), c.asked) << c.name;
    EXPECT_EQ(assessment.completeness.answered(), c.answered) << c.name;
    EXPECT_EQ(assessment.completeness.broke_off_at(), c.broke_off_at) << c.name;
  }
}

TEST(Assess, KeepsAnswersAsideWithinReach) {
  const auto compiled = *CompiledQuestionnaire::Compile(testing::Everything());
  const v1::Answers answers = testing::Answers(std::string(kNo) + R"(answers { question: "tasks" selection { codes: "a" } })");
  Assessment assessment;
  compiled->Assess(answers, true, 0, assessment);
  EXPECT_EQ(assessment.answers[3], &answers.answers(1));
  EXPECT_EQ(assessment.answers[2], &answers.answers(0));
  EXPECT_EQ(assessment.answers[0], nullptr);
}

TEST(Assess, AnAnswerThatSaysNothingIsNone) {
  const auto compiled = *CompiledQuestionnaire::Compile(testing::Everything());
  const std::vector<std::string> nothing = {
      R"(answers { question: "who" text: "" })",
      R"(answers { question: "who" number: 1 })",
      R"(answers { question: "who" })",
      R"(answers { question: "teams" selection { } })",
      R"(answers { question: "teams" selection { codes: "x" } })",
      R"(answers { question: "teams" selection { codes: "ja" codes: "nee" } })",
      R"(answers { question: "teams" text: "ja" })",
      R"(answers { question: "tasks" selection { codes: "x" other_text: "y" } })",
      R"(answers { question: "with" grid { cells { row: "x" option: "ja" } cells { row: "ggz" option: "x" } } })",
      R"(answers { question: "fte" number: nan })",
      R"(answers { question: "fte" number: inf })",
      R"(answers { question: "since" date: "2021-02-29" })",
      R"(answers { question: "nowhere" text: "x" })",
  };
  Assessment assessment;
  for (const std::string& answer : nothing) {
    compiled->Assess(testing::Answers(answer), true, 0, assessment);
    EXPECT_EQ(assessment.completeness.answered(), 0) << answer;
    for (const auto* kept : assessment.answers) EXPECT_EQ(kept, nullptr) << answer;
  }
}

TEST(Assess, OfSeveralAnswersTheFirstThatSaysSomethingCounts) {
  const auto compiled = *CompiledQuestionnaire::Compile(testing::Everything());
  const v1::Answers answers = testing::Answers(std::string(R"(answers { question: "teams" text: "?" })") + kNo + kYes);
  Assessment assessment;
  compiled->Assess(answers, true, 0, assessment);
  EXPECT_EQ(assessment.answers[2], &answers.answers(1));
  EXPECT_EQ(States(assessment), "ssa----sss");
}

TEST(Assess, LeavesNothingOfTheResponseBefore) {
  const auto compiled = *CompiledQuestionnaire::Compile(testing::Everything());
  Assessment reused;
  {
    const v1::Answers full = testing::Answers(testing::kFullAnswers);
    compiled->Assess(full, true, 3, reused);
  }
  const v1::Answers none;
  compiled->Assess(none, false, 0, reused);
  EXPECT_EQ(States(reused), "uuuuuuuuuu");
  for (const auto* kept : reused.answers) EXPECT_EQ(kept, nullptr);
}

}  // namespace
}  // namespace peiling::survey
