// wave open | close | extend | changes: when a wave takes answers.
#include <memory>

#include "absl/strings/str_cat.h"
#include "services/common/calendar/amsterdam.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using intake::v1::Wave;

// "2h", "1h30m"; "" when there is none.
std::string Grace(const Wave& wave) {
  return wave.has_grace_period() ? absl::FormatDuration(calendar::FromProto(wave.grace_period())) : "";
}

void ShowWave(Session& session, const Wave& wave) {
  Table table({{"WAVE"}, {"STATE"}, {"OPENS"}, {"CLOSES"}, {"GRACE"}, {"EXTENDED", Align::kRight}, {"PERSONAL DATA ERASED"}});
  table.Add({wave.name(), Word(wave.state()), Moment(wave.opens_at()), Moment(wave.closes_at()), Grace(wave), int64_t{wave.extensions()},
             Moment(wave.personal_data_erased_at())});
  session.output().Show(wave, table, {wave.name()});
}

// Asks for a change of the wave, whose request has its own fields already, and shows what the wave is then.
template <class Method, class Request>
absl::StatusOr<ExitCode> Change(Session& session, Method method, Request request, const std::string& reason) {
  const auto name = session.WaveName();
  if (!name.ok()) return name.status();
  request.set_name(*name);
  request.set_reason(reason);
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(method, request);
  if (!response.ok()) return response.status();
  ShowWave(session, response->wave());
  return ExitCode::kOk;
}

struct ExtendOptions {
  std::string until;
  std::string reason;
};

absl::StatusOr<ExitCode> Extend(Session& session, const ExtendOptions& options) {
  const std::optional<absl::Time> until = calendar::ParseLocalMinute(options.until);
  if (!until) return UsageError(absl::StrCat("\"", options.until, "\" is no minute on Dutch clocks, such as \"2026-05-08 17:00\""));
  intake::v1::ExtendWaveRequest request;
  *request.mutable_closes_at() = calendar::ToProto(*until);
  return Change(session, &Intake::ExtendWave, std::move(request), options.reason);
}

absl::StatusOr<ExitCode> ListChanges(Session& session) {
  const auto name = session.WaveName();
  if (!name.ok()) return name.status();
  intake::v1::ListWaveChangesRequest request;
  request.set_parent(*name);
  const auto response = session.connection().CallAll(&Intake::ListWaveChanges, request);
  if (!response.ok()) return response.status();
  Table table({{"CHANGED"}, {"CHANGE"}, {"BY"}, {"OPENS"}, {"CLOSES"}, {"GRACE"}, {"REASON", Align::kLeft, true, true}});
  std::vector<std::string> numbers;
  for (const auto& change : response->changes()) {
    table.Add({Moment(change.changed_at()), Word(change.kind()), change.changed_by(), Moment(change.times().opens_at()),
               Moment(change.times().closes_at()), Grace(change.times()), change.reason()});
    numbers.push_back(absl::StrCat(change.number()));
  }
  session.output().Show(*response, table, numbers);
  return ExitCode::kOk;
}

void AddReason(CLI::App& command, std::string& reason) { command.add_option("--reason", reason, "Why; no personal data"); }

}  // namespace

void AddWave(CommandLine& line) {
  CLI::App& group = line.AddGroup("wave", "When a wave takes answers");

  auto opened = std::make_shared<std::string>();
  CLI::App& open =
      line.AddCommand(group,
                      {.name = "open",
                       .description = "Open a planned wave now instead of at its time",
                       .examples = "  peilingctl wave open --wave 2026 --reason \"all is ready\"\n",
                       .names = true},
                      [opened](Session& session) { return Change(session, &Intake::OpenWave, intake::v1::OpenWaveRequest(), *opened); });
  AddReason(open, *opened);

  auto closed = std::make_shared<std::string>();
  CLI::App& close =
      line.AddCommand(group,
                      {.name = "close",
                       .description = "Close a wave now, without grace for what was begun",
                       .examples = "  peilingctl wave close --wave 2026 --reason \"every municipality has answered\"\n",
                       .names = true},
                      [closed](Session& session) { return Change(session, &Intake::CloseWave, intake::v1::CloseWaveRequest(), *closed); });
  AddReason(close, *closed);

  auto extended = std::make_shared<ExtendOptions>();
  CLI::App& extend =
      line.AddCommand(group,
                      {.name = "extend",
                       .description = "Give a wave more time, also after it closed",
                       .examples = "  peilingctl wave extend \"2026-05-08 17:00\" --wave 2026 --reason \"asked for by many\"\n",
                       .names = true},
                      [extended](Session& session) { return Extend(session, *extended); });
  extend.add_option("UNTIL", extended->until, "The new time of closing, to the minute on Dutch clocks: \"2026-05-08 17:00\"")->required();
  AddReason(extend, extended->reason);

  line.AddCommand(group,
                  {.name = "changes",
                   .description = "List what was changed about the times of a wave, by whom and why",
                   .examples = "  peilingctl wave changes --wave 2026\n",
                   .names = true},
                  [](Session& session) { return ListChanges(session); });
}

}  // namespace peiling::ctl
