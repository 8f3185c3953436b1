// What the submission feed and validation are shown of a draft. Without state.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/intake/v1/drafts.pb.h"
#include "services/intake/catalog.h"
#include "services/intake/drafts/draft_documents.h"
#include "services/intake/response_validator.h"

namespace peiling::intake {

// What validation says of a draft.
struct DraftJudgement {
  // In the order of the questionnaire; what is said of a single municipality has its code before the message.
  google::protobuf::RepeatedPtrField<validation::v1::Issue> issues;
  // Whether there is an error for any municipality: such a draft cannot be submitted.
  bool has_error = false;
};

// Asks validation about the answers of every municipality, those that share all of them once, as of a submitted response. Validation's
// errors.
absl::StatusOr<DraftJudgement> JudgeDraft(const StoredDraft& stored, const WaveQuestions& questions, ResponseValidator& validator,
                                          const MakeContext& make_context);

// How far it is for the municipality for which most is left to answer, as validation would say, without asking it.
survey::v1::Completeness CompletenessOf(const StoredDraft& stored, const survey::CompiledQuestionnaire& questionnaire);

// The response a draft is. `secret`: the wave's, for the respondent's key. Issues and what happens to responses apart from drafts (a
// withdrawal, an erasure) are left empty.
v1::Response ResponseOf(const StoredDraft& stored, const survey::CompiledQuestionnaire& questionnaire, const std::string& secret);

}  // namespace peiling::intake
