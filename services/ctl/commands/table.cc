// table: counts and percentages of questions, by class, among some.
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "services/common/text/fold.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/commands/positions.h"
#include "services/ctl/commands/selectors.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using analytics::v1::Column;
using analytics::v1::Figure;
using analytics::v1::Table;
using analytics::v1::TabulateResponse;

// What the labels of options get at least when columns are many.
constexpr int kLabelColumns = 30;
constexpr int kGapColumns = 2;

struct Options {
  std::vector<std::string> questions;
  std::string by;
  std::vector<std::string> filters;
  MinimumPosition minimum;
};

// "52% (45)"; "–" over an empty base.
std::string FigureText(const Figure& figure) { return figure.has_percent() ? absl::StrCat(figure.percent(), "% (", figure.k(), ")") : "–"; }

// "Q22.po  Hoe werkt u samen met scholen? Primair onderwijs"
std::string Title(const Table& table, const Terminal& terminal) {
  const std::string code = absl::StrCat(table.question(), table.row().empty() ? "" : ".", table.row(), "  ");
  const std::string title = absl::StrCat(table.title(), table.row_label().empty() ? "" : " ", table.row_label());
  return Styled(code + Wrap(title, terminal.width, text::DisplayWidth(code)), Style::kStrong, terminal) + "\n";
}

int ColumnWidth(const Table& table, int column) {
  int width = text::DisplayWidth(table.columns(column).label());
  for (const auto& line : table.lines()) width = std::max(width, text::DisplayWidth(FigureText(line.figures(column))));
  return width;
}

// First column of each part that fits the terminal; numbers are never cut off, so what does not fit goes below.
std::vector<int> Parts(const Table& table, const Terminal& terminal) {
  std::vector<int> starts = {0};
  int used = kLabelColumns;
  for (int i = 0; i < table.columns_size(); ++i) {
    const int width = ColumnWidth(table, i) + kGapColumns;
    if (terminal.width > 0 && used + width > terminal.width && i > starts.back()) {
      starts.push_back(i);
      used = kLabelColumns;
    }
    used += width;
  }
  starts.push_back(table.columns_size());
  return starts;
}

// A line with one number from each column; left out when all are 0.
void AddBase(const Table& table, int from, int to, const char* label, int64_t (Column::*number)() const, bool always, ctl::Table& out) {
  std::vector<Cell> cells = {Cell(label, Style::kFaint)};
  bool any = always;
  for (int i = from; i < to; ++i) {
    const int64_t value = (table.columns(i).*number)();
    any = any || value != 0;
    cells.emplace_back(std::to_string(value), Style::kFaint);
  }
  if (any) out.Add(std::move(cells));
}

std::string PartText(const Table& table, int from, int to, const Terminal& terminal) {
  std::vector<ctl::Column> columns = {{"", Align::kLeft, true}};
  for (int i = from; i < to; ++i) columns.push_back({table.columns(i).label(), Align::kRight});
  ctl::Table out(columns);
  for (const auto& line : table.lines()) {
    std::vector<Cell> cells = {Cell(line.label())};
    for (int i = from; i < to; ++i) cells.emplace_back(FigureText(line.figures(i)));
    out.Add(std::move(cells));
  }
  AddBase(table, from, to, "n", &Column::n, true, out);
  AddBase(table, from, to, "not asked", &Column::not_asked, false, out);
  AddBase(table, from, to, "skipped", &Column::skipped, false, out);
  AddBase(table, from, to, "not reached", &Column::not_reached, false, out);
  AddBase(table, from, to, "answered though not asked", &Column::kept_aside, false, out);
  return out.ToText(terminal);
}

std::string TablesText(const TabulateResponse& response, const Terminal& terminal) {
  std::string text;
  for (const Table& table : response.tables()) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", Title(table, terminal));
    const std::vector<int> starts = Parts(table, terminal);
    for (size_t i = 0; i + 1 < starts.size(); ++i)
      absl::StrAppend(&text, i == 0 ? "" : "\n", PartText(table, starts[i], starts[i + 1], terminal));
    if (table.type() == survey::v1::QUESTION_TYPE_MULTIPLE)
      absl::StrAppend(&text, Styled("several answers possible", Style::kFaint, terminal), "\n");
  }
  return text;
}

