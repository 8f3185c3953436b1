// Does a questionnaire hold together?
#pragma once

#include <string>
#include <vector>

#include "peiling/survey/v1/questionnaire.pb.h"

namespace peiling::survey {

// One problem.
struct Finding {
  // Path of the field, e.g. "sections[2].questions[0].ask".
  std::string field;
  // Code of the question, when it is about one.
  std::string question;
  // Errors make the questionnaire unusable; the others are worth a look.
  bool error = false;
  // What is wrong and what is wanted; for routing with the column.
  std::string message;
};

// Whether a text looks like a BCP 47 language tag.
bool IsLanguage(const std::string& tag);

// Codes that are missing, malformed or double; options that do not fit the type; a maximum above the number of options; exclusive options
// in questions that take one; roles that do not fit; routing that does not parse, names an unknown question, row or option, a later
// question or itself, a personal one, or compares what cannot be compared. Not errors: no question names the municipality; questions nobody
// can reach (no answers the questionnaire allows make its routing hold; shown by trying the combinations of the answers it depends on, when
// those are few enough to try).
std::vector<Finding> CheckQuestionnaire(const v1::Questionnaire& questionnaire);

}  // namespace peiling::survey
