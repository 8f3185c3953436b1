// A questionnaire made ready for work: codes looked up in constant time, routing parsed once.
//
// Immutable after Compile, so thread-safe. Every engine (validation, dedup, analytics) builds on it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "peiling/survey/v1/answers.pb.h"
#include "peiling/survey/v1/questionnaire.pb.h"
#include "services/common/survey/routing.h"

namespace peiling::survey {

// Lower-case hex SHA-256 of the deterministic serialisation: what a questionnaire is named by.
std::string Fingerprint(const v1::Questionnaire& questionnaire);

// Index of a question in the questionnaire, in the order questions are put.
using QuestionIndex = int;
inline constexpr QuestionIndex kNoQuestion = -1;

// One question with what is needed fast.
struct CompiledQuestion {
  const v1::Question* question = nullptr;
  // From 1, as Response.last_section counts.
  int section = 0;
  // The section's and the question's routing together; null: always asked.
  std::shared_ptr<const Routing> ask;

  // Position of an option or row by code, -1 when there is none. `hint` is tried first.
  int OptionOf(std::string_view code, int hint = 0) const;
  int RowOf(std::string_view code, int hint = 0) const;

  absl::flat_hash_map<std::string, int> options;
  absl::flat_hash_map<std::string, int> rows;
};

// What a response comes to, question by question.
struct Assessment {
  // By question index.
  std::vector<v1::QuestionState> states;
  // By question index: the answer, also when the question was not asked (kept aside); null when there is none.
  std::vector<const v1::Answer*> answers;
  v1::Completeness completeness;
};

class CompiledQuestionnaire {
 public:
  // Takes a copy. INVALID_ARGUMENT/QUESTIONNAIRE_INVALID with a BadRequest naming every error CheckQuestionnaire finds.
  static absl::StatusOr<std::shared_ptr<const CompiledQuestionnaire>> Compile(v1::Questionnaire questionnaire);

  const v1::Questionnaire& proto() const { return proto_; }
  const std::string& fingerprint() const { return fingerprint_; }
  const std::vector<CompiledQuestion>& questions() const { return questions_; }

  // kNoQuestion when there is none of this code. `hint`, e.g. the index after the last one found, is tried first.
  QuestionIndex Find(std::string_view code, QuestionIndex hint = 0) const;
  // The first question with a role; kNoQuestion when there is none.
  QuestionIndex FindRole(v1::QuestionRole role) const;

  // Judges what was asked, answered, skipped and not reached. Routing looks at answers of questions that were themselves asked; what is kept aside steers nothing.
  // A question is not reached when the response was not submitted and neither the respondent (`last_section`) nor an answer came as far as its section.
  // `assessment` is reused, to spare allocations; its answers point into `answers`. Answers to unknown questions are passed over.
  void Assess(const v1::Answers& answers, bool submitted, int last_section, Assessment& assessment) const;

 private:
  CompiledQuestionnaire() = default;

  v1::Questionnaire proto_;
  std::string fingerprint_;
  std::vector<CompiledQuestion> questions_;
  absl::flat_hash_map<std::string, QuestionIndex> by_code_;
};

}  // namespace peiling::survey
