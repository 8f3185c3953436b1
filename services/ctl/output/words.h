// Contract values as words: enums, moments, answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/generated_enum_reflection.h"
#include "google/protobuf/timestamp.pb.h"
#include "peiling/survey/v1/answers.pb.h"
#include "peiling/survey/v1/questionnaire.pb.h"

namespace peiling::ctl {

// CASE_STATE_WAITING as "waiting", SIZE_CLASS_50K_TO_100K as "50k-to-100k"; "" for the unspecified value.
std::string EnumWord(const google::protobuf::EnumDescriptor* type, int number);
// All words of an enum but the unspecified one.
std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor* type);
// The number of a word, in any case, '_' or '-'. A usage error that names the words there are.
absl::StatusOr<int> EnumNumber(const google::protobuf::EnumDescriptor* type, std::string_view word);

template <class Enum>
std::string Word(Enum value) {
  return EnumWord(google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}
template <class Enum>
std::vector<std::string> Words() {
  return EnumWords(google::protobuf::GetEnumDescriptor<Enum>());
}
// The unspecified value for "".
template <class Enum>
absl::StatusOr<Enum> ParseWord(std::string_view word) {
  if (word.empty()) return static_cast<Enum>(0);
  const absl::StatusOr<int> number = EnumNumber(google::protobuf::GetEnumDescriptor<Enum>(), word);
  if (!number.ok()) return number.status();
  return static_cast<Enum>(*number);
}

// "2022-04-04 10:12" in Europe/Amsterdam; "" when absent.
std::string Moment(const google::protobuf::Timestamp& time);
// The same with seconds.
std::string MomentToTheSecond(const google::protobuf::Timestamp& time);

enum class Direction { kAhead, kAgo };
// A moment as people write it: "2026-11-22" (when that day begins) and "2026-11-22 10:15", both in Europe/Amsterdam, RFC 3339, or so far
// from now in a direction: "90d", "12h", "30m". A usage error for anything else.
absl::StatusOr<google::protobuf::Timestamp> ParseMoment(const std::string& text, Direction direction);

// nullptr when there is none of this code.
const survey::v1::Question* FindQuestion(const survey::v1::Questionnaire& questionnaire, std::string_view code);
// The label of an option or a row; its code when the question has none.
std::string OptionLabel(const survey::v1::Question* question, std::string_view code);
std::string RowLabel(const survey::v1::Question* question, std::string_view code);
// An answer with the labels of its question, which may be null.
std::string AnswerText(const survey::v1::Question* question, const survey::v1::Answer& answer);

}  // namespace peiling::ctl
