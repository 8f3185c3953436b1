// What a wave is, as analytics needs it: everything about it but its records.
#pragma once

#include <memory>
#include <optional>

#include "peiling/intake/v1/intake.pb.h"
#include "peiling/survey/v1/published.pb.h"
#include "services/analytics/frame.h"
#include "services/common/survey/compiled_questionnaire.h"

namespace peiling::analytics {

// Shared as const, so thread-safe; a change makes a new one.
struct WaveDefinition {
  intake::v1::Wave wave;
  std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire;
  std::shared_ptr<const Frame> frame;
  // Absent when nothing was published about it.
  std::optional<survey::v1::PublishedReport> report;
};

}  // namespace peiling::analytics
