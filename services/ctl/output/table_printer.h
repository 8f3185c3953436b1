// Tables: for people as columns that fit the terminal, for programs as CSV.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/ctl/output/terminal.h"

namespace peiling::ctl {

enum class Align { kLeft, kRight };

struct Column {
  // In CSV in lower case with '_' for spaces.
  std::string header;
  Align align = Align::kLeft;
  // May be cut off to make the table fit. Numbers and names that somebody wants to copy are never cut off.
  bool shrinks = false;
  // Goes on over more lines instead of being cut off.
  bool wraps = false;
};

struct Cell {
  Cell(std::string text, Style style = Style::kPlain) : text(std::move(text)), style(style) {}
  Cell(const char* text) : text(text) {}
  Cell(int64_t number) : text(std::to_string(number)) {}

  std::string text;
  Style style = Style::kPlain;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as columns; missing ones at the end are empty.
  void Add(std::vector<Cell> cells);
  // A line across the table above the rows that follow. Not in CSV: there a column holds what it says.
  void AddHeading(std::string text);

  bool empty() const { return rows_.empty(); }

  // Ends with a line break. Lines are not wider than the terminal, unless columns that do not shrink are. A table without rows is its
  // header.
  std::string ToText(const Terminal& terminal) const;
  // RFC 4180 with LF line ends, headings left out.
  std::string ToCsv() const;

 private:
  struct Row {
    std::vector<Cell> cells;
    // Set instead of cells.
    std::string heading;
  };

  std::vector<int> Widths(int limit) const;
  std::string Line(const std::vector<Cell>& cells, const std::vector<int>& widths, const Terminal& terminal) const;
  std::string Lines(std::vector<Cell> cells, const std::vector<int>& widths, const Terminal& terminal) const;

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace peiling::ctl
