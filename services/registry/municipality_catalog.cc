#include "services/registry/municipality_catalog.h"

#include <algorithm>

#include "services/common/text/fold.h"

namespace peiling::registry {
namespace {

// Whether the date lies in a period whose ends, when empty, are open; `to` is the first day after it.
bool Within(std::string_view date, std::string_view from, std::string_view to) { return from <= date && (to.empty() || date < to); }

}  // namespace

bool ExistsOn(const v1::Municipality& municipality, std::string_view date) {
  return Within(date, municipality.valid_from(), municipality.valid_to());
}

survey::v1::SizeClass SizeClassOf(int64_t inhabitants) {
  if (inhabitants <= 0) return survey::v1::SIZE_CLASS_UNSPECIFIED;
  if (inhabitants < 50'000) return survey::v1::SIZE_CLASS_UNDER_50K;
  if (inhabitants < 100'000) return survey::v1::SIZE_CLASS_50K_TO_100K;
  if (inhabitants < 200'000) return survey::v1::SIZE_CLASS_100K_TO_200K;
  return survey::v1::SIZE_CLASS_200K_AND_OVER;
}

v1::MunicipalityFacts FactsOn(const v1::Municipality& municipality, std::string_view date) {
  v1::MunicipalityFacts facts;
  facts.set_as_of(std::string(date));
  facts.set_province(municipality.province());
  // Oldest first: the last on or before the date, else the first of all.
  const v1::Inhabitants* count = nullptr;
  for (const v1::Inhabitants& each : municipality.inhabitants()) {
    if (count == nullptr || each.date() <= date) count = &each;
  }
  if (count != nullptr) {
    facts.set_inhabitants(count->count());
    facts.set_inhabitants_date(count->date());
    facts.set_size_class(SizeClassOf(count->count()));
  }
  std::set<std::string> groups;
  for (const v1::GroupMembership& membership : municipality.groups()) {
    if (Within(date, membership.from(), membership.to())) groups.insert(membership.group());
  }
  facts.mutable_groups()->Assign(groups.begin(), groups.end());
  return facts;
}

MunicipalityCatalog::MunicipalityCatalog(std::vector<v1::Municipality> municipalities) : municipalities_(std::move(municipalities)) {
  for (const v1::Municipality& municipality : municipalities_) {
    by_code_.emplace(municipality.code(), &municipality);
    provinces_.emplace(text::Fold(municipality.province()), municipality.province());
    for (const v1::GroupMembership& membership : municipality.groups()) groups_.insert(membership.group());
  }
}

const v1::Municipality* MunicipalityCatalog::Find(std::string_view code) const {
  const auto found = by_code_.find(std::string(code));
  return found == by_code_.end() ? nullptr : found->second;
}

std::string MunicipalityCatalog::Province(std::string_view name) const {
  const auto found = provinces_.find(text::Fold(name));
  return found == provinces_.end() ? "" : found->second;
}

}  // namespace peiling::registry
