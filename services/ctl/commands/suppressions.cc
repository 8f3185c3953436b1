// suppressions list | find | add | remove: addresses no mail goes to.
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::Suppression;

Table SuppressionsTable() { return Table({{"SUPPRESSION"}, {"REASON"}, {"SINCE"}, {"BY"}, {"MESSAGE", Align::kLeft, true}}); }

void AddSuppression(const Suppression& suppression, Table& table) {
  table.Add({names::LastId(suppression.name()), Word(suppression.reason()), Moment(suppression.created_at()), suppression.created_by(),
             names::LastId(suppression.message())});
}

void ShowOne(Session& session, const Suppression& suppression) {
  Table table = SuppressionsTable();
  AddSuppression(suppression, table);
  session.output().Show(suppression, table, {suppression.name()});
}

absl::StatusOr<ExitCode> List(Session& session) {
  const auto response = session.connection().CallAll(&Mail::ListSuppressions, fieldwork::v1::ListSuppressionsRequest());
  if (!response.ok()) return response.status();
  Table table = SuppressionsTable();
  std::vector<std::string> names;
  for (const Suppression& suppression : response->suppressions()) {
    AddSuppression(suppression, table);
    names.push_back(suppression.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

absl::StatusOr<Suppression> FindOne(Session& session, const std::string& address) {
  fieldwork::v1::FindSuppressionRequest request;
  request.set_address(address);
  const auto response = session.connection().Call(&Mail::FindSuppression, request);
  if (!response.ok()) return response.status();
  return response->suppression();
}

absl::StatusOr<ExitCode> Find(Session& session, const std::string& address) {
  const auto suppression = FindOne(session, address);
  if (!suppression.ok()) return suppression.status();
  ShowOne(session, *suppression);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Add(Session& session, const std::string& address, const std::string& reason) {
  const auto why = ParseWord<fieldwork::v1::SuppressionReason>(reason);
  if (!why.ok()) return why.status();
  fieldwork::v1::CreateSuppressionRequest request;
  request.set_address(address);
  request.set_reason(*why);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Mail::CreateSuppression, request);
  if (!response.ok()) return response.status();
  ShowOne(session, response->suppression());
  return ExitCode::kOk;
}

// By its address, its id or its full name.
absl::StatusOr<std::string> NameOf(Session& session, const std::string& text) {
  if (absl::StartsWith(text, "suppressions/")) return text;
  if (!absl::StrContains(text, '@')) return absl::StrCat("suppressions/", text);
  const auto suppression = FindOne(session, text);
  if (!suppression.ok()) return suppression.status();
  return suppression->name();
}

absl::StatusOr<ExitCode> Remove(Session& session, const std::string& text) {
  const auto name = NameOf(session, text);
  if (!name.ok()) return name.status();
  fieldwork::v1::DeleteSuppressionRequest request;
  request.set_name(*name);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Mail::DeleteSuppression, request);
  if (!response.ok()) return response.status();
  session.output().Note("mail goes there again, from the next message on");
  return ExitCode::kOk;
}

}  // namespace

void AddSuppressions(CommandLine& line) {
  CLI::App& group = line.AddGroup("suppressions", "Addresses no mail goes to");
  line.AddCommand(group,
                  {.name = "list",
                   .description = "List suppressions; the addresses themselves are not stored",
                   .examples = "  peilingctl suppressions list -o csv\n",
                   .names = true},
                  List);

  auto sought = std::make_shared<std::string>();
  line.AddCommand(group,
                  {.name = "find",
                   .description = "Whether mail goes to an address, and why not",
                   .examples = "  peilingctl suppressions find a.jansen@amersfoort.nl\n",
                   .names = true},
                  [sought](Session& session) { return Find(session, *sought); })
      .add_option("ADDRESS", *sought, "E-mail address")
      ->required();

  auto added = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  CLI::App& add = line.AddCommand(group,
                                  {.name = "add",
                                   .description = "Send no more mail to an address",
                                   .examples = "  peilingctl suppressions add a.jansen@amersfoort.nl --reason unsubscribed\n",
                                   .names = true},
                                  [=](Session& session) { return Add(session, *added, *reason); });
  add.add_option("ADDRESS", *added, "E-mail address")->required();
  const auto reasons = Words<fieldwork::v1::SuppressionReason>();
  line.CompleteWith(add.add_option("--reason", *reason, "Why, by default manual: " + absl::StrJoin(reasons, ", ")), reasons);

  auto removed = std::make_shared<std::string>();
  line.AddCommand(group,
                  {.name = "remove",
                   .description = "Let mail go to an address again, and forget what came back from it",
                   .examples = "  peilingctl suppressions remove a.jansen@amersfoort.nl\n"},
                  [removed](Session& session) { return Remove(session, *removed); })
      .add_option("ADDRESS", *removed, "E-mail address, or id of the suppression")
      ->required();
}

}  // namespace peiling::ctl
