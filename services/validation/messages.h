// What a finding says to the respondent: what to do, in the language of the questionnaire. Never an answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace peiling::validation {

enum class Language { kDutch, kEnglish };

// English for "en" and its regions, Dutch for all others.
Language LanguageOf(std::string_view tag);

enum class Phrase {
  kUnknownQuestion,
  kUnknownOption,
  kUnknownRow,
  kWantText,
  kWantNumber,
  kWantDate,
  kWantChoice,
  kWantGrid,
  // $0: the bound.
  kNumberBelow,
  kNumberAbove,
  kChooseOne,
  // $0: most options, $1: chosen.
  kChooseAtMost,
  // $0: label of the option.
  kChosenAlone,
  kOtherWithoutText,
  kTextWithoutOther,
  kCommentWithoutOption,
  kNotAsked,
  kRequired,
  // $0: inhabitants.
  kSizeClassDiffers,
  kRepeatedQuestion,
  kRepeatedOption,
  kRepeatedRow,
  kTextTooLong,
  kTextNotUtf8,
};

std::string Say(Language language, Phrase phrase, std::string_view first = {}, std::string_view second = {});

// A count as people of the language write it: "12.345" or "12,345".
std::string Grouped(Language language, int64_t count);

}  // namespace peiling::validation
