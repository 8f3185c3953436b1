// apply, validate: documents to intake.
#include <memory>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/files.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

constexpr size_t kMaxDocumentBytes = 2 << 20;

struct Options {
  std::vector<std::string> paths;
  bool dry_run = false;
};

absl::StatusOr<intake::v1::ApplyDocumentsResponse> Apply(Session& session, const std::vector<std::string>& paths, bool dry_run) {
  const auto files = FindYamlFiles(paths);
  if (!files.ok()) return files.status();
  intake::v1::ApplyDocumentsRequest request;
  request.set_dry_run(dry_run);
  request.set_request_id(RandomRequestId());
  for (const std::string& file : *files) {
    auto text = ReadFile(file, kMaxDocumentBytes);
    if (!text.ok()) return text.status();
    auto& document = *request.add_documents();
    document.set_filename(file);
    document.set_text(*std::move(text));
  }
  return session.connection().Call(&Intake::ApplyDocuments, request);
}

std::string OutcomeText(intake::v1::ApplyOutcome outcome, bool dry_run) { return Word(outcome) + (dry_run ? " (dry run)" : ""); }

void ShowApplied(Session& session, const intake::v1::ApplyDocumentsResponse& response, bool dry_run) {
  Table table({{"NAME"}, {"OUTCOME"}});
  std::vector<std::string> names;
  for (const auto& resource : response.resources()) {
    const Style style = resource.outcome() == intake::v1::APPLY_OUTCOME_UNCHANGED ? Style::kFaint : Style::kGood;
    table.Add({resource.name(), Cell(OutcomeText(resource.outcome(), dry_run), style)});
    names.push_back(resource.name());
  }
  session.output().Show(response, table, names);
  for (const auto& resource : response.resources()) {
    for (const auto& warning : resource.warnings()) session.output().Warn(absl::StrCat(resource.name(), ": ", warning));
  }
}

absl::StatusOr<ExitCode> RunApply(Session& session, const Options& options) {
  const auto response = Apply(session, options.paths, options.dry_run);
  if (!response.ok()) return response.status();
  ShowApplied(session, *response, options.dry_run);
  return ExitCode::kOk;
}

// Findings are the answer here, not a failure.
absl::StatusOr<ExitCode> RunValidate(Session& session, const Options& options) {
  const auto response = Apply(session, options.paths, true);
  if (response.ok()) {
    ShowApplied(session, *response, true);
    return ExitCode::kOk;
  }
  const auto findings = status::FieldViolations(response.status());
  if (findings.empty() || !absl::IsInvalidArgument(response.status())) return response.status();
  if (session.output().format() == Format::kJson) {
    session.output().Write(ErrorAsJson(response.status(), session.server()));
    return ExitCode::kNo;
  }
  Table table({{"PLACE"}, {"FINDING"}});
  for (const auto& [place, finding] : findings) table.Add({place, finding});
  session.output().Show(google::rpc::BadRequest(), table);
  return ExitCode::kNo;
}

}  // namespace

void AddApply(CommandLine& line) {
  auto options = std::make_shared<Options>();
  CLI::App& command =
      line.AddCommand(line.root(),
                      {.name = "apply",
                       .description = "Create or change surveys, waves, questionnaires and published reports from YAML",
                       .examples = "  peilingctl apply -f survey.yaml -f 2022.yaml      all of them, or with an error none\n"
                                   "  peilingctl apply -f surveys/sociale-wijkteams     every *.yaml of a folder\n"
                                   "  peilingctl apply -f 2022.yaml --dry-run           check only\n",
                       .names = true},
                      [options](Session& session) { return RunApply(session, *options); });
  line.CompleteFiles(command.add_option("-f,--filename", options->paths, "YAML file, folder of them, or - for standard input")->required());
  command.add_flag("--dry-run", options->dry_run, "Check only; nothing is stored");
}

void AddValidate(CommandLine& line) {
  CLI::App& group = line.AddGroup("validate", "Check files without storing anything");
  auto options = std::make_shared<Options>();
  CLI::App& command =
      line.AddCommand(group,
                      {.name = "questionnaire",
                       .description = "Check documents: YAML, codes, routing; exit code 1 when something is wrong",
                       .examples = "  peilingctl validate questionnaire 2022.yaml             findings with line and column\n"
                                   "  peilingctl validate questionnaire surveys/ -o csv       the same for a program\n"},
                      [options](Session& session) { return RunValidate(session, *options); });
  line.CompleteFiles(command.add_option("FILE", options->paths, "YAML file or folder of them")->required());
}

}  // namespace peiling::ctl
