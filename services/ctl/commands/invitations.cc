// invitations issue | list | show | reissue | revoke: who may answer for which municipality.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/commands/contacts.h"
#include "services/ctl/commands/invitation_names.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::Invitation;

Table InvitationsTable() {
  return Table({{"INVITATION"}, {"MUNICIPALITIES", Align::kLeft, true, true}, {"STATE"}, {"CONTACT"}, {"ISSUED"}, {"OPENED"}});
}

void AddInvitation(const Invitation& invitation, Table& table) {
  table.Add({names::LastId(invitation.name()), absl::StrJoin(invitation.municipalities(), " "), Word(invitation.state()),
             invitation.handed_over() ? "handed over" : names::LastId(invitation.contact()), Moment(invitation.issued_at()),
             Moment(invitation.opened_at())});
}

void ShowOne(Session& session, const Invitation& invitation) {
  Table table = InvitationsTable();
  AddInvitation(invitation, table);
  session.output().Show(invitation, table, {invitation.name()});
}

struct IssueOptions {
  std::vector<std::string> municipalities;
  std::vector<std::string> joint;
  bool joint_only = false;
};

absl::StatusOr<ExitCode> Issue(Session& session, const IssueOptions& options) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  fieldwork::v1::IssueInvitationsRequest request;
  request.set_parent(*wave);
  request.set_joint_only(options.joint_only);
  request.set_request_id(RandomRequestId());
  for (const std::string& text : options.municipalities) {
    const auto code = session.MunicipalityCode(text);
    if (!code.ok()) return code.status();
    request.add_municipalities(*code);
  }
  for (const std::string& together : options.joint) {
    auto& joint = *request.add_joint();
    for (const absl::string_view text : absl::StrSplit(together, ',', absl::SkipWhitespace())) {
      const auto code = session.MunicipalityCode(std::string(text));
      if (!code.ok()) return code.status();
      joint.add_municipalities(*code);
    }
  }
  const auto response = session.connection().Call(&Invitations::IssueInvitations, request);
  if (!response.ok()) return response.status();
  Table table({{"ISSUED", Align::kRight}, {"UNCHANGED", Align::kRight}, {"WITHOUT CONTACT", Align::kLeft, true, true}});
  table.Add({int64_t{response->issued()}, int64_t{response->unchanged()}, absl::StrJoin(response->without_contact(), " ")});
  session.output().Show(*response, table);
  if (!response->without_contact().empty()) {
    session.output().Note(
        absl::StrCat(response->without_contact_size(), " municipalities have nobody to write to; peilingctl contacts import"));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> List(Session& session, const std::string& state) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  const auto wanted = ParseWord<fieldwork::v1::InvitationState>(state);
  if (!wanted.ok()) return wanted.status();
  fieldwork::v1::ListInvitationsRequest request;
  request.set_parent(*wave);
  request.set_state(*wanted);
  const auto response = session.connection().CallAll(&Invitations::ListInvitations, request);
  if (!response.ok()) return response.status();
  Table table = InvitationsTable();
  std::vector<std::string> names;
  for (const Invitation& invitation : response->invitations()) {
    AddInvitation(invitation, table);
    names.push_back(invitation.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Show(Session& session, const std::string& text) {
  const auto name = InvitationName(session, text);
  if (!name.ok()) return name.status();
  fieldwork::v1::GetInvitationRequest request;
  request.set_name(*name);
  const auto response = session.connection().Call(&Invitations::GetInvitation, request);
  if (!response.ok()) return response.status();
  const Invitation& invitation = response->invitation();
  Table table({{"FACT"}, {"VALUE", Align::kLeft, true, true}});
  const auto add = [&table](const std::string& fact, Cell value) {
    if (!value.text.empty()) table.Add({fact, std::move(value)});
  };
  add("invitation", invitation.name());
  add("municipalities", absl::StrJoin(invitation.municipalities(), " "));
  add("state", Word(invitation.state()));
  add("response", invitation.response());
  add("contact", invitation.handed_over() ? "handed over" : invitation.contact());
  add("earlier contacts", absl::StrJoin(invitation.escalated_from(), " "));
  add("issue", int64_t{invitation.issue()});
  add("issued", Moment(invitation.issued_at()));
  add("opened", Moment(invitation.opened_at()));
  add("revoked", Moment(invitation.revoked_at()));
  add("reason", invitation.revocation_reason());
  session.output().Show(invitation, table, {invitation.name()});
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Reissue(Session& session, const std::string& text, const std::string& contact) {
  const auto name = InvitationName(session, text);
  if (!name.ok()) return name.status();
  fieldwork::v1::ReissueInvitationRequest request;
  request.set_name(*name);
  request.set_contact(ContactName(contact));
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Invitations::ReissueInvitation, request);
  if (!response.ok()) return response.status();
  Table table({{"INVITATION"}, {"LINK"}});
  table.Add({response->invitation().name(), response->link()});
  session.output().Show(*response, response->link() + "\n", table, {response->invitation().name()});
  session.output().Warn("whoever has this link can answer for the municipality; the old one no longer works");
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Revoke(Session& session, const std::string& text, const std::string& reason) {
  const auto name = InvitationName(session, text);
  if (!name.ok()) return name.status();
  fieldwork::v1::RevokeInvitationRequest request;
  request.set_name(*name);
  request.set_reason(reason);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Invitations::RevokeInvitation, request);
  if (!response.ok()) return response.status();
  ShowOne(session, response->invitation());
  return ExitCode::kOk;
}

void AddIssue(CommandLine& line, CLI::App& group) {
  auto options = std::make_shared<IssueOptions>();
  CLI::App& command = line.AddCommand(group,
                                      {.name = "issue",
                                       .description = "Invite municipalities: all of the wave's, or some",
                                       .examples = "  peilingctl invitations issue --wave 2026\n"
                                                   "  peilingctl invitations issue --wave 2026 --joint Drechterland,Enkhuizen\n"
                                                   "  peilingctl invitations issue Amersfoort GM0307 --wave 2026\n"},
                                      [options](Session& session) { return Issue(session, *options); });
  command.add_option("MUNICIPALITY", options->municipalities, "Codes or names; none: all that have no invitation yet");
  command.add_option("--joint", options->joint, "Municipalities that answer together, separated by commas; may be given more than once")
      ->allow_extra_args(false);
  command.add_flag("--joint-only", options->joint_only, "Invite no others beside those of --joint");
}

}  // namespace

void AddInvitations(CommandLine& line) {
  CLI::App& group = line.AddGroup("invitations", "Who may answer for which municipality");
  AddIssue(line, group);

  auto state = std::make_shared<std::string>();
  CLI::App& list = line.AddCommand(group,
                                   {.name = "list",
                                    .description = "List invitations",
                                    .examples = "  peilingctl invitations list --wave 2026 --state issued\n",
                                    .names = true},
                                   [state](Session& session) { return List(session, *state); });
  const auto states = Words<fieldwork::v1::InvitationState>();
  line.CompleteWith(list.add_option("--state", *state, "Only these: " + absl::StrJoin(states, ", ")), states);

  auto shown = std::make_shared<std::string>();
  line.AddCommand(group,
                  {.name = "show",
                   .description = "Show an invitation",
                   .examples = "  peilingctl invitations show Amersfoort --wave 2026\n",
                   .names = true},
                  [shown](Session& session) { return Show(session, *shown); })
      .add_option("MUNICIPALITY", *shown, "Code or name")
      ->required();

  auto reissued = std::make_shared<std::string>();
  auto contact = std::make_shared<std::string>();
  CLI::App& reissue = line.AddCommand(group,
                                      {.name = "reissue",
                                       .description = "Make a new link and show it; the old one ends within two seconds",
                                       .examples = "  peilingctl invitations reissue Amersfoort --wave 2026\n",
                                       .names = true},
                                      [=](Session& session) { return Reissue(session, *reissued, *contact); });
  reissue.add_option("MUNICIPALITY", *reissued, "Code or name")->required();
  reissue.add_option("--contact", *contact, "Whom mail goes to from now on: GM0363/3f2a");

  auto revoked = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  CLI::App& revoke = line.AddCommand(group,
                                     {.name = "revoke",
                                      .description = "End an invitation, and the links of its colleagues; what was filled in stays",
                                      .examples = "  peilingctl invitations revoke Amersfoort --wave 2026 --reason \"doet niet mee\"\n",
                                      .names = true},
                                     [=](Session& session) { return Revoke(session, *revoked, *reason); });
  revoke.add_option("MUNICIPALITY", *revoked, "Code or name")->required();
  revoke.add_option("--reason", *reason, "Why; no personal data");
}

}  // namespace peiling::ctl
