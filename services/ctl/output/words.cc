#include "services/ctl/output/words.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/common/calendar/amsterdam.h"
#include "services/ctl/client/errors.h"

namespace peiling::ctl {
namespace {

// "CaseState" to "case-state-": what protobuf puts before each value (buf's ENUM_VALUE_PREFIX), in the form of words.
std::string Prefix(const google::protobuf::EnumDescriptor* type) {
  std::string prefix;
  for (const char c : type->name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix += '-';
    prefix += absl::ascii_tolower(c);
  }
  return prefix + "-";
}

std::string Dashed(std::string_view text) {
  std::string out(text);
  absl::AsciiStrToLower(&out);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

std::string InAmsterdam(const char* format, const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "";
  return absl::FormatTime(format, absl::FromUnixSeconds(time.seconds()), calendar::Amsterdam());
}

// "90d", "12h", "30m".
std::optional<absl::Duration> ParseDistance(const std::string& text) {
  int64_t number = 0;
  constexpr int64_t kMost = 100'000;
  if (text.size() < 2 || !absl::SimpleAtoi(text.substr(0, text.size() - 1), &number) || number < 1 || number > kMost) return std::nullopt;
  switch (text.back()) {
    case 'd':
      return absl::Hours(24 * number);
    case 'h':
      return absl::Hours(number);
    case 'm':
      return absl::Minutes(number);
    default:
      return std::nullopt;
  }
}

template <class Items>
std::string LabelOf(const Items& items, std::string_view code) {
  for (const auto& item : items) {
    if (item.code() == code) return item.label().empty() ? item.code() : item.label();
  }
  return std::string(code);
}

}  // namespace

std::string EnumWord(const google::protobuf::EnumDescriptor* type, int number) {
  const auto* value = type->FindValueByNumber(number);
  if (value == nullptr) return std::to_string(number);  // from a newer server
  if (number == 0) return "";
  const std::string word = Dashed(value->name());
  const std::string prefix = Prefix(type);
  return word.compare(0, prefix.size(), prefix) == 0 ? word.substr(prefix.size()) : word;
}

std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor* type) {
  std::vector<std::string> words;
  for (int i = 0; i < type->value_count(); ++i) {
    if (type->value(i)->number() != 0) words.push_back(EnumWord(type, type->value(i)->number()));
  }
  return words;
}

absl::StatusOr<int> EnumNumber(const google::protobuf::EnumDescriptor* type, std::string_view word) {
  for (int i = 0; i < type->value_count(); ++i) {
    const int number = type->value(i)->number();
    if (number != 0 && Dashed(word) == EnumWord(type, number)) return number;
  }
  return UsageError(absl::StrFormat("\"%s\" is none of: %s", std::string(word), absl::StrJoin(EnumWords(type), ", ")));
}

std::string Moment(const google::protobuf::Timestamp& time) { return InAmsterdam("%Y-%m-%d %H:%M", time); }

std::string MomentToTheSecond(const google::protobuf::Timestamp& time) { return InAmsterdam("%Y-%m-%d %H:%M:%S", time); }

absl::StatusOr<google::protobuf::Timestamp> ParseMoment(const std::string& text, Direction direction) {
  absl::Time time;
  if (const std::optional<absl::Duration> distance = ParseDistance(text)) {
    time = direction == Direction::kAhead ? absl::Now() + *distance : absl::Now() - *distance;
  } else if (const auto minute = calendar::ParseLocalMinute(text)) {
    time = *minute;
  } else if (const auto day = calendar::BeginOfDay(text)) {
    time = *day;
  } else if (std::string error; !absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return UsageError(
        absl::StrFormat("\"%s\" is no moment: want a day such as 2026-11-22, \"2026-11-22 10:15\", RFC 3339, or 90d, 12h, 30m", text));
  }
  google::protobuf::Timestamp moment;
  moment.set_seconds(absl::ToUnixSeconds(time));
  return moment;
}

const survey::v1::Question* FindQuestion(const survey::v1::Questionnaire& questionnaire, std::string_view code) {
  for (const auto& section : questionnaire.sections()) {
    for (const auto& question : section.questions()) {
      if (question.code() == code) return &question;
    }
  }
  return nullptr;
}

std::string OptionLabel(const survey::v1::Question* question, std::string_view code) {
  return question == nullptr ? std::string(code) : LabelOf(question->options(), code);
}

std::string RowLabel(const survey::v1::Question* question, std::string_view code) {
  return question == nullptr ? std::string(code) : LabelOf(question->rows(), code);
}

std::string AnswerText(const survey::v1::Question* question, const survey::v1::Answer& answer) {
  std::vector<std::string> parts;
  switch (answer.value_case()) {
    case survey::v1::Answer::kText:
      return answer.text();
    case survey::v1::Answer::kNumber:
      return absl::StrCat(answer.number());
    case survey::v1::Answer::kDate:
      return answer.date();
    case survey::v1::Answer::kSelection:
      for (const auto& code : answer.selection().codes()) parts.push_back(OptionLabel(question, code));
      if (!answer.selection().other_text().empty()) parts.push_back(absl::StrCat("\"", answer.selection().other_text(), "\""));
      if (!answer.selection().comment().empty()) parts.push_back(absl::StrCat("(", answer.selection().comment(), ")"));
      break;
    case survey::v1::Answer::kGrid:
      for (const auto& cell : answer.grid().cells()) {
        parts.push_back(absl::StrCat(RowLabel(question, cell.row()), ": ", OptionLabel(question, cell.option())));
      }
      break;
    case survey::v1::Answer::VALUE_NOT_SET:
      break;
  }
  return absl::StrJoin(parts, "; ");
}

}  // namespace peiling::ctl
