// Which municipalities exist on a date and what they are then. Immutable, so thread-safe.
//
// Dates are YYYY-MM-DD texts; they are compared as such.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "peiling/registry/v1/registry.pb.h"

namespace peiling::registry {

// Whether it exists on the date.
bool ExistsOn(const v1::Municipality& municipality, std::string_view date);

// Class of a number of inhabitants; a class begins at its lower bound.
survey::v1::SizeClass SizeClassOf(int64_t inhabitants);

// Its inhabitants, size class, province and groups on the date.
v1::MunicipalityFacts FactsOn(const v1::Municipality& municipality, std::string_view date);

class MunicipalityCatalog {
 public:
  // Takes checked data (reference_data.h), by code.
  explicit MunicipalityCatalog(std::vector<v1::Municipality> municipalities);
  MunicipalityCatalog(const MunicipalityCatalog&) = delete;
  MunicipalityCatalog& operator=(const MunicipalityCatalog&) = delete;

  // By code ("GM0363"); null when there is none.
  const v1::Municipality* Find(std::string_view code) const;
  // All, by code.
  const std::vector<v1::Municipality>& all() const { return municipalities_; }
  // The official name of a province written with other capitals or diacritics; "" when there is none.
  std::string Province(std::string_view name) const;
  bool HasGroup(std::string_view group) const { return groups_.contains(group); }

 private:
  std::vector<v1::Municipality> municipalities_;
  absl::flat_hash_map<std::string, const v1::Municipality*> by_code_;
  // Folded name → name.
  absl::flat_hash_map<std::string, std::string> provinces_;
  std::set<std::string, std::less<>> groups_;
};

}  // namespace peiling::registry
