#include "services/ctl/commands/answers.h"

#include "absl/strings/str_cat.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {

absl::StatusOr<ExitCode> ShowAnswers(Session& session, const std::vector<std::pair<std::string, std::string>>& facts,
                                     const google::protobuf::Message& whole, const survey::v1::Answers& answers) {
  Output& output = session.output();
  if (output.format() == Format::kJson) {
    output.WriteJson(whole);
    return ExitCode::kOk;
  }
  const auto questionnaire = session.Questionnaire();
  if (!questionnaire.ok()) return questionnaire.status();
  Table table({{"QUESTION"}, {"TITLE", Align::kLeft, true}, {"ANSWER", Align::kLeft, true, true}});
  for (const auto& answer : answers.answers()) {
    const survey::v1::Question* question = FindQuestion(*questionnaire, answer.question());
    table.Add({answer.question(), question == nullptr ? "" : question->title(), AnswerText(question, answer)});
  }
  std::string text;
  for (const auto& [key, value] : facts) {
    if (!value.empty()) absl::StrAppend(&text, key, ": ", Printable(value), "\n");
  }
  output.Show(whole, absl::StrCat(text, "\n", table.ToText(output.out_terminal())), table);
  return ExitCode::kOk;
}

}  // namespace peiling::ctl
