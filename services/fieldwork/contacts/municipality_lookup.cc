#include "services/fieldwork/contacts/municipality_lookup.h"

#include <algorithm>

#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

// Most texts of one call, and municipalities of one page.
constexpr size_t kAtOnce = 1000;

}  // namespace

absl::Status MunicipalityLookup::Check(const std::string& name, const MakeContext& make_context) const {
  registry::v1::GetMunicipalityRequest request;
  request.set_name(name);
  registry::v1::GetMunicipalityResponse response;
  return status::FromGrpc(registry_.GetMunicipality(make_context().get(), request, &response));
}

absl::StatusOr<std::set<std::string>> MunicipalityLookup::CodesOn(const std::string& day, const MakeContext& make_context) const {
  registry::v1::ListMunicipalitiesRequest request;
  request.set_as_of(day);
  request.set_page_size(kAtOnce);
  std::set<std::string> codes;
  do {
    registry::v1::ListMunicipalitiesResponse page;
    const grpc::Status listed = registry_.ListMunicipalities(make_context().get(), request, &page);
    if (!listed.ok()) return status::FromGrpc(listed);
    for (const registry::v1::Municipality& municipality : page.municipalities()) codes.insert(municipality.code());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return codes;
}

absl::StatusOr<std::vector<registry::v1::Resolution>> MunicipalityLookup::Resolve(const std::vector<std::string>& texts,
                                                                                  const std::string& day,
                                                                                  const MakeContext& make_context) const {
  std::vector<registry::v1::Resolution> resolutions;
  while (resolutions.size() < texts.size()) {
    const size_t end = std::min(texts.size(), resolutions.size() + kAtOnce);
    registry::v1::BatchResolveMunicipalitiesRequest request;
    request.set_as_of(day);
    for (size_t i = resolutions.size(); i < end; ++i) request.add_texts(texts[i]);
    registry::v1::BatchResolveMunicipalitiesResponse response;
    const grpc::Status resolved = registry_.BatchResolveMunicipalities(make_context().get(), request, &response);
    if (!resolved.ok()) return status::FromGrpc(resolved);
    if (response.resolutions_size() != request.texts_size()) {
      return status::Error(absl::StatusCode::kInternal, "REGISTRY_INCOMPLETE", "the registry did not answer for each text");
    }
    resolutions.insert(resolutions.end(), response.resolutions().begin(), response.resolutions().end());
  }
  return resolutions;
}

}  // namespace peiling::fieldwork
