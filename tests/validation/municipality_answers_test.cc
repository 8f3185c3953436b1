#include "services/common/survey/municipality_answers.h"

#include <gtest/gtest.h>

#include "google/protobuf/text_format.h"

namespace peiling::survey {
namespace {

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

// The answers of one municipality as "A=…, B=…".
std::string For(const std::string& municipality, const std::string& all, const std::string& own) {
  const auto questionnaire = Parse<v1::Questionnaire>(R"(
    version: "1" language: "nl"
    sections { title: "S"
      questions { code: "A" title: "a" type: QUESTION_TYPE_TEXT }
      questions { code: "B" title: "b" type: QUESTION_TYPE_TEXT }
      questions { code: "C" title: "c" type: QUESTION_TYPE_TEXT } })");
  const auto compiled = CompiledQuestionnaire::Compile(questionnaire);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  google::protobuf::RepeatedPtrField<v1::MunicipalityAnswers> owns;
  *owns.Add() = Parse<v1::MunicipalityAnswers>(own);
  std::string text;
  const v1::Answers answers = AnswersFor(municipality, Parse<v1::Answers>(all), owns, **compiled);
  for (const v1::Answer& answer : answers.answers()) text += answer.question() + "=" + answer.text() + " ";
  return text;
}

constexpr char kAll[] = R"(answers { question: "A" text: "1" } answers { question: "C" text: "3" })";

TEST(MunicipalityAnswersTest, OwnAnswersTakeThePlaceOfThoseForAll) {
  EXPECT_EQ(For("GM1", kAll, R"(municipality: "GM1" answers { question: "C" text: "9" })"), "A=1 C=9 ");
}

TEST(MunicipalityAnswersTest, OwnAnswersComeWhereTheQuestionStands) {
  EXPECT_EQ(For("GM1", kAll, R"(municipality: "GM1" answers { question: "B" text: "2" })"), "A=1 B=2 C=3 ");
}

TEST(MunicipalityAnswersTest, OneWithoutAValueTakesTheAnswerAway) {
  EXPECT_EQ(For("GM1", kAll, R"(municipality: "GM1" answers { question: "A" } answers { question: "B" })"), "C=3 ");
}

TEST(MunicipalityAnswersTest, ThoseOfAnotherMunicipalityDoNotCount) {
  EXPECT_EQ(For("GM1", kAll, R"(municipality: "GM2" answers { question: "A" text: "9" })"), "A=1 C=3 ");
}

TEST(MunicipalityAnswersTest, UnknownQuestionsStayAtTheEnd) {
  EXPECT_EQ(For("GM1", R"(answers { question: "X" text: "7" } answers { question: "A" text: "1" })",
                R"(municipality: "GM1" answers { question: "Y" text: "8" })"),
            "A=1 X=7 Y=8 ");
}

}  // namespace
}  // namespace peiling::survey
