// What became of municipalities, and what they came from: through renames, merges and splits, and several of them after each other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/registry/v1/registry.pb.h"
#include "services/registry/municipality_catalog.h"

namespace peiling::registry {

// Codes that hold its territory on a date on or after its end, sorted; itself while it exists.
std::vector<std::string> DescendantsOn(const MunicipalityCatalog& catalog, const v1::Municipality& municipality, std::string_view date);

// Codes on a date before it began whose territory, in whole or in part, became its, sorted.
std::vector<std::string> AncestorsOn(const MunicipalityCatalog& catalog, const v1::Municipality& municipality, std::string_view date);

// For each code, by `codes` or, when there are none, every one that exists on `from`: what holds its territory on `to`, or held it when
// `to` is earlier. A municipality that took in another goes back to itself and the other. NOT_FOUND/MUNICIPALITY_NOT_FOUND for an unknown
// code, FAILED_PRECONDITION/NOT_IN_FRAME for one that does not exist on `from`.
absl::StatusOr<std::vector<v1::Lineage>> Trace(const MunicipalityCatalog& catalog, const std::vector<std::string>& codes,
                                               std::string_view from, std::string_view to);

}  // namespace peiling::registry
