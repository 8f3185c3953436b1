#include "services/common/survey/routing.h"

#include <string>

#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "services/common/survey/compiled_questionnaire.h"
#include "services/common/survey/routing_program.h"
#include "tests/validation/questionnaires.h"

namespace peiling::survey {
namespace {

struct Mistake {
  std::string text;
  int column;
  std::string says;
};

TEST(RoutingParse, SaysAtWhichCharacterItIsWrongAndWhatIsWanted) {
  const std::vector<Mistake> mistakes = {
      {"", 1, "expected a question"},
      {"   ", 4, "expected a question"},
      {"Q5", 3, "expected '=='"},
      {"Q5 =", 4, "expected '=='"},
      {"Q5 == ", 7, "expected an option"},
      {"Q5 == ja &&", 12, "expected a question"},
      {"Q5 == ja & Q6 == ja", 10, "expected '&&'"},
      {"Q5 == ja Q6 == ja", 10, "expected '&&'"},
      {"(Q5 == ja", 10, "')'"},
      {"Q5 == ja)", 9, "the end"},
      {"answered(Q5", 12, "expected ')'"},
      {"answered()", 10, "expected a question"},
      {"answered(5)", 10, "expected a question"},
      {"!", 2, "expected a question"},
      {"50to100 == ja", 1, "begins with a letter"},
      {"niets in ", 10, "expected a question"},
      {"niets in 5", 10, "expected a question"},
      {"Q41. == ja", 6, "expected a row"},
      {"Q41.ggz", 8, "expected '=='"},
      // Columns count characters: é is one.
      {"Q5 == é", 7, "expected an option"},
      {"Q5 == ja && é", 13, "expected a question"},
      {"Q5 == ja # Q6", 10, "expected '&&'"},
  };
  for (const Mistake& mistake : mistakes) {
    const auto routing = Routing::Parse(mistake.text);
    ASSERT_FALSE(routing.ok()) << mistake.text;
    EXPECT_EQ(routing.status().code(), absl::StatusCode::kInvalidArgument) << mistake.text;
    EXPECT_EQ(status::Reason(routing.status()), "ROUTING_INVALID") << mistake.text;
    EXPECT_EQ(status::Metadata(routing.status())["column"], std::to_string(mistake.column)) << mistake.text << ": " << routing.status();
    EXPECT_NE(routing.status().message().find(mistake.says), std::string::npos) << mistake.text << ": " << routing.status();
  }
}

TEST(RoutingParse, BoundsLengthAndDepth) {
  const auto nested = [](int levels) { return std::string(levels, '(') + "Q5 == ja" + std::string(levels, ')'); };
  EXPECT_TRUE(Routing::Parse(nested(100)).ok());
  EXPECT_FALSE(Routing::Parse(nested(101)).ok());
  EXPECT_FALSE(Routing::Parse(std::string(101, '!') + "Q5 == ja").ok());
  EXPECT_FALSE(Routing::Parse(nested(900)).ok());
  EXPECT_TRUE(Routing::Parse("Q5 == ja" + std::string(1992, ' ')).ok());
  EXPECT_FALSE(Routing::Parse("Q5 == ja" + std::string(1993, ' ')).ok());
  // Many terms beside each other are no depth.
  std::string many = "Q5 == a";
  while (many.size() < 1900) many += " && Q5 == a";
  EXPECT_TRUE(Routing::Parse(many).ok());
}

struct Case {
  std::string text;
  Truth wanted;
};

class RoutingEvaluate : public ::testing::Test {
 protected:
  Truth Evaluate(const std::string& text, const v1::Answers& answers, const std::vector<std::string>& open = {}) {
    const auto routing = Routing::Parse(text);
    EXPECT_TRUE(routing.ok()) << text << ": " << routing.status();
    if (!routing.ok()) return Truth::kFalse;
    std::vector<RoutingProgram::Problem> problems;
    const auto program = RoutingProgram::Bind(**routing, table_, static_cast<int>(table_.questions().size()), problems);
    for (const auto& problem : problems) ADD_FAILURE() << text << " column " << problem.column << ": " << problem.message;
    std::vector<KnownAnswer> known(table_.questions().size());
    for (const auto& answer : answers.answers()) known[table_.Find(answer.question())].answer = &answer;
    for (const auto& code : open) known[table_.Find(code)].open = true;
    return program.Evaluate(known);
  }

