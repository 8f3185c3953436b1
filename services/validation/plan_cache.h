// Plans of the questionnaires seen lately.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "services/validation/validation_plan.h"

namespace peiling::validation {

// The least recently used one makes room. Thread-safe.
class PlanCache {
 public:
  // `capacity` of at least 1; small, since a look-up compares with each.
  explicit PlanCache(size_t capacity) : capacity_(capacity) {}

  // Null when the questionnaire was not seen, or too long ago.
  std::shared_ptr<const ValidationPlan> Find(std::string_view fingerprint);
  void Add(std::shared_ptr<const ValidationPlan> plan);

 private:
  const size_t capacity_;
  std::mutex mutex_;
  // Most recently used first.
  std::list<std::shared_ptr<const ValidationPlan>> plans_;
};

}  // namespace peiling::validation
