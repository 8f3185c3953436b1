#include "services/registry/lineage.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::registry {
namespace {

// Follows successors until they exist on the date. Data is checked for loops by its dates: a successor ends later than its predecessor.
void Descend(const MunicipalityCatalog& catalog, const v1::Municipality& municipality, std::string_view date,
             std::set<std::string>& codes) {
  if (municipality.valid_to().empty() || municipality.valid_to() > date) {
    codes.insert(municipality.code());
    return;
  }
  for (const std::string& successor : municipality.successors()) Descend(catalog, *catalog.Find(successor), date, codes);
}

absl::Status CheckExists(const MunicipalityCatalog& catalog, const std::string& code, std::string_view date) {
  const v1::Municipality* municipality = catalog.Find(code);
  if (municipality == nullptr) {
    return status::Error(absl::StatusCode::kNotFound, "MUNICIPALITY_NOT_FOUND", absl::StrCat("municipality ", code, " is not known"),
                         {{"code", code}});
  }
  if (ExistsOn(*municipality, date)) return absl::OkStatus();
  return status::Error(absl::StatusCode::kFailedPrecondition, "NOT_IN_FRAME",
                       absl::StrCat("municipality ", code, " did not exist on ", std::string(date)),
                       {{"code", code}, {"date", std::string(date)}});
}

}  // namespace

std::vector<std::string> DescendantsOn(const MunicipalityCatalog& catalog, const v1::Municipality& municipality, std::string_view date) {
  std::set<std::string> codes;
  Descend(catalog, municipality, date, codes);
  return {codes.begin(), codes.end()};
}

std::vector<std::string> AncestorsOn(const MunicipalityCatalog& catalog, const v1::Municipality& municipality, std::string_view date) {
  std::vector<std::string> codes;
  for (const v1::Municipality& other : catalog.all()) {
    if (!ExistsOn(other, date)) continue;
    const std::vector<std::string> heirs = DescendantsOn(catalog, other, municipality.valid_from());
    if (std::find(heirs.begin(), heirs.end(), municipality.code()) != heirs.end()) codes.push_back(other.code());
  }
  return codes;
}

absl::StatusOr<std::vector<v1::Lineage>> Trace(const MunicipalityCatalog& catalog, const std::vector<std::string>& codes,
                                               std::string_view from, std::string_view to) {
  std::vector<std::string> asked = codes;
  for (const std::string& code : asked) {
    if (absl::Status exists = CheckExists(catalog, code, from); !exists.ok()) return exists;
  }
  if (asked.empty()) {
    for (const v1::Municipality& each : catalog.all()) {
      if (ExistsOn(each, from)) asked.push_back(each.code());
    }
  }
  // Backwards is forwards the other way round.
  std::map<std::string, std::set<std::string>> backwards;
  if (to < from) {
    for (const v1::Municipality& each : catalog.all()) {
      if (!ExistsOn(each, to)) continue;
      for (const std::string& heir : DescendantsOn(catalog, each, from)) backwards[heir].insert(each.code());
    }
  }
  std::vector<v1::Lineage> lineages;
  for (const std::string& code : asked) {
    v1::Lineage& lineage = lineages.emplace_back();
    lineage.set_code(code);
    if (to < from) {
      lineage.mutable_codes()->Assign(backwards[code].begin(), backwards[code].end());
    } else {
      const std::vector<std::string> heirs = DescendantsOn(catalog, *catalog.Find(code), to);
      lineage.mutable_codes()->Assign(heirs.begin(), heirs.end());
    }
  }
  return lineages;
}

}  // namespace peiling::registry
