// records list | show: the cleaned responses that tables count.
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/commands/answers.h"
#include "services/ctl/commands/commands.h"

namespace peiling::ctl {
namespace {

absl::StatusOr<ExitCode> ListRecords(Session& session) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  dedup::v1::ListRecordsRequest request;
  request.set_parent(*wave);
  const auto response = session.connection().CallAll(&Dedup::ListRecords, request);
  if (!response.ok()) return response.status();
  Table table({{"MUNICIPALITY"}, {"RESPONSE"}, {"COMPLETE"}, {"ANSWERS", Align::kRight}, {"PUBLIC DATA"}, {"JOINT WITH"}});
  std::vector<std::string> names;
  for (const auto& record : response->records()) {
    table.Add({record.municipality_code(), names::LastId(record.response()), record.complete() ? "yes" : "no",
               int64_t{record.answers().answers_size()}, record.consents_public_data() ? "yes" : "no",
               absl::StrJoin(record.joint_with(), " ")});
    names.push_back(record.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ShowRecord(Session& session, const std::string& text) {
  std::string id = text;
  if (!absl::StartsWith(text, "surveys/")) {
    const auto code = session.MunicipalityCode(text);
    if (!code.ok()) return code.status();
    id = *code;
  }
  const auto name = session.Below("records", id);
  if (!name.ok()) return name.status();
  dedup::v1::GetRecordRequest request;
  request.set_name(*name);
  const auto response = session.connection().Call(&Dedup::GetRecord, request);
  if (!response.ok()) return response.status();
  const auto& record = response->record();
  return ShowAnswers(session,
                     {{"record", record.name()},
                      {"response", names::LastId(record.response())},
                      {"complete", record.complete() ? "yes" : "no"},
                      {"joint with", absl::StrJoin(record.joint_with(), " ")}},
                     record, record.answers());
}

}  // namespace

void AddRecords(CommandLine& line) {
  CLI::App& group = line.AddGroup("records", "The one cleaned response of each municipality");
  line.AddCommand(group,
                  {.name = "list",
                   .description = "List records",
                   .examples = "  peilingctl records list\n  peilingctl records list -o json > records.json\n",
                   .names = true},
                  ListRecords);
  auto shown = std::make_shared<std::string>();
  line.AddCommand(group,
                  {.name = "show",
                   .description = "Show a record with its answers",
                   .examples = "  peilingctl records show GM0363\n  peilingctl records show Amsterdam\n"},
                  [shown](Session& session) { return ShowRecord(session, *shown); })
      .add_option("MUNICIPALITY", *shown, "Code or name of the municipality")
      ->required();
}

}  // namespace peiling::ctl
