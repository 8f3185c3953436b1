#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "services/common/survey/check_questionnaire.h"
#include "services/common/survey/compiled_questionnaire.h"
#include "tests/validation/questionnaires.h"

namespace peiling::survey {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Problem {
  std::string name;
  std::function<void(v1::Questionnaire&)> spoil;
  std::string field;
  std::string says;
  bool error = true;
};

v1::Question& At(v1::Questionnaire& q, int section, int question) { return *q.mutable_sections(section)->mutable_questions(question); }
v1::Question& Who(v1::Questionnaire& q) { return At(q, 0, 0); }
v1::Question& Size(v1::Questionnaire& q) { return At(q, 0, 1); }
v1::Question& Teams(v1::Questionnaire& q) { return At(q, 0, 2); }
v1::Question& Tasks(v1::Questionnaire& q) { return At(q, 1, 0); }
v1::Question& Why(v1::Questionnaire& q) { return At(q, 1, 1); }
v1::Question& With(v1::Questionnaire& q) { return At(q, 1, 3); }
v1::Question& Fte(v1::Questionnaire& q) { return At(q, 2, 0); }
v1::Question& Mail(v1::Questionnaire& q) { return At(q, 2, 2); }

TEST(CheckQuestionnaire, HasNothingToSayAboutASoundOne) { EXPECT_THAT(CheckQuestionnaire(testing::Everything()), IsEmpty()); }

TEST(CheckQuestionnaire, FindsEveryKindOfProblem) {
  using Q = v1::Questionnaire&;
  const std::vector<Problem> problems = {
      {"version", [](Q q) { q.set_version("2022/1"); }, "version", "want letters"},
      {"language", [](Q q) { q.clear_language(); }, "language", "such as \"nl\""},
      {"no sections", [](Q q) { q.clear_sections(); }, "sections", "at least one"},
      {"section title", [](Q q) { q.mutable_sections(0)->clear_title(); }, "sections[0].title", "non-empty"},
      {"empty section", [](Q q) { q.add_sections()->set_title("x"); }, "sections[3].questions", "at least one"},
      {"no code", [](Q q) { Fte(q).clear_code(); }, "sections[2].questions[0].code", "want letters"},
      {"strange code", [](Q q) { Fte(q).set_code("a-b"); }, "sections[2].questions[0].code", "want letters"},
      {"code begins with a digit", [](Q q) { Fte(q).set_code("5a"); }, "sections[2].questions[0].code", "letter first"},
      {"double code", [](Q q) { Fte(q).set_code("teams"); }, "sections[2].questions[0].code", "twice"},
      {"no title", [](Q q) { Fte(q).clear_title(); }, "sections[2].questions[0].title", "non-empty"},
      {"no type", [](Q q) { Fte(q).clear_type(); }, "sections[2].questions[0].type", "want a type"},
      {"no options", [](Q q) { With(q).clear_options(); }, "sections[1].questions[3].options", "at least one"},
      {"options of a text", [](Q q) { *Why(q).add_options() = Teams(q).options(0); }, "sections[1].questions[1].options", "has none"},
      {"double option", [](Q q) { Tasks(q).mutable_options(1)->set_code("a"); }, "sections[1].questions[0].options[1].code", "twice"},
      {"option without label", [](Q q) { Tasks(q).mutable_options(1)->clear_label(); }, "sections[1].questions[0].options[1].label",
       "non-empty"},
      {"no rows", [](Q q) { With(q).clear_rows(); }, "sections[1].questions[3].rows", "at least one"},
      {"rows of a text", [](Q q) { *Why(q).add_rows() = With(q).rows(0); }, "sections[1].questions[1].rows", "only a matrix"},
      {"double row", [](Q q) { With(q).mutable_rows(1)->set_code("ggz"); }, "sections[1].questions[3].rows[1].code", "twice"},
      {"exclusive in a single", [](Q q) { Teams(q).mutable_options(0)->set_exclusive(true); },
       "sections[0].questions[2].options[0].exclusive", "multiple"},
      {"maximum above options", [](Q q) { Tasks(q).set_max_choices(6); }, "sections[1].questions[0].max_choices", "number of options, 5"},
      {"maximum of a single", [](Q q) { Teams(q).set_max_choices(1); }, "sections[0].questions[2].max_choices", "multiple"},
      {"other that is no option", [](Q q) { Tasks(q).set_other_code("x"); }, "sections[1].questions[0].other_code", "not an option"},
      {"other of a text", [](Q q) { Why(q).set_other_code("x"); }, "sections[1].questions[1].other_code", "only single and multiple"},
      {"comment in a matrix", [](Q q) { With(q).mutable_options(0)->set_comment(true); }, "sections[1].questions[3].options[0].comment",
       "single and multiple"},
      {"bounds crossed", [](Q q) { Fte(q).set_minimum(101); }, "sections[2].questions[0].minimum", "not above"},
      {"bounds of a text", [](Q q) { Why(q).set_minimum(1); }, "sections[1].questions[1].minimum", "only a number"},
      {"ranges crossed", [](Q q) { Size(q).mutable_options(0)->set_inhabitants_to(-1); },
       "sections[0].questions[1].options[0].inhabitants_from", "no more than"},
      {"range without role", [](Q q) { Size(q).clear_role(); }, "sections[0].questions[1].options[0].inhabitants_from", "size_class"},
      {"role twice", [](Q q) { Why(q).set_role(v1::QUESTION_ROLE_MUNICIPALITY); }, "sections[1].questions[1].role", "already"},
      {"role of another type", [](Q q) { Teams(q).set_role(v1::QUESTION_ROLE_RESPONDENT); }, "sections[0].questions[2].role",
       "text question"},
      {"personal municipality", [](Q q) { Who(q).set_personal(true); }, "sections[0].questions[0].role", "cannot be personal"},
      {"name not personal", [](Q q) { Why(q).set_role(v1::QUESTION_ROLE_RESPONDENT); }, "sections[1].questions[1].role", "marked personal"},
      {"nobody consents", [](Q q) { Teams(q).set_role(v1::QUESTION_ROLE_CONSENT_PUBLIC_DATA); }, "sections[0].questions[2].options",
       "none of them consents"},
      {"consents to nothing", [](Q q) { Teams(q).mutable_options(0)->set_consents(true); }, "sections[0].questions[2].options[0].consents",
       "no consent role"},
      {"coded number", [](Q q) { Fte(q).set_coded(true); }, "sections[2].questions[0].coded", "only texts"},
      {"comparability without reason",
       [](Q q) {
         auto& c = *Fte(q).add_comparability();
         c.set_wave("2019");
         c.set_status(v1::COMPARABILITY_STATUS_BROKEN);
       },
       "sections[2].questions[0].comparability[0].reason", "want the reason"},
      {"comparability without status", [](Q q) { Fte(q).add_comparability()->set_wave("2019"); },
       "sections[2].questions[0].comparability[0].status", "want same"},
      {"routing that does not parse", [](Q q) { Fte(q).set_ask("teams = ja"); }, "sections[2].questions[0].ask", "column 7: expected '=='"},
      {"routing to an unknown question", [](Q q) { Fte(q).set_ask("Q99 == ja"); }, "sections[2].questions[0].ask",
       "column 1: there is no question Q99"},
      {"routing to an unknown option", [](Q q) { Fte(q).set_ask("teams == x"); }, "sections[2].questions[0].ask",
       "column 10: teams has no option x"},
      {"routing to a later question", [](Q q) { Tasks(q).set_ask("answered(fte)"); }, "sections[1].questions[0].ask", "only look back"},
      {"routing to itself", [](Q q) { Tasks(q).set_ask("a in tasks"); }, "sections[1].questions[0].ask", "only look back"},
      {"section routing into the section", [](Q q) { q.mutable_sections(1)->set_ask("a in tasks"); }, "sections[1].ask", "only look back"},
      {"routing to a personal question",
       [](Q q) {
         auto& last = *q.mutable_sections(2)->add_questions();
         last = Fte(q);
         last.set_code("z");
         last.set_ask("answered(mail)");
       },
       "sections[2].questions[3].ask", "personal"},
      {"no municipality", [](Q q) { Who(q).clear_role(); }, "sections", "no question has role municipality", false},
      {"nobody can reach it", [](Q q) { Why(q).set_ask("a in tasks && geen in tasks"); }, "sections[1].questions[1].ask",
       "nobody can reach", false},
      {"nobody can reach the section", [](Q q) { q.mutable_sections(1)->set_ask("teams == ja && teams == nee"); }, "sections[1].ask",
       "nobody can reach this section", false},
  };
  for (const Problem& problem : problems) {
    v1::Questionnaire questionnaire = testing::Everything();
    problem.spoil(questionnaire);
    EXPECT_THAT(CheckQuestionnaire(questionnaire),
                Contains(AllOf(Field(&Finding::field, problem.field), Field(&Finding::message, HasSubstr(problem.says)),
                               Field(&Finding::error, problem.error))))
        << problem.name;
  }
}

struct Reach {
  std::string ask;
  bool reachable;
};

TEST(CheckQuestionnaire, TriesWhoCanReachAQuestion) {
  const std::vector<Reach> cases = {
      {"teams == ja", true},
      {"teams == nee", true},
      {"!answered(teams)", true},
      // Through the routing of what it depends on: only who has teams is asked for tasks.
      {"a in tasks && teams == ja", true},
      {"a in tasks && teams == nee", false},
      {"a in tasks && b in tasks", true},
      // At most two options, and "geen" alone.
      {"a in tasks && b in tasks && c in tasks", false},
      {"geen in tasks && a in tasks", false},
      {"answered(tasks) && !(a in tasks) && !(b in tasks) && !(c in tasks) && !(geen in tasks)", true},
      {"answered(why) && geen in tasks", false},
      {"with.ggz == ja && with.ggz == nee", false},
      {"with.ggz == ja && with.ggd == nee", true},
  };
  for (const Reach& c : cases) {
    v1::Questionnaire questionnaire = testing::Everything();
    Fte(questionnaire).set_ask(c.ask);
    EXPECT_THAT(CheckQuestionnaire(questionnaire).empty(), c.reachable) << c.ask;
  }
  const std::vector<Reach> later = {
      {"fte > 5 && fte < 6", true},
      {"fte > 6 && fte < 5", false},
      {"fte > 100", false},
      {"fte < 0", false},
      {"fte >= 100", true},
      {"since > 2020-01-01 && since < 2019-01-01", false},
      {"since > 2019-01-01 && since < 2020-01-01", true},
  };
  for (const Reach& c : later) {
    v1::Questionnaire questionnaire = testing::Everything();
    Mail(questionnaire).set_ask(c.ask);
    EXPECT_THAT(CheckQuestionnaire(questionnaire).empty(), c.reachable) << c.ask;
  }
}

TEST(CheckQuestionnaire, DoesNotTryWhatWouldTakeForEver) {
  v1::Questionnaire questionnaire = testing::Everything();
  std::string ask = "teams == ja && teams == nee";
  for (int i = 0; i < 40; ++i) {
    v1::Question& question = *questionnaire.mutable_sections(0)->add_questions();
    question = Teams(questionnaire);
    question.set_code("extra" + std::to_string(i));
    ask += " && " + question.code() + " == ja";
  }
  Fte(questionnaire).set_ask(ask);
  EXPECT_THAT(CheckQuestionnaire(questionnaire), IsEmpty());
}

TEST(Compile, NamesEveryErrorAtOnce) {
  v1::Questionnaire questionnaire = testing::Everything();
  Fte(questionnaire).set_ask("Q99 == ja");
  Tasks(questionnaire).set_max_choices(9);
  const auto compiled = CompiledQuestionnaire::Compile(questionnaire);
  ASSERT_FALSE(compiled.ok());
  EXPECT_EQ(status::Reason(compiled.status()), "QUESTIONNAIRE_INVALID");
  EXPECT_EQ(status::FieldViolations(compiled.status()).size(), 2u);
}

TEST(Compile, AcceptsWhatIsOnlyWorthALook) {
  v1::Questionnaire questionnaire = testing::Everything();
  Fte(questionnaire).set_ask("teams == ja && teams == nee");
  EXPECT_TRUE(CompiledQuestionnaire::Compile(questionnaire).ok());
}

TEST(Fingerprint, ChangesWithTheContentAlone) {
  const std::string fingerprint = Fingerprint(testing::Everything());
  EXPECT_THAT(fingerprint, ::testing::MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(Fingerprint(testing::Everything()), fingerprint);
  v1::Questionnaire other = testing::Everything();
  other.mutable_sections(0)->mutable_questions(0)->set_title("x");
  EXPECT_NE(Fingerprint(other), fingerprint);
}

TEST(Compile, FindsQuestionsByCodeAndRole) {
  const auto compiled = *CompiledQuestionnaire::Compile(testing::Everything());
  EXPECT_EQ(compiled->Find("teams"), 2);
  EXPECT_EQ(compiled->Find("teams", 9), 2);
  EXPECT_EQ(compiled->Find("teams", -1), 2);
  EXPECT_EQ(compiled->Find("nothing"), kNoQuestion);
  EXPECT_EQ(compiled->FindRole(v1::QUESTION_ROLE_SIZE_CLASS), 1);
  EXPECT_EQ(compiled->FindRole(v1::QUESTION_ROLE_RESPONDENT), kNoQuestion);
  const CompiledQuestion& tasks = compiled->questions()[3];
  EXPECT_EQ(tasks.OptionOf("anders"), 4);
  EXPECT_EQ(tasks.OptionOf("a", 3), 0);
  EXPECT_EQ(tasks.OptionOf("x"), -1);
  EXPECT_EQ(tasks.section, 2);
}

}  // namespace
}  // namespace peiling::survey
