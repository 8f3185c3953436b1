#include "services/intake/answers.h"

#include "google/protobuf/text_format.h"
#include "services/intake/respondent_key.h"
#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

using ::google::protobuf::TextFormat;
using ::peiling::survey::v1::Answers;

Answers Parse(const std::string& text) {
  Answers answers;
  EXPECT_TRUE(TextFormat::ParseFromString(text, &answers)) << text;
  return answers;
}

TEST(AnswersTest, ComeInTheOrderOfTheQuestionnaire) {
  Answers answers = Parse(R"pb(answers { question: "nieuw" text: "x" }
                               answers {
                                 question: "Q8"
                                 grid {
                                   cells { row: "vo" option: "ja" }
                                   cells { row: "po" option: "nee" }
                                 }
                               }
                               answers {
                                 question: "Q5"
                                 selection { codes: "anders" codes: "gek" codes: "post" codes: "loket" }
                               }
                               answers { question: "Q1" text: "Jansen" })pb");
  Normalise(*PollQuestionnaire(), answers);
  EXPECT_EQ(answers.DebugString(), Parse(R"pb(answers { question: "Q1" text: "Jansen" }
                                              answers {
                                                question: "Q5"
                                                selection { codes: "loket" codes: "post" codes: "anders" codes: "gek" }
                                              }
                                              answers {
                                                question: "Q8"
                                                grid {
                                                  cells { row: "po" option: "nee" }
                                                  cells { row: "vo" option: "ja" }
                                                }
                                              }
                                              answers { question: "nieuw" text: "x" })pb")
                                       .DebugString());
}

TEST(AnswersTest, ThatSayNothingAreNone) {
  Answers answers = Parse(R"pb(answers { question: "Q1" text: "" }
                               answers { question: "Q2" }
                               answers {
                                 question: "Q4"
                                 selection {}
                               }
                               answers { question: "Q6" number: 0 }
                               answers { question: "Q7" date: "" }
                               answers {
                                 question: "Q8"
                                 grid {}
                               }
                               answers {
                                 question: "Q9"
                                 selection { comment: "bel mij" }
                               })pb");
  Normalise(*PollQuestionnaire(), answers);
  EXPECT_EQ(answers.DebugString(), Parse(R"pb(answers { question: "Q6" number: 0 }
                                              answers {
                                                question: "Q9"
                                                selection { comment: "bel mij" }
                                              })pb")
                                       .DebugString());
}

TEST(AnswersTest, GivenTwiceStayForValidationToSee) {
  Answers answers = Parse(R"pb(answers { question: "Q3" text: "Ede" }
                               answers { question: "Q3" text: "Edam" })pb");
  Normalise(*PollQuestionnaire(), answers);
  EXPECT_EQ(answers.answers_size(), 2);
}

TEST(AnswersTest, PersonalOnesAreTakenOutAndPutBack) {
  const auto questionnaire = PollQuestionnaire();
  const Answers all = Parse(R"pb(answers { question: "Q1" text: "Jansen" }
                                 answers { question: "Q3" text: "Ede" }
                                 answers { question: "Q6" number: 4 }
                                 answers {
                                   question: "Q9"
                                   selection { codes: "ja" comment: "j@ede.nl" }
                                 })pb");
  Answers answers = all;
  Answers personal = TakePersonal(*questionnaire, answers);
  EXPECT_EQ(answers.DebugString(), Parse(R"pb(answers { question: "Q3" text: "Ede" }
                                              answers { question: "Q6" number: 4 })pb")
                                       .DebugString());
  EXPECT_EQ(personal.answers_size(), 2);
  PutBackPersonal(*questionnaire, personal, answers);
  EXPECT_EQ(answers.DebugString(), all.DebugString());
}

std::string KeyOf(const std::string& secret, const std::string& name) {
  return RespondentKey(secret, *PollQuestionnaire(),
                       Parse("answers { question: 'Q3' text: 'Ede' } answers { question: 'Q1' text: '" + name + "' }"));
}

TEST(RespondentKeyTest, IsTheSameForTheSameNameAndTellsNothing) {
  EXPECT_EQ(KeyOf("s", "Piet Jansen"), KeyOf("s", " piet  JANSEN."));
  EXPECT_NE(KeyOf("s", "Piet Jansen"), KeyOf("s", "Piet Janssen"));
  EXPECT_NE(KeyOf("s", "Piet Jansen"), KeyOf("t", "Piet Jansen")) << "the secret matters";
  EXPECT_THAT(KeyOf("s", "Piet Jansen"), ::testing::MatchesRegex("[0-9a-f]{32}"));
}

TEST(RespondentKeyTest, IsEmptyWithoutAName) {
  EXPECT_EQ(KeyOf("s", ""), "");
  EXPECT_EQ(KeyOf("s", " .-"), "");
  EXPECT_EQ(RespondentKey("s", *PollQuestionnaire(), {}), "");
}

TEST(RespondentKeyTest, IsEmptyWithoutASecret) { EXPECT_EQ(KeyOf("", "Piet Jansen"), ""); }

TEST(RespondentKeyTest, SecretsDiffer) {
  EXPECT_EQ(NewSecret().size(), 32u);
  EXPECT_NE(NewSecret(), NewSecret());
}

}  // namespace
}  // namespace peiling::intake
