#include "services/ctl/output/format.h"

#include "google/protobuf/util/json_util.h"

namespace peiling::ctl {

std::string ToJson(const google::protobuf::Message& message, bool pretty) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = pretty;
  options.always_print_primitive_fields = true;
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

void Output::WriteJson(const google::protobuf::Message& message) { Write(ToJson(message, true)); }

void Output::Show(const google::protobuf::Message& message, const Table& table, const std::vector<std::string>& names) {
  Show(message, people() ? table.ToText(out_terminal_) : "", table, names);
}

void Output::Show(const google::protobuf::Message& message, const std::string& text, const Table& csv,
                  const std::vector<std::string>& names) {
  switch (format_) {
    case Format::kTable:
      return Write(text);
    case Format::kJson:
      return WriteJson(message);
    case Format::kCsv:
      return Write(csv.ToCsv());
    case Format::kName:
      for (const std::string& name : names) Write(name + "\n");
  }
}

void Output::ShowLine(const google::protobuf::Message& message, std::string_view line) {
  if (format_ == Format::kJson) return Write(ToJson(message, false));
  Write(std::string(line) + "\n");
}

void Output::Note(std::string_view text) { err_ << Styled("note: " + Printable(text), Style::kFaint, err_terminal_) << std::endl; }

void Output::Warn(std::string_view text) { err_ << Styled("warning: ", Style::kWarning, err_terminal_) << Printable(text) << std::endl; }

void Output::ShowNotices(const google::protobuf::RepeatedPtrField<std::string>& notices) {
  if (format_ == Format::kCsv || format_ == Format::kName) {
    for (const std::string& notice : notices) Note(notice);
  } else if (people()) {
    for (const std::string& notice : notices) Write("\n" + Styled(Printable(notice), Style::kFaint, out_terminal_) + "\n");
  }
}

}  // namespace peiling::ctl
