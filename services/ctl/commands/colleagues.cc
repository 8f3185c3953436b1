// colleagues list | invite | remove | hand-over: who else writes in a questionnaire, and who takes it over.
#include <memory>

#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::Colleague;

struct Person {
  std::string draft;
  std::string full_name;
  std::string email;
  std::vector<int> sections;
};

Table ColleaguesTable() {
  return Table({{"COLLEAGUE", Align::kRight},
                {"FULL NAME", Align::kLeft, true},
                {"EMAIL"},
                {"SECTIONS", Align::kLeft, true},
                {"INVITED"},
                {"OPENED"},
                {"REMOVED"}});
}

void AddColleague(const Colleague& colleague, Table& table) {
  table.Add({colleague.colleague(), colleague.full_name(), colleague.email(),
             colleague.sections().empty() ? "all" : absl::StrJoin(colleague.sections(), " "), Moment(colleague.invited_at()),
             Moment(colleague.opened_at()), Moment(colleague.removed_at())});
}

absl::StatusOr<ExitCode> List(Session& session, const std::string& draft) {
  const auto response_name = session.Below("responses", draft);
  if (!response_name.ok()) return response_name.status();
  fieldwork::v1::ListColleaguesRequest request;
  request.set_response(*response_name);
  const auto response = session.connection().Call(&Invitations::ListColleagues, request);
  if (!response.ok()) return response.status();
  Table table = ColleaguesTable();
  for (const Colleague& colleague : response->colleagues()) AddColleague(colleague, table);
  session.output().Show(*response, table);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Invite(Session& session, const Person& person) {
  const auto response_name = session.Below("responses", person.draft);
  if (!response_name.ok()) return response_name.status();
  fieldwork::v1::InviteColleagueRequest request;
  request.set_response(*response_name);
  request.set_full_name(person.full_name);
  request.set_email(person.email);
  request.mutable_sections()->Assign(person.sections.begin(), person.sections.end());
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Invitations::InviteColleague, request);
  if (!response.ok()) return response.status();
  Table table = ColleaguesTable();
  AddColleague(response->colleague(), table);
  session.output().Show(*response, response->link() + "\n", table);
  session.output().Warn("the link is mailed to them; whoever has it can write in this questionnaire");
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Remove(Session& session, const std::string& draft, const std::string& colleague) {
  const auto response_name = session.Below("responses", draft);
  if (!response_name.ok()) return response_name.status();
  fieldwork::v1::RemoveColleagueRequest request;
  request.set_response(*response_name);
  request.set_colleague(colleague);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Invitations::RemoveColleague, request);
  if (!response.ok()) return response.status();
  Table table = ColleaguesTable();
  AddColleague(response->colleague(), table);
  session.output().Show(*response, table);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> HandOver(Session& session, const Person& person) {
  const auto response_name = session.Below("responses", person.draft);
  if (!response_name.ok()) return response_name.status();
  fieldwork::v1::HandOverRequest request;
  request.set_response(*response_name);
  request.set_full_name(person.full_name);
  request.set_email(person.email);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Invitations::HandOver, request);
  if (!response.ok()) return response.status();
  Table table({{"INVITATION"}, {"STATE"}, {"ISSUE", Align::kRight}});
  const auto& invitation = response->invitation();
  table.Add({names::LastId(invitation.name()), Word(invitation.state()), int64_t{invitation.issue()}});
  session.output().Show(invitation, table, {invitation.name()});
  session.output().Note("the link before has ended; a new one is mailed to who takes over");
  return ExitCode::kOk;
}

// Who it is about: a draft, a name, an address.
CLI::App& AddWithPerson(CommandLine& line, CLI::App& group, const CommandSpec& spec, const std::shared_ptr<Person>& person,
                        absl::StatusOr<ExitCode> (*run)(Session&, const Person&)) {
  CLI::App& command = line.AddCommand(group, spec, [=](Session& session) { return run(session, *person); });
  command.add_option("DRAFT", person->draft, "Id of the response, such as GM0363")->required();
  command.add_option("--full-name", person->full_name, "Name, shown to the others")->required();
  command.add_option("--email", person->email, "Where the link goes")->required();
  return command;
}

}  // namespace

void AddColleagues(CommandLine& line) {
  CLI::App& group = line.AddGroup("colleagues", "Who else writes in a questionnaire, and who takes it over; personal data");
  auto listed = std::make_shared<std::string>();
  line.AddCommand(
          group,
          {.name = "list", .description = "List colleagues of a draft", .examples = "  peilingctl colleagues list GM0363 --wave 2026\n"},
          [listed](Session& session) { return List(session, *listed); })
      .add_option("DRAFT", *listed, "Id of the response, such as GM0363")
      ->required();

  auto invited = std::make_shared<Person>();
  AddWithPerson(line, group,
                {.name = "invite",
                 .description = "Invite a colleague to a draft, with a link of their own",
                 .examples = "  peilingctl colleagues invite GM0363 --full-name \"Bakker, B.\" --email b.bakker@amsterdam.nl --section 2 "
                             "--section 3 --wave 2026\n"},
                invited, Invite)
      .add_option("--section", invited->sections, "Section they may write in, from 1; may be given more than once; none: all")
      ->allow_extra_args(false);

  auto draft = std::make_shared<std::string>();
  auto removed = std::make_shared<std::string>();
  CLI::App& remove = line.AddCommand(group,
                                     {.name = "remove",
                                      .description = "End a colleague's link; what they filled in stays",
                                      .examples = "  peilingctl colleagues remove GM0363 2 --wave 2026\n"},
                                     [=](Session& session) { return Remove(session, *draft, *removed); });
  remove.add_option("DRAFT", *draft, "Id of the response, such as GM0363")->required();
  remove.add_option("COLLEAGUE", *removed, "Number of the colleague")->required();

  AddWithPerson(
      line, group,
      {.name = "hand-over",
       .description = "Hand a draft over: somebody else gets a new link, and the mail from then on",
       .examples = "  peilingctl colleagues hand-over GM0363 --full-name \"Bakker, B.\" --email b.bakker@amsterdam.nl --wave 2026\n",
       .names = true},
      std::make_shared<Person>(), HandOver);
}

}  // namespace peiling::ctl
