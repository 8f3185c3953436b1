// get surveys | waves | questionnaire
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/status/errors.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

absl::StatusOr<ExitCode> GetSurveys(Session& session) {
  const auto response = session.connection().CallAll(&Intake::ListSurveys, intake::v1::ListSurveysRequest());
  if (!response.ok()) return response.status();
  Table table({{"NAME"}, {"TITLE", Align::kLeft, true}});
  std::vector<std::string> names;
  for (const auto& survey : response->surveys()) {
    table.Add({survey.name(), survey.title()});
    names.push_back(survey.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> GetWaves(Session& session, const Flags& flags) {
  intake::v1::ListWavesRequest request;
  request.set_parent("surveys/-");
  if (!flags.survey.empty()) {
    const auto survey = session.Survey();
    if (!survey.ok()) return survey.status();
    request.set_parent(*survey);
  }
  const auto response = session.connection().CallAll(&Intake::ListWaves, request);
  if (!response.ok()) return response.status();
  Table table({{"NAME"}, {"TITLE", Align::kLeft, true}, {"FRAME DATE"}, {"OPENED"}, {"CLOSED"}, {"RESPONSES", Align::kRight}});
  std::vector<std::string> names;
  for (const auto& wave : response->waves()) {
    table.Add({wave.name(), wave.title(), wave.frame_date(), wave.opened(), wave.closed(), wave.response_count()});
    names.push_back(wave.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

std::string Remarks(const survey::v1::Question& question) {
  std::vector<std::string> remarks;
  if (question.required()) remarks.push_back("required");
  if (question.personal()) remarks.push_back("personal");
  if (question.max_choices() > 0) remarks.push_back(absl::StrCat("at most ", question.max_choices()));
  if (!question.ask().empty()) remarks.push_back("if " + question.ask());
  return absl::StrJoin(remarks, ", ");
}

// One line for each option, row or, where there are none, question: a codebook.
Table Codebook(const survey::v1::Questionnaire& questionnaire) {
  Table table({{"SECTION"},
               {"QUESTION"},
               {"TYPE"},
               {"TITLE"},
               {"PART"},
               {"CODE"},
               {"LABEL"},
               {"SECTION ASK"},
               {"ASK"},
               {"REQUIRED"},
               {"PERSONAL"}});
  for (const auto& section : questionnaire.sections()) {
    for (const auto& question : section.questions()) {
      const auto add = [&](const std::string& part, const std::string& code, const std::string& label) {
        table.Add({section.title(), question.code(), Word(question.type()), question.title(), part, code, label, section.ask(),
                   question.ask(), question.required() ? "yes" : "no", question.personal() ? "yes" : "no"});
      };
      for (const auto& row : question.rows()) add("row", row.code(), row.label());
      for (const auto& option : question.options()) add("option", option.code(), option.label());
      if (question.rows().empty() && question.options().empty()) add("", "", "");
    }
  }
  return table;
}

Table Overview(const survey::v1::Questionnaire& questionnaire) {
  Table table({{"QUESTION"}, {"TYPE"}, {"OPTIONS", Align::kRight}, {"TITLE", Align::kLeft, true}, {"REMARKS", Align::kLeft, true}});
  for (const auto& section : questionnaire.sections()) {
    table.AddHeading(section.title() + (section.ask().empty() ? "" : "  (if " + section.ask() + ")"));
    for (const auto& question : section.questions()) {
      table.Add({question.code(), Word(question.type()), question.options().empty() ? Cell("") : Cell(int64_t{question.options_size()}),
                 question.title(), Remarks(question)});
    }
  }
  return table;
}

// Some questions with their options.
Table Details(const survey::v1::Questionnaire& questionnaire) {
  Table table({{"CODE"}, {"LABEL", Align::kLeft, true}, {"REMARKS"}});
  for (const auto& section : questionnaire.sections()) {
    for (const auto& question : section.questions()) {
      table.AddHeading(absl::StrCat(question.code(), "  ", question.title(), "  (", Word(question.type()), ")"));
      if (const std::string remarks = Remarks(question); !remarks.empty()) table.Add({"", "", Cell(remarks, Style::kFaint)});
      for (const auto& row : question.rows()) table.Add({row.code(), row.label(), "row"});
      for (const auto& option : question.options()) table.Add({option.code(), option.label(), option.exclusive() ? "exclusive" : ""});
    }
  }
  return table;
}

// Keeps only the questions named. NOT_FOUND for one that is not there.
absl::Status KeepOnly(const std::vector<std::string>& codes, survey::v1::Questionnaire& questionnaire) {
  survey::v1::Questionnaire kept = questionnaire;
  for (auto& section : *kept.mutable_sections()) section.clear_questions();
  for (const std::string& code : codes) {
    bool found = false;
    for (int i = 0; i < questionnaire.sections_size(); ++i) {
      for (const auto& question : questionnaire.sections(i).questions()) {
        if (question.code() != code) continue;
        *kept.mutable_sections(i)->add_questions() = question;
        found = true;
      }
    }
    if (!found) return status::Error(absl::StatusCode::kNotFound, "QUESTION_NOT_FOUND", absl::StrCat("no question \"", code, "\""));
  }
  questionnaire = std::move(kept);
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> GetQuestionnaire(Session& session, const std::vector<std::string>& codes) {
  auto questionnaire = session.Questionnaire();
  if (!questionnaire.ok()) return questionnaire.status();
  if (!codes.empty()) {
    if (const absl::Status status = KeepOnly(codes, *questionnaire); !status.ok()) return status;
  }
  const Table table = codes.empty() ? Overview(*questionnaire) : Details(*questionnaire);
  session.output().Show(*questionnaire, table.ToText(session.output().out_terminal()), Codebook(*questionnaire));
  return ExitCode::kOk;
}

}  // namespace

void AddGet(CommandLine& line) {
  CLI::App& group = line.AddGroup("get", "Show surveys, waves and questionnaires");
  line.AddCommand(group,
                  {.name = "surveys",
                   .description = "List surveys",
                   .examples = "  peilingctl get surveys\n  peilingctl get surveys -o name\n",
                   .names = true},
                  GetSurveys);
  line.AddCommand(group,
                  {.name = "waves",
                   .description = "List waves with their dates and how much came in",
                   .examples = "  peilingctl get waves\n  peilingctl get waves --survey sociale-wijkteams -o csv\n",
                   .names = true},
                  [&line](Session& session) { return GetWaves(session, line.flags()); });
  auto codes = std::make_shared<std::vector<std::string>>();
  CLI::App& questionnaire = line.AddCommand(group,
                                            {.name = "questionnaire",
                                             .description = "Show the questions of a wave, or some of them with their options",
                                             .examples = "  peilingctl get questionnaire                     the questions, by section\n"
                                                         "  peilingctl get questionnaire Q5 Q22              these with their options\n"
                                                         "  peilingctl get questionnaire -o csv > codes.csv  a codebook for R or SPSS\n"},
                                            [codes](Session& session) { return GetQuestionnaire(session, *codes); });
  line.CompleteQuestions(questionnaire.add_option("QUESTION", *codes, "Codes of questions; without any an overview"));
}

}  // namespace peiling::ctl
