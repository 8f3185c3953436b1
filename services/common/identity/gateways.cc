#include "services/common/identity/gateways.h"

#include <algorithm>

#include "grpc/grpc_security_constants.h"
#include "services/common/status/errors.h"

namespace peiling::identity {

absl::Status CheckGateway(const grpc::ServerContextBase& context, const GatewayNames& gateways) {
  if (!gateways.has_value()) return absl::OkStatus();
  for (const char* const kind : {GRPC_PEER_DNS_PROPERTY_NAME, GRPC_PEER_URI_PROPERTY_NAME}) {
    for (const grpc::string_ref& name : context.auth_context()->FindPropertyValues(kind)) {
      if (std::find(gateways->begin(), gateways->end(), name) != gateways->end()) return absl::OkStatus();
    }
  }
  return status::Error(absl::StatusCode::kPermissionDenied, "NOT_A_GATEWAY",
                       "this is for gateways: the certificate has none of their names");
}

}  // namespace peiling::identity
