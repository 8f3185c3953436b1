#include "services/registry/registry_service.h"

#include "services/common/paging/paging.h"
#include "services/common/status/errors.h"
#include "services/registry/validate.h"

namespace peiling::registry {
namespace {

// The answer, or the error as the caller sees it.
template <typename Response>
grpc::Status Answer(absl::StatusOr<Response> result, Response* response) {
  if (result.ok()) *response = *std::move(result);
  return status::ToGrpc(result.status());
}

}  // namespace

grpc::Status RegistryService::GetMunicipality(grpc::ServerContext*, const v1::GetMunicipalityRequest* request,
                                              v1::GetMunicipalityResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Answer(registry_.Get(*request), response);
}

grpc::Status RegistryService::ListMunicipalities(grpc::ServerContext*, const v1::ListMunicipalitiesRequest* request,
                                                 v1::ListMunicipalitiesResponse* response) {
  status::BadRequest bad;
  const paging::Page page = paging::ReadPage(*request, bad);
  Validate(*request, bad);
  if (!bad.empty()) return status::ToGrpc(bad.ToStatus());
  return Answer(registry_.List(*request, page), response);
}

grpc::Status RegistryService::TraceLineage(grpc::ServerContext*, const v1::TraceLineageRequest* request,
                                           v1::TraceLineageResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Answer(registry_.TraceLineage(*request), response);
}

grpc::Status RegistryService::ResolveMunicipality(grpc::ServerContext*, const v1::ResolveMunicipalityRequest* request,
                                                  v1::ResolveMunicipalityResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  *response->mutable_resolution() = registry_.Resolve(request->text(), request->as_of());
  return grpc::Status::OK;
}

grpc::Status RegistryService::BatchResolveMunicipalities(grpc::ServerContext* context, const v1::BatchResolveMunicipalitiesRequest* request,
                                                         v1::BatchResolveMunicipalitiesResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  // One date for all, also around midnight.
  const std::string as_of = request->as_of().empty() ? Today() : request->as_of();
  for (const std::string& text : request->texts()) {
    if (context->IsCancelled()) return grpc::Status::CANCELLED;
    *response->add_resolutions() = registry_.Resolve(text, as_of);
  }
  return grpc::Status::OK;
}

}  // namespace peiling::registry