// One line for each option and column: what R and SPSS read. A question without options has one for its base.
ctl::Table TablesCsv(const TabulateResponse& response) {
  ctl::Table out({{"QUESTION"},
                  {"TITLE"},
                  {"ROW"},
                  {"ROW LABEL"},
                  {"TYPE"},
                  {"OPTION"},
                  {"OPTION LABEL"},
                  {"COLUMN"},
                  {"COLUMN LABEL"},
                  {"K"},
                  {"N"},
                  {"PERCENT"},
                  {"RECORDS"},
                  {"NOT ASKED"},
                  {"SKIPPED"},
                  {"NOT REACHED"},
                  {"KEPT ASIDE"}});
  for (const Table& table : response.tables()) {
    for (int i = 0; i < table.columns_size(); ++i) {
      const Column& column = table.columns(i);
      const auto add = [&](const std::string& option, const std::string& label, Cell k, Cell percent) {
        out.Add({table.question(), table.title(), table.row(), table.row_label(), Word(table.type()), option, label, column.code(),
                 column.label(), std::move(k), column.n(), std::move(percent), column.records(), column.not_asked(), column.skipped(),
                 column.not_reached(), column.kept_aside()});
      };
      for (const auto& line : table.lines()) {
        const Figure& figure = line.figures(i);
        add(line.code(), line.label(), figure.k(), figure.has_percent() ? Cell(int64_t{figure.percent()}) : Cell(""));
      }
      if (table.lines().empty()) add("", "", "", "");
    }
  }
  return out;
}

// A figure for every column of every line; an answer without is the server's fault and must not be read past its end.
absl::Status CheckShape(const TabulateResponse& response) {
  for (const Table& table : response.tables()) {
    for (const auto& line : table.lines()) {
      if (line.figures_size() != table.columns_size())
        return absl::InternalError("the server's table has lines and columns that do not fit");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> RunTable(Session& session, const Options& options) {
  analytics::v1::TabulateRequest request;
  if (!options.by.empty()) {
    const auto by = ParseBreakdown(options.by);
    if (!by.ok()) return by.status();
    *request.mutable_by() = *by;
  }
  for (const std::string& text : options.filters) {
    const auto filter = ParseFilter(text);
    if (!filter.ok()) return filter.status();
    *request.add_filters() = *filter;
  }
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  request.set_parent(*wave);
  *request.mutable_questions() = {options.questions.begin(), options.questions.end()};
  *request.mutable_wait_for() = options.minimum.ToProto();
  const auto response = session.connection().Call(&Analytics::Tabulate, request);
  if (!response.ok()) return response.status();
  if (const absl::Status shape = CheckShape(*response); !shape.ok()) return shape;
  session.output().Show(*response, TablesText(*response, session.output().out_terminal()), TablesCsv(*response));
  session.output().ShowNotices(response->notices());
  return ExitCode::kOk;
}

}  // namespace

void AddTable(CommandLine& line) {
  auto options = std::make_shared<Options>();
  CLI::App& command =
      line.AddCommand(line.root(),
                      {.name = "table",
                       .description = "Show counts and percentages of questions, by class, among some",
                       .examples = "  peilingctl table Q5 Q10                                one question after the other\n"
                                   "  peilingctl table Q5 --by size-class                    a column for each class\n"
                                   "  peilingctl table Q10 --by question:Q5 --filter group=G40\n"
                                   "  peilingctl table Q22 --filter 'group!=G40' --filter complete\n"
                                   "  peilingctl table -o csv > tables.csv                   every question, one line for each figure\n"},
                      [options](Session& session) { return RunTable(session, *options); });
  line.CompleteQuestions(command.add_option("QUESTION", options->questions, "Codes of questions; without any, all of them"));
  line.CompleteWith(
      command.add_option("--by", options->by, "Columns: size-class, province, group:NAME, took-part-in:WAVE or question:CODE"),
      {"size-class", "province", "group:G4", "group:G40", "took-part-in:", "question:"});
  line.CompleteWith(
      command
          .add_option(
              "--filter", options->filters,
              "Only some records; all must hold: size-class=CLASS, province=NAME, group=NAME, took-part-in=WAVE (!= for all others), "
              "QUESTION=OPTION, QUESTION.ROW=OPTION, complete, partial")
          ->allow_extra_args(false),
      {"size-class=under-50k", "size-class=50k-to-100k", "size-class=100k-to-200k", "size-class=200k-and-over", "province=", "group=G4",
       "group=G40", "took-part-in=", "complete", "partial"});
  options->minimum.AddFlags(command);
}

}  // namespace peiling::ctl
