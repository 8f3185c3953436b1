// The registry's answers: lookups in its reference data.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "peiling/registry/v1/registry.pb.h"
#include "services/common/paging/paging.h"
#include "services/registry/municipality_catalog.h"
#include "services/registry/name_resolver.h"
#include "services/registry/reference_data.h"

namespace peiling::registry {

// Today in Europe/Amsterdam, YYYY-MM-DD; without time zone data in UTC, which is at most two hours off.
std::string Today();

// Immutable, so thread-safe. Requests must have been validated (validate.h).
class Registry {
 public:
  // FAILED_PRECONDITION/REFERENCE_DATA_BROKEN as the resolver's.
  static absl::StatusOr<std::unique_ptr<Registry>> Make(ReferenceData data);

  // NOT_FOUND/MUNICIPALITY_NOT_FOUND.
  absl::StatusOr<v1::GetMunicipalityResponse> Get(const v1::GetMunicipalityRequest& request) const;
  // NOT_FOUND/PROVINCE_NOT_FOUND, NOT_FOUND/GROUP_NOT_FOUND.
  absl::StatusOr<v1::ListMunicipalitiesResponse> List(const v1::ListMunicipalitiesRequest& request, const paging::Page& page) const;
  // As lineage.h's Trace.
  absl::StatusOr<v1::TraceLineageResponse> TraceLineage(const v1::TraceLineageRequest& request) const;
  v1::Resolution Resolve(const std::string& text, const std::string& as_of) const;

 private:
  explicit Registry(std::vector<v1::Municipality> municipalities) : catalog_(std::move(municipalities)) {}

  MunicipalityCatalog catalog_;
  std::unique_ptr<NameResolver> resolver_;
};

}  // namespace peiling::registry
