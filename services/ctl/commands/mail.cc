// mail status | preview: what is mailed.
#include "services/ctl/commands/mail.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/commands/invitation_names.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::MessageState;

int64_t CountOf(const fieldwork::v1::StepStatus& step, MessageState state) {
  for (const fieldwork::v1::StateCount& count : step.states()) {
    if (count.state() == state) return count.count();
  }
  return 0;
}

// A row for each step, with a column for each state.
Table StatusTable(const fieldwork::v1::GetMailStatusResponse& status) {
  std::vector<Column> columns = {{"STEP"}, {"KIND"}, {"DUE AT"}};
  for (int state = fieldwork::v1::MESSAGE_STATE_DUE; state <= fieldwork::v1::MESSAGE_STATE_CANCELLED; ++state) {
    columns.push_back({absl::AsciiStrToUpper(Word(static_cast<MessageState>(state))), Align::kRight});
  }
  Table table(std::move(columns));
  for (const fieldwork::v1::StepStatus& step : status.steps()) {
    std::vector<Cell> cells = {step.step(), Word(step.kind()), Moment(step.due_at())};
    for (int state = fieldwork::v1::MESSAGE_STATE_DUE; state <= fieldwork::v1::MESSAGE_STATE_CANCELLED; ++state) {
      cells.emplace_back(CountOf(step, static_cast<MessageState>(state)));
    }
    table.Add(std::move(cells));
  }
  return table;
}

absl::StatusOr<ExitCode> Status(Session& session) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  fieldwork::v1::GetMailStatusRequest request;
  request.set_parent(*wave);
  const auto response = session.connection().Call(&Mail::GetMailStatus, request);
  if (!response.ok()) return response.status();
  const Table table = StatusTable(*response);
  std::string text = table.ToText(session.output().out_terminal());
  absl::StrAppend(&text, "\nAddresses suppressed: ", response->suppressed(), "\n");
  if (!response->without_contact().empty()) {
    absl::StrAppend(&text, "Nobody to write to: ", absl::StrJoin(response->without_contact(), ", "), "\n");
  }
  session.output().Show(*response, text, table);
  return ExitCode::kOk;
}

struct PreviewOptions {
  std::string step, municipality, language;
};

absl::StatusOr<ExitCode> Preview(Session& session, const PreviewOptions& options) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  fieldwork::v1::PreviewMailRequest request;
  request.set_parent(*wave);
  request.set_step(options.step);
  request.set_language(options.language);
  if (!options.municipality.empty()) {
    const auto invitation = InvitationName(session, options.municipality);
    if (!invitation.ok()) return invitation.status();
    request.set_invitation(names::LastId(*invitation));
  }
  const auto response = session.connection().Call(&Mail::PreviewMail, request);
  if (!response.ok()) return response.status();
  const fieldwork::v1::MailContent& mail = response->content();
  Table fields({{"FACT"}, {"VALUE", Align::kLeft, true, true}});
  const auto add = [&fields](const char* fact, const std::string& value) {
    if (!value.empty()) fields.Add({fact, Printable(value)});
  };
  add("from", mail.from_name().empty() ? mail.from_address() : absl::StrCat(mail.from_name(), " <", mail.from_address(), ">"));
  add("to", mail.to_name().empty() ? mail.to_address() : absl::StrCat(mail.to_name(), " <", mail.to_address(), ">"));
  add("reply to", mail.reply_to());
  add("language", mail.language());
  add("subject", mail.subject());
  add("unsubscribe", mail.unsubscribe_url());
  for (const auto& [field, value] : std::map<std::string, std::string>(mail.fields().begin(), mail.fields().end())) {
    add(absl::StrCat("{{", field, "}}").c_str(), value);
  }
  const std::string head = fields.ToText(session.output().out_terminal());
  add("text", mail.text());
  add("html", mail.html());
  // Line by line, so that nothing in it can move about on the terminal.
  std::string body;
  for (absl::string_view text_line : absl::StrSplit(mail.text(), '\n')) {
    absl::StrAppend(&body, Printable({text_line.data(), text_line.size()}), "\n");
  }
  session.output().Show(mail, absl::StrCat(head, "\n", body), fields);
  if (!mail.html().empty()) session.output().Note("it has HTML, too: -o json and -o csv show it");
  return ExitCode::kOk;
}

}  // namespace

void AddMail(CommandLine& line) {
  CLI::App& group = line.AddGroup("mail", "Mail of a wave: how it stands, what it says, sending it, and what came back");
  line.AddCommand(group,
                  {.name = "status",
                   .description = "How the mail stands: by step and state, and to whom none can be sent",
                   .examples = "  peilingctl mail status\n  peilingctl mail status -o csv\n"},
                  [](Session& session) { return Status(session); });

  auto options = std::make_shared<PreviewOptions>();
  CLI::App& preview = line.AddCommand(group,
                                      {.name = "preview",
                                       .description = "Show a mail as it would be sent, with links that do not work",
                                       .examples = "  peilingctl mail preview uitnodiging\n"
                                                   "  peilingctl mail preview herinnering-1 --municipality Amsterdam --language fy\n"},
                                      [options](Session& session) { return Preview(session, *options); });
  preview.add_option("STEP", options->step, "Step of the wave's mailing plan")->required();
  preview.add_option("--municipality", options->municipality, "As its contact gets it; by default an invented one");
  preview.add_option("--language", options->language, "In this language; by default the contact's");

  AddMailRun(line, group);
  AddMailMerge(line, group);
  AddMailBounces(line, group);
}

}  // namespace peiling::ctl
