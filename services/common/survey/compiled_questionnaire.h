// A questionnaire made ready for work: codes looked up in constant time, routing parsed once.
//
// Immutable after Compile, so thread-safe. Every engine (validation, dedup, analytics) builds on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/survey/v1/answers.pb.h"
#include "peiling/survey/v1/questionnaire.pb.h"
#include "services/common/survey/question_table.h"
#include "services/common/survey/routing_program.h"

namespace peiling::survey {

// Lower-case hex SHA-256 of the deterministic serialisation: what a questionnaire is named by.
std::string Fingerprint(const v1::Questionnaire& questionnaire);

// What a response comes to, question by question.
struct Assessment {
  // By question index.
  std::vector<v1::QuestionState> states;
  // By question index: the answer, also when the question was not asked (kept aside); null when there is none, or none that says anything:
  // an answer of another type than the question's, or without any option that exists, is no answer. Of several answers to one question the
  // first.
  std::vector<const v1::Answer*> answers;
  // By position in the response: the question that is answered; kNoQuestion when there is none.
  std::vector<QuestionIndex> questions;
  v1::Completeness completeness;

  // Working space of Assess.
  std::vector<KnownAnswer> known;
  std::vector<Truth> routing;
};

class CompiledQuestionnaire {
 public:
  // Takes a copy. INVALID_ARGUMENT/QUESTIONNAIRE_INVALID with a BadRequest naming every error CheckQuestionnaire finds.
  static absl::StatusOr<std::shared_ptr<const CompiledQuestionnaire>> Compile(v1::Questionnaire questionnaire);

  CompiledQuestionnaire(const CompiledQuestionnaire&) = delete;
  CompiledQuestionnaire& operator=(const CompiledQuestionnaire&) = delete;

  const v1::Questionnaire& proto() const { return proto_; }
  const std::string& fingerprint() const { return fingerprint_; }
  const std::vector<CompiledQuestion>& questions() const { return table_.questions(); }

  // kNoQuestion when there is none of this code. `hint`, e.g. the index after the last one found, is tried first.
  QuestionIndex Find(std::string_view code, QuestionIndex hint = 0) const { return table_.Find(code, hint); }
  // The first question with a role; kNoQuestion when there is none.
  QuestionIndex FindRole(v1::QuestionRole role) const;

  // Judges what was asked, answered, skipped and not reached. Routing looks at answers of questions that were themselves asked; what is
  // kept aside steers nothing. A question is not reached when the response was not submitted and neither the respondent (`last_section`)
  // nor an answer came as far as its section, and routing puts it or would still have to hear an answer that was not reached either; only
  // the former count as asked. `assessment` is reused, to spare allocations; its answers point into `answers`. Answers to unknown questions
  // are passed over.
  void Assess(const v1::Answers& answers, bool submitted, int last_section, Assessment& assessment) const;

 private:
  static constexpr int kAlways = -1;
  // Routing of one question, as positions in programs_; kAlways where there is none.
  struct Ask {
    int section = kAlways;
    int question = kAlways;
  };

  CompiledQuestionnaire() = default;
  void BindRouting();
  // Finds the answers of a response; returns the section the answers came to.
  int Place(const v1::Answers& answers, Assessment& assessment) const;

  v1::Questionnaire proto_;
  std::string fingerprint_;
  QuestionTable table_;
  // Each distinct expression once, in the order they are first needed.
  std::vector<RoutingProgram> programs_;
  std::vector<Ask> asks_;
};

}  // namespace peiling::survey
