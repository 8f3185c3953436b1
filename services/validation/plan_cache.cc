#include "services/validation/plan_cache.h"

#include <algorithm>

namespace peiling::validation {

std::shared_ptr<const ValidationPlan> PlanCache::Find(std::string_view fingerprint) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(plans_.begin(), plans_.end(), [&](const auto& plan) { return plan->fingerprint() == fingerprint; });
  if (found == plans_.end()) return nullptr;
  plans_.splice(plans_.begin(), plans_, found);
  return plans_.front();
}

void PlanCache::Add(std::shared_ptr<const ValidationPlan> plan) {
  const std::lock_guard lock(mutex_);
  plans_.remove_if([&](const auto& known) { return known->fingerprint() == plan->fingerprint(); });
  plans_.push_front(std::move(plan));
  if (plans_.size() > capacity_) plans_.pop_back();
}

}  // namespace peiling::validation