  const v1::Questionnaire questionnaire_ = testing::Everything();
  const QuestionTable table_{questionnaire_};
};

TEST_F(RoutingEvaluate, ComparesEachTypeOfQuestion) {
  const v1::Answers answers = testing::Answers(testing::kFullAnswers);
  const std::vector<Case> cases = {
      {"teams == ja", Truth::kTrue},
      {"teams == nee", Truth::kFalse},
      {"teams != nee", Truth::kTrue},
      {"a in tasks", Truth::kTrue},
      {"b in tasks", Truth::kFalse},
      {"!(b in tasks)", Truth::kTrue},
      {"answered(why)", Truth::kTrue},
      {"with.ggz == ja", Truth::kTrue},
      {"with.ggz != ja", Truth::kFalse},
      {"with.ggd != ja", Truth::kTrue},
      {"fte == 9.5", Truth::kTrue},
      {"fte != 9.5", Truth::kFalse},
      {"fte < 9.5", Truth::kFalse},
      {"fte <= 9.5", Truth::kTrue},
      {"fte > -1", Truth::kTrue},
      {"fte >= 1e1", Truth::kFalse},
      {"since == 2020-02-29", Truth::kTrue},
      {"since < 2020-03-01", Truth::kTrue},
      {"since >= 2021-01-01", Truth::kFalse},
      // And binds closer than or.
      {"teams == ja || teams == nee && teams == nee", Truth::kTrue},
      {"(teams == ja || teams == nee) && teams == nee", Truth::kFalse},
      {"!teams == ja || teams == ja", Truth::kTrue},
      {"!!teams==ja", Truth::kTrue},
      {"\tteams==ja\n&&\na in tasks", Truth::kTrue},
  };
  for (const Case& c : cases) EXPECT_EQ(Evaluate(c.text, answers), c.wanted) << c.text;
}

TEST_F(RoutingEvaluate, ComparingWithSilenceIsFalseWhateverTheOperator) {
  const std::vector<Case> cases = {
      {"teams == ja", Truth::kFalse},     {"teams != ja", Truth::kFalse},         {"a in tasks", Truth::kFalse},
      {"answered(why)", Truth::kFalse},   {"with.ggz != ja", Truth::kFalse},      {"fte < 1", Truth::kFalse},
      {"fte != 1", Truth::kFalse},        {"since != 2020-01-01", Truth::kFalse}, {"!(teams == ja)", Truth::kTrue},
      {"!answered(teams)", Truth::kTrue},
  };
  for (const Case& c : cases) EXPECT_EQ(Evaluate(c.text, {}), c.wanted) << c.text;
  EXPECT_EQ(Evaluate("with.ggd != ja", testing::Answers(R"(answers { question: "with" grid { cells { row: "ggz" option: "ja" } } })")),
            Truth::kFalse);
}

TEST_F(RoutingEvaluate, WhatWasNotReachedIsNeitherTrueNorFalse) {
  const v1::Answers yes = testing::Answers(R"(answers { question: "teams" selection { codes: "ja" } })");
  const std::vector<Case> cases = {
      {"a in tasks", Truth::kUnknown},
      {"!(a in tasks)", Truth::kUnknown},
      {"a in tasks && teams == ja", Truth::kUnknown},
      {"a in tasks && teams == nee", Truth::kFalse},
      {"a in tasks || teams == ja", Truth::kTrue},
      {"a in tasks || teams == nee", Truth::kUnknown},
  };
  for (const Case& c : cases) EXPECT_EQ(Evaluate(c.text, yes, {"tasks"}), c.wanted) << c.text;
}

TEST_F(RoutingEvaluate, NamesWhatCannotBe) {
  const std::vector<Mistake> mistakes = {
      {"Q99 == ja", 1, "no question Q99"},
      {"teams == ja && Q99 == ja", 16, "no question Q99"},
      {"teams == misschien", 10, "no option misschien"},
      {"d in tasks", 1, "no option d"},
      {"tasks == a", 1, "write a in tasks"},
      {"ja in teams", 7, "write teams == ja"},
      {"ja in who", 7, "several options"},
      {"who == Urk", 1, "only answered(who)"},
      {"teams < ja", 1, "no order"},
      {"with == ja", 1, "has rows"},
      {"with.ggx == ja", 6, "no row ggx"},
      {"with.ggz == soms", 13, "no option soms"},
      {"teams.ggz == ja", 7, "has no rows"},
      {"fte == veel", 8, "not"},
      {"since < 2021-02-30", 9, "want YYYY-MM-DD"},
      {"answered(mail)", 10, "personal"},
  };
  for (const Mistake& mistake : mistakes) {
    const auto routing = Routing::Parse(mistake.text);
    ASSERT_TRUE(routing.ok()) << mistake.text << routing.status();
    std::vector<RoutingProgram::Problem> problems;
    RoutingProgram::Bind(**routing, table_, static_cast<int>(table_.questions().size()), problems);
    ASSERT_EQ(problems.size(), 1u) << mistake.text;
    EXPECT_EQ(problems[0].column, mistake.column) << mistake.text << ": " << problems[0].message;
    EXPECT_NE(problems[0].message.find(mistake.says), std::string::npos) << mistake.text << ": " << problems[0].message;
  }
}

TEST_F(RoutingEvaluate, CanOnlyLookBack) {
  for (const std::string code : {"tasks", "fte"}) {
    std::vector<RoutingProgram::Problem> problems;
    RoutingProgram::Bind(**Routing::Parse("answered(" + code + ")"), table_, table_.Find("tasks"), problems);
    ASSERT_EQ(problems.size(), 1u) << code;
    EXPECT_NE(problems[0].message.find("only look back"), std::string::npos);
  }
}

}  // namespace
}  // namespace peiling::survey
