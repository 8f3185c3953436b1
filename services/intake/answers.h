// Answers as intake keeps them: in the questionnaire's order, personal ones apart.
#pragma once

#include <cstddef>

#include "peiling/survey/v1/answers.pb.h"
#include "services/common/survey/compiled_questionnaire.h"

namespace peiling::intake {

// The largest response taken in. Its event and what validation says of it must fit in a message (4 MiB), or the feed could not go on.
inline constexpr size_t kMaxResponseBytes = 1 << 20;

// Puts answers, options and rows in the questionnaire's order and drops answers that say nothing. What the questionnaire does not know
// stays, at the end.
void Normalise(const survey::CompiledQuestionnaire& questionnaire, survey::v1::Answers& answers);

// Takes the answers to personal questions out of `answers`, and returns them.
survey::v1::Answers TakePersonal(const survey::CompiledQuestionnaire& questionnaire, survey::v1::Answers& answers);

// Undoes TakePersonal.
void PutBackPersonal(const survey::CompiledQuestionnaire& questionnaire, survey::v1::Answers personal, survey::v1::Answers& answers);

}  // namespace peiling::intake
