// fieldwork progress | municipalities | calls: how the fieldwork goes, and whom to phone.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::FieldworkLine;

Cell Percent(bool there, int64_t percent) { return there ? Cell(absl::StrCat(percent, "%")) : Cell(""); }

// "2022: 31% (now 44%)": on the same day, and at the end.
std::string Earlier(const FieldworkLine& line) {
  return absl::StrJoin(line.earlier(), ", ", [](std::string* out, const auto& earlier) {
    absl::StrAppend(out, names::LastId(earlier.wave()), ": ", earlier.response_percent(), "% (", earlier.final_percent(), "%)");
  });
}

void AddLine(const FieldworkLine& line, Table& table) {
  table.Add({line.label(), line.municipalities(), line.invited(), line.reached(), line.opened(), line.started(), line.submitted(),
             line.bounced(), line.escalated(), line.has_usable() ? Cell(line.usable()) : Cell(""),
             Percent(line.has_response_percent(), line.response_percent()), Percent(line.has_target_percent(), line.target_percent()),
             line.has_wanted() ? Cell(line.wanted()) : Cell(""), Earlier(line)});
}

absl::StatusOr<ExitCode> Progress(Session& session) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  fieldwork::v1::GetFieldworkProgressRequest request;
  request.set_parent(*wave);
  const auto response = session.connection().Call(&FieldProgress::GetFieldworkProgress, request);
  if (!response.ok()) return response.status();
  Table table({{"CLASS", Align::kLeft, true},
               {"MUNICIPALITIES", Align::kRight},
               {"INVITED", Align::kRight},
               {"REACHED", Align::kRight},
               {"OPENED", Align::kRight},
               {"STARTED", Align::kRight},
               {"SUBMITTED", Align::kRight},
               {"BOUNCED", Align::kRight},
               {"ESCALATED", Align::kRight},
               {"USABLE", Align::kRight},
               {"RESPONSE", Align::kRight},
               {"TARGET", Align::kRight},
               {"WANTED", Align::kRight},
               {"EARLIER", Align::kLeft, true}});
  for (const FieldworkLine& line : response->lines()) AddLine(line, table);
  session.output().Show(*response, table);
  session.output().ShowNotices(response->notices());
  if (session.output().people() && response->fieldwork_day() > 0)
    session.output().Note(absl::StrCat("day ", response->fieldwork_day(), " of the fieldwork"));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Municipalities(Session& session, const std::string& stage) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  const auto wanted = ParseWord<fieldwork::v1::FieldworkStage>(stage);
  if (!wanted.ok()) return wanted.status();
  fieldwork::v1::ListMunicipalityProgressRequest request;
  request.set_parent(*wave);
  request.set_stage(*wanted);
  const auto response = session.connection().CallAll(&FieldProgress::ListMunicipalityProgress, request);
  if (!response.ok()) return response.status();
  Table table({{"CODE"},
               {"MUNICIPALITY", Align::kLeft, true},
               {"STAGE"},
               {"DONE", Align::kRight},
               {"MAILS", Align::kRight},
               {"REMINDERS", Align::kRight},
               {"BOUNCES", Align::kRight},
               {"ESCALATIONS", Align::kRight},
               {"LAST MAIL"},
               {"LAST ACTIVITY"}});
  std::vector<std::string> codes;
  for (const auto& one : response->municipalities()) {
    table.Add({one.municipality(), one.title(), Word(one.stage()), Percent(one.has_percent_done(), one.percent_done()),
               int64_t{one.mails()}, int64_t{one.reminders()}, int64_t{one.bounces()}, int64_t{one.escalations()},
               Moment(one.last_mail_at()), Moment(one.last_activity_at())});
    codes.push_back(one.municipality());
  }
  session.output().Show(*response, table, codes);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Calls(Session& session, int most) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  fieldwork::v1::ListCallsRequest request;
  request.set_parent(*wave);
  request.set_page_size(most);
  // The first page alone, when only so many are asked for.
  const auto response = most > 0 ? session.connection().Call(&FieldProgress::ListCalls, request)
                                 : session.connection().CallAll(&FieldProgress::ListCalls, request);
  if (!response.ok()) return response.status();
  Table table({{"MUNICIPALITY", Align::kLeft, true},
               {"REASON"},
               {"CLASS", Align::kLeft, true},
               {"RESPONSE", Align::kRight},
               {"FULL NAME", Align::kLeft, true},
               {"JOB TITLE", Align::kLeft, true},
               {"PHONE"}});
  std::vector<std::string> codes;
  for (const auto& call : response->calls()) {
    table.Add({call.progress().title(), Word(call.reason()), call.stratum().label(),
               Percent(call.stratum().has_response_percent(), call.stratum().response_percent()), call.full_name(), call.job_title(),
               call.phone()});
    codes.push_back(call.progress().municipality());
  }
  session.output().Show(*response, table, codes);
  return ExitCode::kOk;
}

}  // namespace

void AddFieldwork(CommandLine& line) {
  CLI::App& group = line.AddGroup("fieldwork", "How the fieldwork goes, and whom to phone");
  line.AddCommand(
      group,
      {.name = "progress",
       .description = "Invited, reached, opened, started, submitted, by class, beside the plan and earlier waves on the same day",
       .examples = "  peilingctl fieldwork progress --wave 2026\n"},
      Progress);

  auto stage = std::make_shared<std::string>();
  CLI::App& municipalities = line.AddCommand(group,
                                             {.name = "municipalities",
                                              .description = "Where every municipality is",
                                              .examples = "  peilingctl fieldwork municipalities --wave 2026 --stage bounced\n",
                                              .names = true},
                                             [stage](Session& session) { return Municipalities(session, *stage); });
  const auto stages = Words<fieldwork::v1::FieldworkStage>();
  line.CompleteWith(municipalities.add_option("--stage", *stage, "Only these: " + absl::StrJoin(stages, ", ")), stages);

  auto most = std::make_shared<int>(0);
  line.AddCommand(group,
                  {.name = "calls",
                   .description = "Whom to phone today, those of the classes furthest behind first",
                   .examples = "  peilingctl fieldwork calls --wave 2026 --limit 20\n"
                               "  peilingctl fieldwork calls --wave 2026 -o csv >bellen.csv      holds personal data\n",
                   .names = true},
                  [most](Session& session) { return Calls(session, *most); })
      .add_option("--limit", *most, "At most so many; by default all")
      ->check(CLI::Range(1, 1000));
}

}  // namespace peiling::ctl
