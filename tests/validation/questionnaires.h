// Questionnaires and answers for tests, short to write.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "peiling/survey/v1/answers.pb.h"
#include "peiling/survey/v1/questionnaire.pb.h"

namespace peiling::survey::testing {

// A message from its text form.
template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

// Two sections for everybody around one for those with teams; every type of question.
inline v1::Questionnaire Everything() {
  return Parse<v1::Questionnaire>(R"q(
    version: "1" language: "nl"
    sections { title: "Begin"
      questions { code: "who" title: "Gemeente?" type: QUESTION_TYPE_TEXT role: QUESTION_ROLE_MUNICIPALITY required: true }
      questions { code: "size" title: "Inwoners?" type: QUESTION_TYPE_SINGLE role: QUESTION_ROLE_SIZE_CLASS
        options { code: "small" label: "< 50.000" inhabitants_from: 0 inhabitants_to: 49999 }
        options { code: "large" label: "50.000 en meer" inhabitants_from: 50000 } }
      questions { code: "teams" title: "Teams?" type: QUESTION_TYPE_SINGLE required: true
        options { code: "ja" label: "Ja" } options { code: "nee" label: "Nee" } } }
    sections { title: "Teams" ask: "teams == ja"
      questions { code: "tasks" title: "Taken?" type: QUESTION_TYPE_MULTIPLE max_choices: 2 other_code: "anders"
        options { code: "a" label: "A" } options { code: "b" label: "B" } options { code: "c" label: "C" }
        options { code: "geen" label: "Geen" exclusive: true } options { code: "anders" label: "Anders, namelijk" } }
      questions { code: "why" title: "Waarom?" type: QUESTION_TYPE_TEXT ask: "answered(tasks) && !(geen in tasks)" }
      questions {
code:
  "plans" title : "Plannen?" type : QUESTION_TYPE_SINGLE other_code : "anders" options{code : "meer" label : "Meer"}
                                                                      options{code : "stop" label : "Stoppen" comment : true} options {
  code:
    "anders" label : "Anders, namelijk"
  }
}
questions {
code:
  "with" title : "Met wie?" type : QUESTION_TYPE_MATRIX rows{code : "ggz" label : "GGZ"} rows{code : "ggd" label : "GGD"}
                                   options{code : "ja" label : "Ja"} options {
  code:
    "nee" label : "Nee"
  }
}
}
    sections { title: "Einde"
      questions { code: "fte" title: "Hoeveel?" type: QUESTION_TYPE_NUMBER minimum: 0 maximum: 100 }
      questions { code: "since" title: "Sinds?" type: QUESTION_TYPE_DATE }
      questions { code: "mail" title: "Mail?" type: QUESTION_TYPE_TEXT personal: true } }
  )q");
}

inline v1::Answers Answers(const std::string& text) { return Parse<v1::Answers>(text); }

// Answers that Everything() has nothing to say about.
inline const char* const kFullAnswers = R"(
  answers { question: "who" text: "Urk" }
  answers { question: "size" selection { codes: "small" } }
  answers { question: "teams" selection { codes: "ja" } }
  answers { question: "tasks" selection { codes: "a" codes: "anders" other_text: "x" } }
  answers { question: "why" text: "daarom" }
  answers { question: "plans" selection { codes: "stop" comment: "ooit" } }
  answers { question: "with" grid { cells { row: "ggz" option: "ja" } cells { row: "ggd" option: "nee" } } }
  answers { question: "fte" number: 9.5 }
  answers { question: "since" date: "2020-02-29" }
  answers { question: "mail" text: "a@b.nl" })";

}  // namespace peiling::survey::testing
