#include "services/ctl/output/table_printer.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/text/fold.h"

namespace peiling::ctl {
namespace {

constexpr std::string_view kGap = "  ";
// A shrinking column keeps this much, so that something can be read in it.
constexpr int kMinWidth = 8;

std::string CsvName(std::string header) {
  absl::AsciiStrToLower(&header);
  std::replace_if(
      header.begin(), header.end(), [](unsigned char c) { return c == ' ' || c == '-'; }, '_');
  return header;
}

// Takes width from the widest column that shrinks, again and again, until the line fits or nothing is left to take.
void Shrink(const std::vector<Column>& columns, int limit, std::vector<int>& widths) {
  int total = std::accumulate(widths.begin(), widths.end(), 0) + static_cast<int>(kGap.size() * (widths.size() - 1));
  while (total > limit) {
    int widest = -1;
    for (size_t i = 0; i < widths.size(); ++i) {
      if (columns[i].shrinks && widths[i] > kMinWidth && (widest < 0 || widths[i] > widths[widest])) widest = static_cast<int>(i);
    }
    if (widest < 0) return;
    --widths[widest];
    --total;
  }
}

}  // namespace

void Table::Add(std::vector<Cell> cells) {
  cells.resize(columns_.size(), Cell(""));
  rows_.push_back({.cells = std::move(cells)});
}

void Table::AddHeading(std::string text) { rows_.push_back({.heading = std::move(text)}); }

std::vector<int> Table::Widths(int limit) const {
  std::vector<int> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    int width = text::DisplayWidth(columns_[i].header);
    for (const Row& row : rows_) {
      if (!row.cells.empty()) width = std::max(width, text::DisplayWidth(Printable(row.cells[i].text)));
    }
    widths.push_back(width);
  }
  if (limit > 0) Shrink(columns_, limit, widths);
  return widths;
}

std::string Table::Line(const std::vector<Cell>& cells, const std::vector<int>& widths, const Terminal& terminal) const {
  std::string line;
  std::string pending;  // blanks, written only when something follows
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string text = Shorten(Printable(cells[i].text), widths[i]);
    const std::string fill(std::max(0, widths[i] - text::DisplayWidth(text)), ' ');
    if (columns_[i].align == Align::kRight) pending += fill;
    if (!text.empty()) {
      line += pending + Styled(text, cells[i].style, terminal);
      pending.clear();
    }
    if (columns_[i].align == Align::kLeft) pending += fill;
    pending += kGap;
  }
  return line + "\n";
}

// One line, and more for what wraps.
std::string Table::Lines(std::vector<Cell> cells, const std::vector<int>& widths, const Terminal& terminal) const {
  std::string out;
  for (bool more = true; more;) {
    more = false;
    std::vector<Cell> rest(cells.size(), Cell(""));
    for (size_t i = 0; i < cells.size(); ++i) {
      if (!columns_[i].wraps) continue;
      const std::string wrapped = Wrap(cells[i].text, widths[i], 0);
      const size_t end = wrapped.find('\n');
      if (end == std::string::npos) continue;
      rest[i] = Cell(wrapped.substr(end + 1), cells[i].style);
      cells[i].text = wrapped.substr(0, end);
      more = true;
    }
    out += Line(cells, widths, terminal);
    cells = std::move(rest);
  }
  return out;
}

std::string Table::ToText(const Terminal& terminal) const {
  const std::vector<int> widths = Widths(terminal.width);
  std::vector<Cell> header;
  for (const Column& column : columns_) header.emplace_back(column.header, Style::kFaint);
  std::string out = Line(header, widths, terminal);
  bool first = true;
  for (const Row& row : rows_) {
    if (!row.cells.empty()) {
      out += Lines(row.cells, widths, terminal);
    } else {
      const std::string text = Printable(row.heading);
      out += (first ? "" : "\n") + Styled(terminal.width > 0 ? Shorten(text, terminal.width) : text, Style::kStrong, terminal) + "\n";
    }
    first = false;
  }
  return out;
}

std::string Table::ToCsv() const {
  std::string out;
  for (size_t i = 0; i < columns_.size(); ++i) out += (i == 0 ? "" : ",") + csv::Quote(CsvName(columns_[i].header));
  out += "\n";
  for (const Row& row : rows_) {
    if (row.cells.empty()) continue;
    for (size_t i = 0; i < row.cells.size(); ++i) out += (i == 0 ? "" : ",") + csv::Quote(row.cells[i].text);
    out += "\n";
  }
  return out;
}

}  // namespace peiling::ctl
