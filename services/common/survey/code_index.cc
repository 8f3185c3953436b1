#include "services/common/survey/code_index.h"

namespace peiling::survey {

void CodeIndex::Add(const std::string& code) {
  positions_.try_emplace(code, static_cast<int>(codes_.size()));
  keys_[codes_.size()] = KeyOf(code);
  keys_.push_back(kNone);
  codes_.push_back(code);
}

int CodeIndex::FindFar(std::string_view code) const {
  const auto found = positions_.find(absl::string_view(code.data(), code.size()));
  return found == positions_.end() ? -1 : found->second;
}

}  // namespace peiling::survey
