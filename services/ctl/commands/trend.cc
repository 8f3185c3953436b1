// trend: the same figure over the waves of a survey.
#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using analytics::v1::ListTrendsResponse;
using analytics::v1::Trend;
using analytics::v1::TrendPoint;

struct Options {
  std::string question;
  std::string option;
  std::string row;
  std::string base_wave;
  bool all = false;
};

Cell Percent(const TrendPoint& point, std::string_view sign) {
  return point.has_percent() ? Cell(absl::StrCat(point.percent(), std::string(sign))) : Cell("");
}

Style StyleOf(survey::v1::ComparabilityStatus status) {
  if (status == survey::v1::COMPARABILITY_STATUS_BROKEN) return Style::kBad;
  return status == survey::v1::COMPARABILITY_STATUS_COMPARABLE ? Style::kWarning : Style::kPlain;
}

std::string Title(const Trend& trend) {
  const std::string& row = trend.option().row();
  return absl::StrCat(trend.question_title(), " ", row.empty() ? "" : absl::StrCat(row, ": "), trend.option_label());
}

std::string OneTrendText(const Trend& trend, const Terminal& terminal) {
  Table table({{"WAVE"},
               {"PERCENT", Align::kRight},
               {"K", Align::kRight},
               {"N", Align::kRight},
               {"SOURCE"},
               {"PRINTED", Align::kRight},
               {"COMPARABLE"},
               {"WHY", Align::kLeft, true, true}});
  for (const TrendPoint& point : trend.points()) {
    std::string printed = point.has_published_percent() ? absl::StrCat(point.published_percent(), "%") : "";
    if (point.published_slip()) printed += " slip";
    table.Add({point.wave(), Percent(point, "%"), point.has_k() ? Cell(point.k()) : Cell(""), point.has_n() ? Cell(point.n()) : Cell(""),
               Word(point.source()), printed, Cell(Word(point.comparability()), StyleOf(point.comparability())),
               point.comparability_reason()});
  }
  return Styled(Wrap(Title(trend), terminal.width, 0), Style::kStrong, terminal) + "\n" + table.ToText(terminal);
}

// A line for each trend, a column for each wave.
std::string ManyTrendsText(const ListTrendsResponse& response, const Terminal& terminal) {
  std::vector<std::string> waves;
  for (const Trend& trend : response.trends()) {
    for (const TrendPoint& point : trend.points()) {
      if (std::find(waves.begin(), waves.end(), point.wave()) == waves.end()) waves.push_back(point.wave());
    }
  }
  std::sort(waves.begin(), waves.end());
  std::vector<Column> columns = {{"TREND"}};
  for (const std::string& wave : waves) columns.push_back({wave, Align::kRight});
  columns.push_back({"FIGURE", Align::kLeft, true});
  Table table(columns);
  for (const Trend& trend : response.trends()) {
    std::map<std::string, Cell> cells;
    for (const TrendPoint& point : trend.points()) {
      const bool broken = point.comparability() == survey::v1::COMPARABILITY_STATUS_BROKEN;
      const char* sign = point.source() == analytics::v1::FIGURE_SOURCE_PUBLISHED ? "%*" : "%";
      cells.emplace(point.wave(), broken ? Cell("broken", Style::kBad) : Percent(point, sign));
    }
    std::vector<Cell> row = {trend.id()};
    for (const std::string& wave : waves) row.push_back(cells.count(wave) > 0 ? cells.at(wave) : Cell("–", Style::kFaint));
    row.emplace_back(Title(trend));
    table.Add(std::move(row));
  }
  return table.ToText(terminal) +
         "\n* known from print alone. `broken` may not be compared: `peilingctl trend QUESTION OPTION` says why.\n";
}

Table TrendsCsv(const ListTrendsResponse& response) {
  Table table({{"TREND"},
               {"QUESTION"},
               {"ROW"},
               {"OPTION"},
               {"TITLE"},
               {"LABEL"},
               {"WAVE"},
               {"SOURCE"},
               {"PERCENT"},
               {"K"},
               {"N"},
               {"COMPARABILITY"},
               {"WHY"},
               {"PRINTED PERCENT"},
               {"SLIP"}});
  for (const Trend& trend : response.trends()) {
    for (const TrendPoint& point : trend.points()) {
      table.Add({trend.id(), trend.option().question(), trend.option().row(), trend.option().option(), trend.question_title(),
                 trend.option_label(), point.wave(), Word(point.source()), Percent(point, ""), point.has_k() ? Cell(point.k()) : Cell(""),
                 point.has_n() ? Cell(point.n()) : Cell(""), Word(point.comparability()), point.comparability_reason(),
                 point.has_published_percent() ? Cell(int64_t{point.published_percent()}) : Cell(""),
                 point.published_slip() ? "yes" : "no"});
    }
  }
  return table;
}

absl::StatusOr<ExitCode> AllTrends(Session& session, const std::string& survey) {
  analytics::v1::ListTrendsRequest request;
  request.set_parent(survey);
  const auto response = session.connection().CallAll(&Analytics::ListTrends, request);
  if (!response.ok()) return response.status();
  session.output().Show(*response, ManyTrendsText(*response, session.output().out_terminal()), TrendsCsv(*response));
  google::protobuf::RepeatedPtrField<std::string> notices;
  for (const Trend& trend : response->trends()) {
    for (const std::string& notice : trend.notices()) {
      if (std::find(notices.begin(), notices.end(), notice) == notices.end()) *notices.Add() = notice;
    }
  }
  session.output().ShowNotices(notices);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunTrend(Session& session, const Options& options) {
  if (options.all != options.question.empty() || options.question.empty() != options.option.empty()) {
    return UsageError("say QUESTION and OPTION, or --all");
  }
  const auto survey = session.Survey();
  if (!survey.ok()) return survey.status();
  if (options.all) return AllTrends(session, *survey);
  analytics::v1::GetTrendRequest request;
  request.set_parent(*survey);
  request.set_base_wave(options.base_wave);
  request.mutable_option()->set_question(options.question);
  request.mutable_option()->set_row(options.row);
  request.mutable_option()->set_option(options.option);
  const auto response = session.connection().Call(&Analytics::GetTrend, request);
  if (!response.ok()) return response.status();
  ListTrendsResponse one;
  *one.add_trends() = response->trend();
  session.output().Show(response->trend(), OneTrendText(response->trend(), session.output().out_terminal()), TrendsCsv(one));
  session.output().ShowNotices(response->trend().notices());
  return ExitCode::kOk;
}

}  // namespace

void AddTrend(CommandLine& line) {
  auto options = std::make_shared<Options>();
  CLI::App& command = line.AddCommand(line.root(),
                                      {.name = "trend",
                                       .description = "Show a figure over the waves of a survey, and what may be compared",
                                       .examples = "  peilingctl trend Q5 ja\n"
                                                   "  peilingctl trend Q22 structuur --row po          one row of a matrix\n"
                                                   "  peilingctl trend --all                           those of the published reports\n"
                                                   "  peilingctl trend --all -o csv > trends.csv\n"},
                                      [options](Session& session) { return RunTrend(session, *options); });
  line.CompleteQuestions(command.add_option("QUESTION", options->question, "Code of the question"));
  command.add_option("OPTION", options->option, "Code of the option");
  command.add_option("--row", options->row, "Row of a matrix");
  command.add_option("--base-wave", options->base_wave, "The wave others are compared with; by default the latest");
  command.add_flag("--all", options->all, "All trends of the published reports");
}

}  // namespace peiling::ctl
