// progress: how the fieldwork stands, or stood on a day.
#include "services/ctl/commands/progress.h"

#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/commands/positions.h"

namespace peiling::ctl {
namespace {

struct Options {
  std::string as_of;
  MinimumPosition minimum;
};

std::string StratumTitle(const std::string& stratum) {
  static const auto& titles = *new std::map<std::string, std::string>{
      {"total", "All municipalities"}, {"size_class", "By size"}, {"province", "By province"}, {"group", "By group"}};
  const auto title = titles.find(stratum);
  return title == titles.end() ? stratum : title->second;
}

Cell Percent(const analytics::v1::ProgressLine& line, std::string_view sign) {
  return line.has_response_percent() ? absl::StrCat(line.response_percent(), std::string(sign)) : std::string();
}

Table ProgressCsv(const analytics::v1::Progress& progress) {
  Table table(
      {{"AS OF"}, {"STRATUM"}, {"CODE"}, {"LABEL"}, {"MUNICIPALITIES"}, {"STARTED"}, {"USABLE"}, {"COMPLETE"}, {"RESPONSE PERCENT"}});
  for (const auto& line : progress.lines()) {
    table.Add({progress.as_of(), line.stratum(), line.code(), line.label(), line.municipalities(), line.started(), line.usable(),
               line.complete(), Percent(line, "")});
  }
  return table;
}

absl::StatusOr<ExitCode> RunProgress(Session& session, const Options& options) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  analytics::v1::GetProgressRequest request;
  request.set_parent(*wave);
  request.set_as_of(options.as_of);
  *request.mutable_wait_for() = options.minimum.ToProto();
  const auto response = session.connection().Call(&Analytics::GetProgress, request);
  if (!response.ok()) return response.status();
  session.output().Show(response->progress(), ProgressText(response->progress(), session.output().out_terminal()),
                        ProgressCsv(response->progress()));
  session.output().ShowNotices(response->progress().notices());
  return ExitCode::kOk;
}

}  // namespace

std::string ProgressText(const analytics::v1::Progress& progress, const Terminal& terminal) {
  Table table({{"CLASS", Align::kLeft, true},
               {"MUNICIPALITIES", Align::kRight},
               {"STARTED", Align::kRight},
               {"USABLE", Align::kRight},
               {"COMPLETE", Align::kRight},
               {"RESPONSE", Align::kRight}});
  std::string stratum;
  for (const auto& line : progress.lines()) {
    if (line.stratum() != stratum) table.AddHeading(StratumTitle(line.stratum()));
    stratum = line.stratum();
    table.Add({line.label().empty() ? line.code() : line.label(), line.municipalities(), line.started(), line.usable(), line.complete(),
               Percent(line, "%")});
  }
  std::string text = table.ToText(terminal);
  if (progress.started_unknown() > 0)
    absl::StrAppend(&text, "\n", progress.started_unknown(), " of the started responses name no municipality that is known.\n");
  if (std::any_of(progress.lines().begin(), progress.lines().end(), [](const auto& line) { return line.usable() > line.started(); })) {
    absl::StrAppend(&text, "\nA joint response is started once in a class, and usable for each of its municipalities.\n");
  }
  return text;
}

std::string ProgressLineText(const analytics::v1::Progress& progress) {
  for (const auto& line : progress.lines()) {
    if (line.stratum() != "total") continue;
    return absl::StrCat("started ", line.started(), ", usable ", line.usable(), " of ", line.municipalities(),
                        line.has_response_percent() ? absl::StrCat(" (", line.response_percent(), "%)") : "", ", complete ",
                        line.complete());
  }
  return "nothing yet";
}

void AddProgress(CommandLine& line) {
  auto options = std::make_shared<Options>();
  CLI::App& command = line.AddCommand(line.root(),
                                      {.name = "progress",
                                       .description = "Show how the fieldwork stands: started, usable, complete, response by class",
                                       .examples = "  peilingctl progress --wave 2022                 now\n"
                                                   "  peilingctl progress --as-of 2022-05-01          at the end of that day\n"
                                                   "  peilingctl progress -o csv > progress.csv\n"},
                                      [options](Session& session) { return RunProgress(session, *options); });
  command.add_option("--as-of", options->as_of, "Day, YYYY-MM-DD; by default now");
  options->minimum.AddFlags(command);
}

}  // namespace peiling::ctl
