#include "services/registry/registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/registry/lineage.h"

namespace peiling::registry {
namespace {

absl::Status NotFound(std::string_view reason, const std::string& what, const std::string& name) {
  return status::Error(absl::StatusCode::kNotFound, reason, absl::StrCat(what, " \"", name, "\" is not known"), {{what, name}});
}

bool IsWanted(const v1::Municipality& municipality, const v1::ListMunicipalitiesRequest& request, const std::string& province) {
  if (!province.empty() && municipality.province() != province) return false;
  if (request.as_of().empty()) return true;
  if (!ExistsOn(municipality, request.as_of())) return false;
  const v1::MunicipalityFacts facts = FactsOn(municipality, request.as_of());
  if (request.size_class() != survey::v1::SIZE_CLASS_UNSPECIFIED && facts.size_class() != request.size_class()) return false;
  return request.group().empty() || std::find(facts.groups().begin(), facts.groups().end(), request.group()) != facts.groups().end();
}

}  // namespace

std::string Today() { return calendar::DayOf(absl::Now()); }

absl::StatusOr<std::unique_ptr<Registry>> Registry::Make(ReferenceData data) {
  std::unique_ptr<Registry> registry(new Registry(std::exchange(data.municipalities, {})));
  absl::StatusOr<std::unique_ptr<NameResolver>> resolver = NameResolver::Make(data, registry->catalog_);
  if (!resolver.ok()) return resolver.status();
  registry->resolver_ = *std::move(resolver);
  return registry;
}

absl::StatusOr<v1::GetMunicipalityResponse> Registry::Get(const v1::GetMunicipalityRequest& request) const {
  const v1::Municipality* municipality = catalog_.Find(names::LastId(request.name()));
  if (municipality == nullptr) return NotFound("MUNICIPALITY_NOT_FOUND", "municipality", request.name());
  v1::GetMunicipalityResponse response;
  *response.mutable_municipality() = *municipality;
  const std::string as_of = request.as_of().empty() ? Today() : request.as_of();
  if (ExistsOn(*municipality, as_of)) *response.mutable_municipality()->mutable_facts() = FactsOn(*municipality, as_of);
  return response;
}

absl::StatusOr<v1::ListMunicipalitiesResponse> Registry::List(const v1::ListMunicipalitiesRequest& request,
                                                              const paging::Page& page) const {
  const std::string province = catalog_.Province(request.province());
  if (!request.province().empty() && province.empty()) return NotFound("PROVINCE_NOT_FOUND", "province", request.province());
  if (!request.group().empty() && !catalog_.HasGroup(request.group())) return NotFound("GROUP_NOT_FOUND", "group", request.group());
  v1::ListMunicipalitiesResponse response;
  int32_t total = 0;
  bool more = false;
  for (const v1::Municipality& municipality : catalog_.all()) {
    if (!IsWanted(municipality, request, province)) continue;
    ++total;
    if (municipality.code() <= page.after) continue;
    if (response.municipalities_size() == page.size) {
      more = true;
      continue;
    }
    *response.add_municipalities() = municipality;
    if (request.as_of().empty()) continue;
    *response.mutable_municipalities(response.municipalities_size() - 1)->mutable_facts() = FactsOn(municipality, request.as_of());
  }
  response.set_total_size(total);
  if (more) response.set_next_page_token(paging::NextPageToken(request, response.municipalities().rbegin()->code()));
  return response;
}

absl::StatusOr<v1::TraceLineageResponse> Registry::TraceLineage(const v1::TraceLineageRequest& request) const {
  auto lineages = Trace(catalog_, {request.codes().begin(), request.codes().end()}, request.from(), request.to());
  if (!lineages.ok()) return lineages.status();
  v1::TraceLineageResponse response;
  response.mutable_lineages()->Assign(lineages->begin(), lineages->end());
  return response;
}

v1::Resolution Registry::Resolve(const std::string& text, const std::string& as_of) const {
  return resolver_->Resolve(text, as_of.empty() ? Today() : as_of);
}

}  // namespace peiling::registry
