// responses list | show | withdraw: what came in, as it came in.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/client/await.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/answers.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

absl::StatusOr<ExitCode> ListResponses(Session& session, const std::string& state) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  const auto number = ParseWord<intake::v1::ResponseState>(state);
  if (!number.ok()) return number.status();
  intake::v1::ListResponsesRequest request;
  request.set_parent(*wave);
  request.set_state(*number);
  const auto response = session.connection().CallAll(&Intake::ListResponses, request);
  if (!response.ok()) return response.status();
  Table table({{"RESPONSE"},
               {"STATE"},
               {"STARTED"},
               {"SUBMITTED"},
               {"ANSWERED", Align::kRight},
               {"ASKED", Align::kRight},
               {"BROKE OFF AT"},
               {"FINDINGS", Align::kRight}});
  std::vector<std::string> names;
  for (const auto& item : response->responses()) {
    table.Add({names::LastId(item.name()), item.test() ? Word(item.state()) + " (test)" : Word(item.state()), Moment(item.started_at()),
               Moment(item.submitted_at()), int64_t{item.completeness().answered()}, int64_t{item.completeness().asked()},
               item.completeness().broke_off_at(), int64_t{item.issues_size()}});
    names.push_back(item.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

struct ShowOptions {
  std::string response;
  bool personal = false;
};

absl::StatusOr<ExitCode> ShowResponse(Session& session, const ShowOptions& options) {
  const auto name = session.Below("responses", options.response);
  if (!name.ok()) return name.status();
  intake::v1::GetResponseRequest request;
  request.set_name(*name);
  if (options.personal) request.set_view(intake::v1::RESPONSE_VIEW_PERSONAL);
  const auto reply = session.connection().Call(&Intake::GetResponse, request);
  if (!reply.ok()) return reply.status();
  const auto& response = reply->response();
  std::vector<std::pair<std::string, std::string>> facts = {
      {"response", response.name()},
      {"state", Word(response.state())},
      {"started", Moment(response.started_at())},
      {"submitted", Moment(response.submitted_at())},
      {"withdrawn because", response.withdrawal_reason()},
      {"answered", absl::StrCat(response.completeness().answered(), " of ", response.completeness().asked())},
      {"broke off at", response.completeness().broke_off_at()}};
  for (const auto& issue : response.issues())
    facts.emplace_back(Word(issue.severity()), absl::StrCat(issue.question(), ": ", issue.message()));
  return ShowAnswers(session, facts, response, response.answers());
}

struct WithdrawOptions {
  std::string response;
  std::string reason;
  bool no_wait = false;
};

absl::StatusOr<ExitCode> Withdraw(Session& session, const WithdrawOptions& options) {
  const auto name = session.Below("responses", options.response);
  if (!name.ok()) return name.status();
  intake::v1::WithdrawResponseRequest request;
  request.set_name(*name);
  request.set_reason(options.reason);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Intake::WithdrawResponse, request);
  if (!response.ok()) return response.status();
  Table table({{"RESPONSE"}, {"STATE"}});
  table.Add({response->response().name(), Word(response->response().state())});
  session.output().Show(response->response(), table, {response->response().name()});
  if (options.no_wait) return ExitCode::kOk;
  const absl::Status counted = AwaitCounted(session, names::WaveOf(*name), response->position(), session.TimeoutOr(kAwaitTimeout));
  if (!counted.ok()) return counted;
  return ExitCode::kOk;
}

}  // namespace

void AddResponses(CommandLine& line) {
  CLI::App& group = line.AddGroup("responses", "Filled-in questionnaires as they came in");
  auto state = std::make_shared<std::string>();
  CLI::App& list = line.AddCommand(group,
                                   {.name = "list",
                                    .description = "List responses",
                                    .examples = "  peilingctl responses list\n  peilingctl responses list --state started        not "
                                                "submitted\n  peilingctl responses list -o name\n",
                                    .names = true},
                                   [state](Session& session) { return ListResponses(session, *state); });
  line.CompleteWith(list.add_option("--state", *state, "Only in this state: " + absl::StrJoin(Words<intake::v1::ResponseState>(), ", ")),
                    Words<intake::v1::ResponseState>());

  auto show = std::make_shared<ShowOptions>();
  CLI::App& show_command = line.AddCommand(
      group,
      {.name = "show",
       .description = "Show a response with its answers and what validation found",
       .examples = "  peilingctl responses show 101\n  peilingctl responses show 101 --personal      names and contact details too\n"},
      [show](Session& session) { return ShowResponse(session, *show); });
  show_command.add_option("RESPONSE", show->response, "Id of the response")->required();
  show_command.add_flag("--personal", show->personal, "Show personal answers too");

  auto withdraw = std::make_shared<WithdrawOptions>();
  CLI::App& withdraw_command =
      line.AddCommand(group,
                      {.name = "withdraw",
                       .description = "Take a response back: it stays, and no longer counts",
                       .examples = "  peilingctl responses withdraw 101 --reason \"asked for by the municipality\"\n",
                       .names = true},
                      [withdraw](Session& session) { return Withdraw(session, *withdraw); });
  withdraw_command.add_option("RESPONSE", withdraw->response, "Id of the response")->required();
  withdraw_command.add_option("--reason", withdraw->reason, "Why; no personal data");
  withdraw_command.add_flag("--no-wait", withdraw->no_wait, "Do not wait until the tables count it");
}

}  // namespace peiling::ctl
