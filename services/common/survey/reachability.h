// Can anybody be asked a question at all?
#pragma once

#include <optional>
#include <vector>

#include "services/common/survey/question_table.h"
#include "services/common/survey/routing_program.h"

namespace peiling::survey {

// Routing of one question, its section's and its own; null: always.
struct QuestionRouting {
  const RoutingProgram* section = nullptr;
  const RoutingProgram* question = nullptr;
};

// Whether some answers the questionnaire allows make all of `conditions` hold (null ones do): tries what the questions they depend on,
// directly or through the routing of those, can answer. `routing` by question index. nullopt when there are more than 20,000 combinations.
std::optional<bool> CanHold(const std::vector<const RoutingProgram*>& conditions, const QuestionTable& table,
                            const std::vector<QuestionRouting>& routing);

}  // namespace peiling::survey
