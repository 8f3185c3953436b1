// report: from started to usable, and every printed figure beside the computed one.
#include <algorithm>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/commands/positions.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using analytics::v1::CompareWithPublishedResponse;
using analytics::v1::FigureComparison;
using analytics::v1::Verdict;
using dedup::v1::CleaningReport;

constexpr int kBarColumns = 40;

struct Options {
  std::string only;
  MinimumPosition minimum;
};

// One step from started to records: `taken` leaves, or (negative) comes to, what there was.
struct Step {
  std::string label;
  int64_t number = 0;
  // A change shows as "−31"; a level as "87".
  bool change = false;
  // Where the bar begins, in responses.
  int64_t from = 0;
};

std::vector<Step> Waterfall(const CleaningReport& report) {
  std::vector<Step> steps = {{"started", report.started()}};
  int64_t left = report.started();
  const auto take = [&](const std::string& label, int64_t number) {
    if (number == 0) return;
    left -= number;
    steps.push_back({label, -number, true, left});
  };
  take("municipality unknown", report.municipality_unknown());
  take("municipality ambiguous, waiting for a ruling", report.ambiguous());
  take("not a municipality on the frame date", report.out_of_frame());
  take("restarts by the same person", report.restarts());
  take("duplicates of a colleague", report.colleague_duplicates());
  take("withdrawn", report.withdrawn());
  take("trials", report.test());
  take("excluded by a ruling", report.excluded());
  take("opened, nothing answered yet", report.empty());
  steps.push_back({"kept", report.kept()});
  if (const int64_t more = report.records() - report.kept(); more != 0) {
    steps.push_back(
        {absl::StrCat("more municipalities in ", report.joint_questionnaires(), " joint questionnaires"), more, true, report.kept()});
  }
  steps.push_back({"records", report.records()});
  steps.push_back({"  complete", report.complete()});
  steps.push_back({"  partial", report.partial(), false, report.complete()});
  return steps;
}

std::string StepBar(const Step& step, int64_t largest) {
  if (largest <= 0) return "";
  const auto columns = [&](int64_t number) { return static_cast<int>((number * kBarColumns + largest / 2) / largest); };
  const int begin = columns(step.from);
  const int end = std::max(columns(step.from + std::abs(step.number)), step.number == 0 ? begin : begin + 1);
  std::string bar(begin, ' ');
  for (int i = begin; i < end; ++i) bar += step.change ? "░" : "█";
  return bar;
}

std::string SignedNumber(const Step& step) {
  if (!step.change) return absl::StrCat(step.number);
  return step.number < 0 ? absl::StrCat("−", -step.number) : absl::StrCat("+", step.number);
}

std::string CleaningText(const CleaningReport& report, const std::string& wave, const Terminal& terminal) {
  Table table({{"CLEANING"}, {"RESPONSES", Align::kRight}, {"", Align::kLeft, true}});
  for (const Step& step : Waterfall(report)) {
    const Style style = step.change ? Style::kPlain : Style::kStrong;
    table.Add({Cell(step.label, style), Cell(SignedNumber(step), style),
               Cell(StepBar(step, report.started()), step.number < 0 ? Style::kWarning : Style::kGood)});
  }
  std::string text = Styled(wave, Style::kStrong, terminal) + "\n\n" + table.ToText(terminal) + "\n";
  if (report.municipalities() > 0) {
    absl::StrAppend(&text, absl::StrFormat("%d of %d municipalities have a record: %d%%\n", report.records(), report.municipalities(),
                                           (200 * report.records() + report.municipalities()) / (2 * report.municipalities())));
  }
  if (report.equally_complete() > 0)
    absl::StrAppend(&text, report.equally_complete(), " of those left out were as complete as the one kept\n");
  if (report.waiting_cases() > 0) {
    const std::string waiting =
        absl::StrCat(report.waiting_cases(), report.waiting_cases() == 1 ? " case waits" : " cases wait", " for a ruling");
    absl::StrAppend(&text, Styled(waiting, Style::kWarning, terminal), ": peilingctl cases list --state waiting\n");
  }
  return text;
}

