// What a command prints: the same facts as a table, JSON or CSV, or names alone.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/message.h"
#include "services/ctl/output/table_printer.h"
#include "services/ctl/output/terminal.h"

namespace peiling::ctl {

enum class Format { kTable, kJson, kCsv, kName };

// Results go to `out`, everything said beside them to `err`, so that a pipe gets results alone.
class Output {
 public:
  Output(Format format, std::ostream& out, const Terminal& out_terminal, std::ostream& err, const Terminal& err_terminal)
      : format_(format), out_(out), out_terminal_(out_terminal), err_(err), err_terminal_(err_terminal) {}

  Format format() const { return format_; }
  bool people() const { return format_ == Format::kTable; }
  std::ostream& err() { return err_; }
  const Terminal& out_terminal() const { return out_terminal_; }
  const Terminal& err_terminal() const { return err_terminal_; }

  // A result in the format asked for.
  void Show(const google::protobuf::Message& message, const Table& table, const std::vector<std::string>& names = {});
  // The same where people and programs get other columns: `csv` has the facts raw, `text` is laid out.
  void Show(const google::protobuf::Message& message, const std::string& text, const Table& csv,
            const std::vector<std::string>& names = {});
  // One message of a stream: JSON on one line, or the given line.
  void ShowLine(const google::protobuf::Message& message, std::string_view line);
  // Text as it is.
  void Write(std::string_view text) { out_ << text << std::flush; }
  void WriteJson(const google::protobuf::Message& message);

  // "note: …" on stderr, for what is no part of the result.
  void Note(std::string_view text);
  void Warn(std::string_view text);
  // What must be shown with the figures: below a table; on stderr beside CSV; JSON holds it already.
  void ShowNotices(const google::protobuf::RepeatedPtrField<std::string>& notices);

 private:
  const Format format_;
  std::ostream& out_;
  const Terminal out_terminal_;
  std::ostream& err_;
  const Terminal err_terminal_;
};

// Proto3 JSON with every field there is, so that a program need not know defaults. 64-bit integers are strings, as that format has it.
std::string ToJson(const google::protobuf::Message& message, bool pretty);

}  // namespace peiling::ctl
