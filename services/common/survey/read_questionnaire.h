// The questions of a wave file.
#pragma once

#include "peiling/survey/v1/questionnaire.pb.h"
#include "services/common/yaml/reader.h"

namespace peiling::survey {

// Reads `language` and `sections`, and adds what CheckQuestionnaire finds at the line where it stands.
v1::Questionnaire ReadQuestionnaire(yaml::Map& map, std::string version);

}  // namespace peiling::survey