Cell VerdictCell(Verdict verdict) {
  if (verdict == analytics::v1::VERDICT_MATCHES) return Cell(Word(verdict), Style::kGood);
  return Cell(Word(verdict), verdict == analytics::v1::VERDICT_DIFFERS ? Style::kBad : Style::kWarning);
}

bool IsWanted(Verdict verdict, const std::string& only) {
  if (only == "differing") return verdict == analytics::v1::VERDICT_DIFFERS;
  if (only == "slips") return verdict == analytics::v1::VERDICT_SLIP;
  if (only == "contradicted") return verdict == analytics::v1::VERDICT_CONTRADICTED;
  return true;
}

std::string CountAndPercent(bool has_count, int64_t count, bool has_percent, int percent) {
  if (has_count && has_percent) return absl::StrCat(count, " (", percent, "%)");
  if (has_count) return absl::StrCat(count);
  return has_percent ? absl::StrCat(percent, "%") : "";
}

std::string Printed(const FigureComparison& figure) {
  const auto& published = figure.published();
  return CountAndPercent(published.has_count(), published.count(), published.has_percent(), published.percent());
}

// In the form in which it was printed.
std::string Computed(const FigureComparison& figure) {
  const auto& published = figure.published();
  return CountAndPercent(published.has_count(), figure.k(), published.has_percent() && figure.has_percent(), figure.percent());
}

// "Q5  Werkt uw gemeente met wijkteams?" above its options, for a matrix with the row; what is no option is of the fieldwork.
std::string Heading(const FigureComparison& figure, const survey::v1::Question* question) {
  const auto& count = figure.published().measure().count();
  if (!count.has_option()) return "Fieldwork";
  const std::string& row = count.option().row();
  return absl::StrCat(count.option().question(), row.empty() ? "" : ".", row, "  ", question == nullptr ? "" : question->title(),
                      row.empty() ? "" : absl::StrCat(" ", RowLabel(question, row)));
}

// The label says question and row too; below their heading the rest is enough.
std::string LabelBelowHeading(const FigureComparison& figure, const survey::v1::Question* question) {
  std::string_view label = figure.label();
  const auto drop = [&](const std::string& prefix) {
    if (label.substr(0, prefix.size()) == prefix) label.remove_prefix(prefix.size());
  };
  if (question == nullptr) return figure.label();
  drop(question->title() + " ");
  drop(RowLabel(question, figure.published().measure().count().option().row()) + ": ");
  return std::string(label);
}

std::string FiguresText(const CompareWithPublishedResponse& comparison, const survey::v1::Questionnaire& questionnaire,
                        const Options& options, const Terminal& terminal) {
  Table table({{"FIGURE", Align::kLeft, true},
               {"PRINTED", Align::kRight},
               {"OF", Align::kRight},
               {"COMPUTED", Align::kRight},
               {"K", Align::kRight},
               {"N", Align::kRight},
               {"VERDICT"},
               {"NOTE", Align::kLeft, true, true}});
  std::string heading;
  for (const FigureComparison& figure : comparison.figures()) {
    if (!IsWanted(figure.verdict(), options.only)) continue;
    const auto& published = figure.published();
    const survey::v1::Question* question = FindQuestion(questionnaire, published.measure().count().option().question());
    if (const std::string next = Heading(figure, question); next != heading) table.AddHeading(heading = next);
    table.Add({LabelBelowHeading(figure, question), Printed(figure), published.has_base() ? Cell(published.base()) : Cell(""),
               Computed(figure), figure.k(), figure.n() > 0 ? Cell(figure.n()) : Cell(""), VerdictCell(figure.verdict()),
               published.note()});
  }
  return table.empty() ? "" : "\n" + table.ToText(terminal);
}

