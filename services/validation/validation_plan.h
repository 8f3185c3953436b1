// A questionnaire made ready to judge responses against it.
//
// Immutable after Compile, so thread-safe; each thread brings a Scratch of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/validation/v1/validation.pb.h"
#include "services/common/survey/compiled_questionnaire.h"
#include "services/validation/messages.h"

namespace peiling::validation {

class ValidationPlan {
 public:
  // Most errors and most warnings told; a respondent has no use for a longer list.
  static constexpr size_t kMaxIssues = 100;
  static constexpr size_t kMaxTextCharacters = 100'000;

  // Working space of Judge, kept from response to response to spare allocations.
  struct Scratch {
    survey::Assessment assessment;
    // By question, option or row: the last mark that saw it.
    std::vector<uint32_t> questions;
    std::vector<uint32_t> items;
    uint32_t mark = 0;
    // Findings with the question they are about, before they are put in order.
    std::vector<std::pair<survey::QuestionIndex, v1::Issue>> issues;
  };

  // INVALID_ARGUMENT/QUESTIONNAIRE_INVALID with a BadRequest.
  static absl::StatusOr<std::shared_ptr<const ValidationPlan>> Compile(survey::v1::Questionnaire questionnaire);

  const std::string& fingerprint() const { return compiled_->fingerprint(); }

  // Whether responses state a size class, and for which municipality.
  bool StatesSizeClass() const { return municipality_ != survey::kNoQuestion && size_class_ != survey::kNoQuestion; }
  // The municipality as typed, when a size class is stated for it; null when not.
  const std::string* MunicipalityToCheck(const survey::v1::Answers& answers) const;

  // Judges one response; `result` is written over. `inhabitants` of the municipality, when known. Findings are in the order of the
  // questionnaire, those on unknown questions last.
  void Judge(const v1::ResponseInput& response, std::optional<int64_t> inhabitants, Scratch& scratch, v1::ResponseResult& result) const;

 private:
  class Judgement;

  // What choosing an option means, as bits.
  enum Trait : uint8_t { kExclusive = 1, kOther = 2, kComment = 4 };

  explicit ValidationPlan(std::shared_ptr<const survey::CompiledQuestionnaire> compiled);

  const std::shared_ptr<const survey::CompiledQuestionnaire> compiled_;
  const Language language_;
  const survey::QuestionIndex municipality_;
  const survey::QuestionIndex size_class_;
  // Questions that must be answered when asked.
  std::vector<survey::QuestionIndex> required_;
  // By question and option: the traits. Side by side, since every chosen option is looked at.
  std::vector<std::vector<uint8_t>> traits_;
  // Options or rows of the question that has most.
  size_t most_items_ = 0;
};

}  // namespace peiling::validation
