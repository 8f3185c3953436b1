// Who answered, without saying who: a keyed digest that is equal for equal names within a wave.
#pragma once

#include <string>
#include <string_view>

#include "peiling/survey/v1/answers.pb.h"
#include "services/common/survey/compiled_questionnaire.h"

namespace peiling::intake {

// A secret for a wave: 32 random bytes.
std::string NewSecret();

// The key of the person whom the answer with role respondent names: 32 lower-case hex digits, the same for names that differ in capitals,
// spaces, punctuation or diacritics alone. Empty when there is no such question, answer or name, or no secret.
std::string RespondentKey(std::string_view secret, const survey::CompiledQuestionnaire& questionnaire, const survey::v1::Answers& answers);

// The digest of a request that has personal answers, for its receipt: who has that can try no names against it without the secret.
std::string KeyedDigest(std::string_view secret, const std::string& digest);

}  // namespace peiling::intake