// Each reason once: the same facts often contradict many figures.
std::string ContradictionsText(const CompareWithPublishedResponse& comparison, const Options& options, const Terminal& terminal) {
  std::string text;
  std::set<std::string> shown;
  for (const FigureComparison& figure : comparison.figures()) {
    const std::string& why = figure.published().contradiction();
    if (figure.verdict() != analytics::v1::VERDICT_CONTRADICTED || !IsWanted(figure.verdict(), options.only)) continue;
    if (!shown.insert(why).second) continue;
    absl::StrAppend(&text, "\n", Styled("Contradicted", Style::kWarning, terminal), ": ", Wrap(why, terminal.width, 14), "\n");
  }
  return text;
}

std::string ClaimsText(const CompareWithPublishedResponse& comparison, const Options& options, const Terminal& terminal) {
  std::string text;
  for (const auto& claim : comparison.claims()) {
    if (!IsWanted(claim.verdict(), options.only)) continue;
    if (text.empty()) text = "\n" + Styled("Statements", Style::kStrong, terminal) + "\n";
    const Cell verdict = VerdictCell(claim.verdict());
    absl::StrAppend(&text, "  ", Wrap(absl::StrCat(claim.published().place(), ": “", claim.published().text(), "”"), terminal.width, 2),
                    "\n    ", Styled(verdict.text, verdict.style, terminal), claim.finding().empty() ? "" : ": ",
                    Wrap(claim.finding(), std::max(0, terminal.width - 14), 4), "\n");
  }
  return text;
}

std::string TotalsText(const CompareWithPublishedResponse& comparison, const Terminal& terminal) {
  const auto part = [&](int number, const char* one, const char* many, Style style) {
    return Styled(absl::StrCat(number, " ", number == 1 ? one : many), number == 0 ? Style::kPlain : style, terminal);
  };
  std::string text = absl::StrCat("\n", Wrap(comparison.source(), terminal.width, 0), "\n", comparison.figures_size(),
                                  " printed figures: ", part(comparison.matching(), "matches", "match", Style::kGood), ", ",
                                  part(comparison.slips(), "slip", "slips", Style::kWarning), ", ");
  if (comparison.contradicted() > 0)
    absl::StrAppend(&text, part(comparison.contradicted(), "contradicted by facts", "contradicted by facts", Style::kWarning), ", ");
  absl::StrAppend(&text, part(comparison.differing(), "differs", "differ", Style::kBad), "\n");
  if (comparison.slips() > 0)
    absl::StrAppend(&text, "A slip is the report's own: no whole count over the printed base gives the printed percentage.\n");
  return text;
}

Table ReportCsv(const CleaningReport& cleaning, const CompareWithPublishedResponse& comparison, const Options& options) {
  Table table({{"SECTION"},
               {"ID"},
               {"LABEL"},
               {"PRINTED PERCENT"},
               {"PRINTED COUNT"},
               {"PRINTED BASE"},
               {"PERCENT"},
               {"K"},
               {"N"},
               {"VERDICT"},
               {"NOTE"},
               {"CONTRADICTION"}});
  for (const auto* field :
       {"started", "municipality_unknown", "restarts", "colleague_duplicates", "equally_complete", "ambiguous", "out_of_frame", "withdrawn",
        "test", "excluded", "empty", "kept", "joint_questionnaires", "records", "complete", "partial", "waiting_cases", "municipalities"}) {
    const auto* descriptor = CleaningReport::descriptor()->FindFieldByName(field);
    table.Add({"cleaning", field, "", "", "", "", "", CleaningReport::GetReflection()->GetInt64(cleaning, descriptor)});
  }
  const auto optional = [](bool there, int64_t number) { return there ? Cell(number) : Cell(""); };
  for (const FigureComparison& figure : comparison.figures()) {
    if (!IsWanted(figure.verdict(), options.only)) continue;
    const auto& published = figure.published();
    table.Add({"figure", published.id(), figure.label(), optional(published.has_percent(), published.percent()),
               optional(published.has_count(), published.count()), optional(published.has_base(), published.base()),
               optional(figure.has_percent(), figure.percent()), figure.k(), figure.n(), Word(figure.verdict()), published.note(),
               published.contradiction()});
  }
  for (const auto& claim : comparison.claims()) {
    if (!IsWanted(claim.verdict(), options.only)) continue;
    table.Add(
        {"statement", claim.published().id(), claim.published().text(), "", "", "", "", "", "", Word(claim.verdict()), claim.finding()});
  }
  return table;
}

