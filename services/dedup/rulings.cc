#include "services/dedup/rulings.h"

#include <set>
#include <utility>

namespace peiling::dedup {
namespace {

bool Assigns(const v1::Ruling& ruling) { return ruling.has_assign() || ruling.has_split(); }

}  // namespace

Rulings::Rulings(std::vector<v1::Ruling> rulings) : rulings_(std::move(rulings)) {
  for (const v1::Ruling& ruling : rulings_) {
    if (ruling.has_retracted_at()) continue;
    standing_by_response_.emplace(ruling.response(), &ruling);
    if (ruling.has_keep()) standing_keeps_.emplace(ruling.keep().municipality_code(), &ruling);
  }
}

template <typename Predicate>
const v1::Ruling* Rulings::FindStanding(const std::string& response, Predicate predicate) const {
  const auto [begin, end] = standing_by_response_.equal_range(response);
  for (auto it = begin; it != end; ++it) {
    if (predicate(*it->second)) return it->second;
  }
  return nullptr;
}

const v1::Ruling* Rulings::Assignment(const std::string& response) const { return FindStanding(response, Assigns); }

const v1::Ruling* Rulings::Exclusion(const std::string& response) const {
  return FindStanding(response, [](const v1::Ruling& ruling) { return ruling.has_exclude(); });
}

const v1::Ruling* Rulings::Keep(const std::string& response, const std::string& municipality_code) const {
  const auto keep = standing_keeps_.find(municipality_code);
  return keep != standing_keeps_.end() && keep->second->response() == response ? keep->second : nullptr;
}

const v1::Ruling* Rulings::Conflict(const v1::Ruling& candidate) const {
  if (candidate.has_keep()) {
    const auto keep = standing_keeps_.find(candidate.keep().municipality_code());
    return keep != standing_keeps_.end() && keep->second->response() != candidate.response() ? keep->second : nullptr;
  }
  if (!Assigns(candidate)) return nullptr;
  return FindStanding(candidate.response(), [codes = AssignedCodes(candidate)](const v1::Ruling& ruling) {
    return Assigns(ruling) && AssignedCodes(ruling) != codes;
  });
}

std::vector<std::string> AssignedCodes(const v1::Ruling& ruling) {
  std::set<std::string> codes(ruling.split().municipality_codes().begin(), ruling.split().municipality_codes().end());
  if (ruling.has_assign()) codes.insert(ruling.assign().municipality_code());
  return {codes.begin(), codes.end()};
}

}  // namespace peiling::dedup
