// drafts show | history | submit | reopen: questionnaires that are being filled in.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using intake::v1::Draft;

// "12 van 40" is for officials; here a fraction.
std::string Done(const Draft& draft) {
  return draft.has_completeness() ? absl::StrCat(draft.completeness().answered(), "/", draft.completeness().asked()) : "";
}

void ShowDraft(Session& session, const Draft& draft) {
  Table table({{"DRAFT"},
               {"STATE"},
               {"MUNICIPALITIES", Align::kLeft, true, true},
               {"ANSWERED"},
               {"STARTED"},
               {"UPDATED"},
               {"SUBMITTED"},
               {"ETAG"}});
  table.Add({names::LastId(draft.name()), Word(draft.state()), absl::StrJoin(draft.municipalities(), " "), Done(draft),
             Moment(draft.started_at()), Moment(draft.updated_at()), Moment(draft.submitted_at()), draft.etag()});
  session.output().Show(draft, table, {draft.name()});
}

absl::StatusOr<ExitCode> Show(Session& session, const std::string& id) {
  const auto name = session.Below("responses", id);
  if (!name.ok()) return name.status();
  intake::v1::GetDraftRequest request;
  request.set_name(*name);
  request.set_validate(true);
  const auto response = session.connection().Call(&Drafts::GetDraft, request);
  if (!response.ok()) return response.status();
  if (!session.output().people()) {
    ShowDraft(session, response->draft());
    return ExitCode::kOk;
  }
  const auto questionnaire = session.Questionnaire();
  if (!questionnaire.ok()) return questionnaire.status();
  ShowDraft(session, response->draft());
  Table answers({{"QUESTION"}, {"MUNICIPALITY"}, {"ANSWER", Align::kLeft, true, true}});
  const auto add = [&](const survey::v1::Answer& answer, const std::string& municipality) {
    answers.Add({answer.question(), municipality, AnswerText(FindQuestion(*questionnaire, answer.question()), answer)});
  };
  for (const auto& answer : response->draft().answers().answers()) add(answer, "");
  for (const auto& own : response->draft().municipality_answers()) {
    for (const auto& answer : own.answers()) add(answer, own.municipality());
  }
  session.output().Write("\n" + answers.ToText(session.output().out_terminal()));
  if (response->draft().issues().empty()) return ExitCode::kOk;
  Table issues({{"QUESTION"}, {"SEVERITY"}, {"WHAT TO DO", Align::kLeft, true, true}});
  for (const auto& issue : response->draft().issues()) issues.Add({issue.question(), Word(issue.severity()), issue.message()});
  session.output().Write("\n" + issues.ToText(session.output().out_terminal()));
  return ExitCode::kOk;
}

// "GM0363/issues/1" or "GM0363/colleagues/2" of whoever has a link, the whole subject of others.
std::string WhoOf(const std::string& subject) {
  constexpr absl::string_view kInvitations = "/invitations/";
  const size_t at = subject.find(kInvitations.data());
  return at == std::string::npos ? subject : subject.substr(at + kInvitations.size());
}

absl::StatusOr<ExitCode> History(Session& session, const std::string& id) {
  const auto name = session.Below("responses", id);
  if (!name.ok()) return name.status();
  intake::v1::ListDraftChangesRequest request;
  request.set_parent(*name);
  const auto response = session.connection().CallAll(&Drafts::ListDraftChanges, request);
  if (!response.ok()) return response.status();
  Table table({{"CHANGED"},
               {"CHANGE"},
               {"BY", Align::kLeft, true},
               {"QUESTION"},
               {"MUNICIPALITY"},
               {"BEFORE", Align::kLeft, true},
               {"AFTER", Align::kLeft, true}});
  const auto text = [](const intake::v1::AnswerHistory& answer, const survey::v1::Answer& value) {
    return answer.personal() ? std::string("(personal)") : AnswerText(nullptr, value);
  };
  for (const auto& change : response->changes()) {
    const std::string by = WhoOf(change.changed_by());
    if (change.answers().empty()) table.Add({MomentToTheSecond(change.changed_at()), Word(change.kind()), by, "", "", "", change.reason()});
    for (const auto& answer : change.answers()) {
      table.Add({MomentToTheSecond(change.changed_at()), Word(change.kind()), by, answer.after().question(), answer.municipality(),
                 text(answer, answer.before()), text(answer, answer.after())});
    }
  }
  session.output().Show(*response, table);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Submit(Session& session, const std::string& id) {
  const auto name = session.Below("responses", id);
  if (!name.ok()) return name.status();
  intake::v1::SubmitDraftRequest request;
  request.set_name(*name);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Drafts::SubmitDraft, request);
  if (!response.ok()) return response.status();
  Table table({{"RESPONSE"}, {"STATE"}, {"SUBMITTED"}});
  table.Add({names::LastId(*name), Word(response->response().state()), Moment(response->response().submitted_at())});
  session.output().Show(*response, table, {*name});
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Reopen(Session& session, const std::string& id) {
  const auto name = session.Below("responses", id);
  if (!name.ok()) return name.status();
  intake::v1::ReopenDraftRequest request;
  request.set_name(*name);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Drafts::ReopenDraft, request);
  if (!response.ok()) return response.status();
  ShowDraft(session, response->draft());
  return ExitCode::kOk;
}

}  // namespace

void AddDrafts(CommandLine& line) {
  CLI::App& group = line.AddGroup("drafts", "Questionnaires that are being filled in");
  const auto with_id = [&](const CommandSpec& spec, absl::StatusOr<ExitCode> (*run)(Session&, const std::string&)) {
    auto id = std::make_shared<std::string>();
    line.AddCommand(group, spec, [=](Session& session) { return run(session, *id); })
        .add_option("DRAFT", *id, "Id of the response, such as GM0363")
        ->required();
  };
  with_id({.name = "show",
           .description = "Show what is filled in, and what stands in the way of submitting",
           .examples = "  peilingctl drafts show GM0363 --wave 2026\n",
           .names = true},
          Show);
  with_id({.name = "history", .description = "Who changed what when", .examples = "  peilingctl drafts history GM0363 --wave 2026\n"},
          History);
  with_id({.name = "submit",
           .description = "Submit a draft for its municipality",
           .examples = "  peilingctl drafts submit GM0363 --wave 2026\n",
           .names = true},
          Submit);
  with_id({.name = "reopen",
           .description = "Make a submitted or withdrawn draft one that can be written in again",
           .examples = "  peilingctl drafts reopen GM0363 --wave 2026\n",
           .names = true},
          Reopen);
}

}  // namespace peiling::ctl
