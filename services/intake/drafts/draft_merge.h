// What a save does to a draft: question by question, so that people who answer different questions do not get in each other's way. Pure
// functions.
//
// A question has an answer for all municipalities of the draft and may have one of its own for each. A change for one municipality
//   without a value              takes its own answer away: that for all counts for it again,
//   with a value that says nothing (no options, no rows, an empty text – the latter whatever the question's type)
//                                says that there is no answer for this municipality.
// Of the answer for all both mean that there is none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "peiling/intake/v1/drafts.pb.h"
#include "services/common/survey/compiled_questionnaire.h"
#include "services/intake/drafts/draft_etag.h"
#include "services/intake/drafts/draft_writer.h"

namespace peiling::intake {

// OK or INVALID_ARGUMENT/INVALID_REQUEST with every wrong field: a question that the questionnaire does not have or that is there twice, a
// value of another type, a municipality the draft does not stand for or that cannot have an answer of its own to this question, or the
// question that names the municipality, which is answered with those the draft stands for.
// PERMISSION_DENIED/NOT_WITHIN_SECTIONS (metadata: questions) when the writer may not write in a question's section.
absl::Status CheckChanges(const v1::SaveDraftRequest& request, const survey::CompiledQuestionnaire& questionnaire, const v1::Draft& draft,
                          const DraftWriter& writer);

// A save and its moment.
struct DraftSave {
  // Checked.
  const google::protobuf::RepeatedPtrField<v1::AnswerChange>& changes;
  // What the caller knows.
  KnownRevisions known = {};
  // The draft's, once this is saved.
  uint64_t revision = 0;
  absl::Time now;
  // Subject of who saves.
  std::string author;
};

// What became of it.
struct DraftMerge {
  std::vector<v1::AnswerConflict> conflicts;
  // What changed, without values of personal questions.
  std::vector<v1::AnswerHistory> changed;
  bool personal_changed = false;
};

// Applies the changes to `draft` and `personal`, but for those to questions that got another answer in a revision the caller does not know.
DraftMerge MergeChanges(const DraftSave& save, const survey::CompiledQuestionnaire& questionnaire, v1::Draft& draft,
                        survey::v1::Answers& personal);

// The conflict of a change that is not saved with what stands there now.
v1::AnswerConflict ConflictWith(const v1::AnswerChange& change, const survey::CompiledQuestionnaire& questionnaire, const v1::Draft& draft,
                                const survey::v1::Answers& personal);

}  // namespace peiling::intake
