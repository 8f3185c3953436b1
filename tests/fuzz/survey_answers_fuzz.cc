// Any answers, of any questions: judging them neither crashes nor hangs, and what it says holds together.
#include <string>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "gtest/gtest.h"
#include "services/validation/validation_plan.h"
#include "tests/fuzz/mutate.h"
#include "tests/validation/questionnaires.h"

namespace peiling::validation {
namespace {

TEST(SurveyAnswersFuzz, HoldsForAnyAnswers) {
  const auto plan = *ValidationPlan::Compile(survey::testing::Everything());
  const auto compiled = *survey::CompiledQuestionnaire::Compile(survey::testing::Everything());
  const auto serialized = [](const std::string& text) { return survey::testing::Answers(text).SerializeAsString(); };
  // Bytes of messages; those that still parse after a change are judged.
  const std::vector<std::string> corpus = {
      serialized(survey::testing::kFullAnswers),
      serialized(
          R"(answers { question: "teams" selection { codes: "nee" other_text: "x" comment: "y" } } answers { question: "teams" grid { cells { row: "ggz" } } })"),
      serialized(
          R"(answers { question: "tasks" selection { codes: "geen" codes: "anders" codes: "zz" codes: "a" codes: "a" } } answers { question: "fte" number: -1e300 })"),
      serialized(
          R"(answers { question: "nothing" date: "x" } answers { question: "since" date: "2021-02-29" } answers { text: "t" } answers { })"),
  };
  const std::vector<std::string> dictionary = {"teams", "tasks", "with", "fte",    "since", "who",     "size",
                                               "ja",    "nee",   "geen", "anders", "ggz",   corpus[1], corpus[2]};
  // Bytes that are not UTF-8 are no news here.
  google::protobuf::SetLogHandler(nullptr);
  ValidationPlan::Scratch scratch;
  survey::Assessment assessment;
  fuzz::Mutator choices(7);
  fuzz::Run(corpus, fuzz::Mutator(20221215, dictionary), [&](const std::string& bytes) {
    v1::ResponseInput input;
    if (!input.mutable_answers()->ParsePartialFromString(bytes)) return;
    input.set_submitted(choices.Below(2) == 0);
    input.set_last_section(static_cast<int>(choices.Below(6)));
    const auto inhabitants = choices.Below(2) == 0 ? std::nullopt : std::optional<int64_t>(choices.Below(100'000));
    v1::ResponseResult result;
    plan->Judge(input, inhabitants, scratch, result);
    ASSERT_LE(result.issues_size(), 2 * static_cast<int>(ValidationPlan::kMaxIssues));
    for (const auto& issue : result.issues()) {
      ASSERT_NE(issue.kind(), v1::ISSUE_KIND_UNSPECIFIED);
      ASSERT_NE(issue.severity(), v1::SEVERITY_UNSPECIFIED);
      ASSERT_FALSE(issue.message().empty());
    }
    // What was judged before leaves no trace.
    ValidationPlan::Scratch fresh;
    v1::ResponseResult again;
    plan->Judge(input, inhabitants, fresh, again);
    ASSERT_EQ(result.SerializeAsString(), again.SerializeAsString());

    compiled->Assess(input.answers(), input.submitted(), input.last_section(), assessment);
    int answered = 0;
    for (size_t i = 0; i < assessment.states.size(); ++i) {
      const bool counts = assessment.states[i] == survey::v1::QUESTION_STATE_ANSWERED;
      answered += counts;
      ASSERT_TRUE(!counts || assessment.answers[i] != nullptr);
      ASSERT_TRUE(!input.submitted() || assessment.states[i] != survey::v1::QUESTION_STATE_NOT_REACHED);
    }
    ASSERT_EQ(answered, assessment.completeness.answered());
    ASSERT_LE(answered, assessment.completeness.asked());
    ASSERT_EQ(assessment.completeness.SerializeAsString(), result.completeness().SerializeAsString());
  });
}

}  // namespace
}  // namespace peiling::validation
