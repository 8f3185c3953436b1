// Answers of a response that stands for several municipalities: those for all, and what differs for single ones.
#pragma once

#include <string_view>

#include "google/protobuf/repeated_ptr_field.h"
#include "peiling/survey/v1/answers.pb.h"
#include "services/common/survey/compiled_questionnaire.h"

namespace peiling::survey {

// The answers as they are for one municipality, in the order of the questionnaire: its own in place of those for all. One of its own
// without a value takes the answer away. Answers to questions that the questionnaire does not have come last, in the order they had.
v1::Answers AnswersFor(std::string_view municipality, const v1::Answers& answers,
                       const google::protobuf::RepeatedPtrField<v1::MunicipalityAnswers>& municipality_answers,
                       const CompiledQuestionnaire& questionnaire);

}  // namespace peiling::survey
