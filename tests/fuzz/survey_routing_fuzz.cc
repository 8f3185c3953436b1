// Any text: parsing it neither crashes nor hangs, and an error points into it. What parses keeps to logic when it is put in brackets or
// denied.
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "services/common/survey/routing.h"
#include "services/common/survey/routing_program.h"
#include "tests/fuzz/mutate.h"
#include "tests/validation/questionnaires.h"

namespace peiling::survey {
namespace {

TEST(SurveyRoutingFuzz, HoldsForAnyText) {
  const v1::Questionnaire questionnaire = testing::Everything();
  const QuestionTable table(questionnaire);
  const v1::Answers answers = testing::Answers(testing::kFullAnswers);
  std::vector<KnownAnswer> known(table.questions().size());
  for (const auto& answer : answers.answers()) known[table.Find(answer.question())].answer = &answer;
  known[table.Find("plans")] = {nullptr, true};

  const auto evaluate = [&](const Routing& routing) {
    std::vector<RoutingProgram::Problem> problems;
    return RoutingProgram::Bind(routing, table, static_cast<int>(table.questions().size()), problems).Evaluate(known);
  };
  const std::vector<std::string> corpus = {
      "teams == ja && !(geen in tasks)",
      "answered(why) || fte >= 9.5 && since < 2021-01-01",
      "!(with.ggz != nee) && (a in tasks || plans == meer)",
      "teams==nee||!answered(plans)",
      "((((teams == ja))))",
  };
  fuzz::Mutator mutator(20221003,
                        {"&&", "||", "!", "(", ")", "==", "!=", "<=", ">", "answered(", " in ", "teams", "tasks", "with.", ".", "plans",
                         "-", "é", std::string(200, '(')},
                        3000);
  fuzz::Run(corpus, std::move(mutator), [&](const std::string& text) {
    const auto routing = Routing::Parse(text);
    if (!routing.ok()) {
      int column = 0;
      ASSERT_TRUE(absl::SimpleAtoi(status::Metadata(routing.status())["column"], &column));
      ASSERT_GE(column, 1);
      ASSERT_LE(column, static_cast<int>(text.size()) + 1);
      return;
    }
    // Near the bounds of length and depth the longer text may be refused.
    const auto bracketed = Routing::Parse(absl::StrCat("(", text, ")"));
    const auto denied = Routing::Parse(absl::StrCat("!(", text, ")"));
    if (text.size() > 1900 || !bracketed.ok() || !denied.ok()) return;
    const Truth truth = evaluate(**routing);
    ASSERT_EQ(evaluate(**bracketed), truth);
    ASSERT_EQ(static_cast<int>(evaluate(**denied)), 2 - static_cast<int>(truth));
  });
}

}  // namespace
}  // namespace peiling::survey
