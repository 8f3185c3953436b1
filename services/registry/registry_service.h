// The gRPC handlers: check, call, map.
#pragma once

#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/registry/registry.h"

namespace peiling::registry {

class RegistryService final : public v1::RegistryService::Service {
 public:
  // The registry must outlive the service.
  explicit RegistryService(const Registry& registry) : registry_(registry) {}

  grpc::Status GetMunicipality(grpc::ServerContext* context, const v1::GetMunicipalityRequest* request,
                               v1::GetMunicipalityResponse* response) override;
  grpc::Status ListMunicipalities(grpc::ServerContext* context, const v1::ListMunicipalitiesRequest* request,
                                  v1::ListMunicipalitiesResponse* response) override;
  grpc::Status TraceLineage(grpc::ServerContext* context, const v1::TraceLineageRequest* request,
                            v1::TraceLineageResponse* response) override;
  grpc::Status ResolveMunicipality(grpc::ServerContext* context, const v1::ResolveMunicipalityRequest* request,
                                   v1::ResolveMunicipalityResponse* response) override;
  grpc::Status BatchResolveMunicipalities(grpc::ServerContext* context, const v1::BatchResolveMunicipalitiesRequest* request,
                                          v1::BatchResolveMunicipalitiesResponse* response) override;

 private:
  const Registry& registry_;
};

}  // namespace peiling::registry
