// decisions: what became of every response, and why.
#include "services/ctl/commands/decisions.h"

#include <memory>

#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

absl::StatusOr<ExitCode> ListDecisions(Session& session, const std::string& disposition) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  const auto number = ParseWord<dedup::v1::Disposition>(disposition);
  if (!number.ok()) return number.status();
  dedup::v1::ListDecisionsRequest request;
  request.set_parent(*wave);
  request.set_disposition(*number);
  const auto response = session.connection().CallAll(&Dedup::ListDecisions, request);
  if (!response.ok()) return response.status();
  std::vector<std::string> names;
  for (const auto& decision : response->decisions()) names.push_back(decision.response());
  session.output().Show(*response, DecisionsTable(response->decisions()), names);
  return ExitCode::kOk;
}

}  // namespace

Table DecisionsTable(const google::protobuf::RepeatedPtrField<dedup::v1::Decision>& decisions) {
  Table table({{"RESPONSE"},
               {"DISPOSITION"},
               {"MUNICIPALITY"},
               {"STARTED"},
               {"SUBMITTED"},
               {"ANSWERED", Align::kRight},
               {"REASON", Align::kLeft, true, true}});
  for (const auto& decision : decisions) {
    const Style style = decision.disposition() == dedup::v1::DISPOSITION_KEPT        ? Style::kGood
                        : decision.disposition() == dedup::v1::DISPOSITION_AMBIGUOUS ? Style::kWarning
                                                                                     : Style::kPlain;
    table.Add({names::LastId(decision.response()), Cell(Word(decision.disposition()), style),
               absl::StrJoin(decision.municipality_codes(), " "), Moment(decision.started_at()), Moment(decision.submitted_at()),
               int64_t{decision.answered()}, decision.reason()});
  }
  return table;
}

void AddDecisions(CommandLine& line) {
  auto disposition = std::make_shared<std::string>();
  CLI::App& command = line.AddCommand(line.root(),
                                      {.name = "decisions",
                                       .description = "List what became of every response, and why",
                                       .examples = "  peilingctl decisions\n"
                                                   "  peilingctl decisions --disposition municipality-unknown\n"
                                                   "  peilingctl decisions -o csv > cleaning.csv\n",
                                       .names = true},
                                      [disposition](Session& session) { return ListDecisions(session, *disposition); });
  line.CompleteWith(
      command.add_option("--disposition", *disposition, "Only these: " + absl::StrJoin(Words<dedup::v1::Disposition>(), ", ")),
      Words<dedup::v1::Disposition>());
}

}  // namespace peiling::ctl
