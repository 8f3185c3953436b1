// What gateways alone may call, on their own account.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grpcpp/server_context.h"

namespace peiling::identity {

// Names of the certificates of gateways, DNS or URI; nullopt: nobody shows certificates (in one process, or without TLS), and who gets here
// is a gateway.
using GatewayNames = std::optional<std::vector<std::string>>;

// PERMISSION_DENIED/NOT_A_GATEWAY when the certificate of who calls has none of the names.
absl::Status CheckGateway(const grpc::ServerContextBase& context, const GatewayNames& gateways);

}  // namespace peiling::identity