absl::StatusOr<CleaningReport> GetCleaning(Session& session, const std::string& wave, const Options& options) {
  dedup::v1::GetCleaningReportRequest request;
  request.set_parent(wave);
  *request.mutable_wait_for() = options.minimum.ToProto();
  const auto response = session.connection().Call(&Dedup::GetCleaningReport, request);
  if (!response.ok()) return response.status();
  return response->report();
}

// A wave nobody published about compares with nothing.
absl::StatusOr<std::optional<CompareWithPublishedResponse>> GetComparison(Session& session, const std::string& wave,
                                                                          const Options& options) {
  analytics::v1::CompareWithPublishedRequest request;
  request.set_parent(wave);
  *request.mutable_wait_for() = options.minimum.ToProto();
  auto response = session.connection().Call(&Analytics::CompareWithPublished, request);
  if (response.ok()) return std::optional(*std::move(response));
  if (status::Reason(response.status()) == "PUBLISHED_REPORT_NOT_FOUND") return std::nullopt;
  return response.status();
}

absl::StatusOr<ExitCode> RunReport(Session& session, const Options& options) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  const auto cleaning = GetCleaning(session, *wave, options);
  if (!cleaning.ok()) return cleaning.status();
  const auto found = GetComparison(session, *wave, options);
  if (!found.ok()) return found.status();
  const CompareWithPublishedResponse comparison = found->value_or(CompareWithPublishedResponse());

  Output& output = session.output();
  if (output.format() == Format::kJson) {
    output.Write(absl::StrCat("{\"cleaning\": ", ToJson(*cleaning, true),
                              ", \"comparison\": ", found->has_value() ? ToJson(comparison, true) : "null\n", "}\n"));
  } else if (output.format() == Format::kCsv) {
    output.Write(ReportCsv(*cleaning, comparison, options).ToCsv());
  } else {
    output.Write(CleaningText(*cleaning, *wave, output.out_terminal()));
    if (found->has_value()) {
      const auto questionnaire = session.Questionnaire();
      if (!questionnaire.ok()) return questionnaire.status();
      output.Write(FiguresText(comparison, *questionnaire, options, output.out_terminal()));
      output.Write(ContradictionsText(comparison, options, output.out_terminal()));
      output.Write(ClaimsText(comparison, options, output.out_terminal()));
      output.Write(TotalsText(comparison, output.out_terminal()));
    }
  }
  if (!found->has_value()) output.Note("nothing was published about this wave, so there is nothing to compare with");
  output.ShowNotices(comparison.notices());
  return comparison.differing() > 0 ? ExitCode::kNo : ExitCode::kOk;
}

}  // namespace

void AddReport(CommandLine& line) {
  auto options = std::make_shared<Options>();
  CLI::App& command = line.AddCommand(
      line.root(),
      {.name = "report",
       .description = "Show the cleaning from started to usable, and every printed figure beside the computed one",
       .examples = "  peilingctl report --wave 2022\n"
                   "  peilingctl report --only differing              what does not come out as printed\n"
                   "  peilingctl report -o csv > report.csv\n"
                   "Exit code 1 when a figure differs; slips of the report itself, and what facts contradict, are no difference.\n"},
      [options](Session& session) { return RunReport(session, *options); });
  line.CompleteWith(command.add_option("--only", options->only, "Only figures and statements that are: differing, slips, contradicted")
                        ->check(CLI::IsMember({"differing", "slips", "contradicted"})),
                    {"differing", "slips", "contradicted"});
  options->minimum.AddFlags(command);
}

}  // namespace peiling::ctl
