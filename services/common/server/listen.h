// Addresses to listen on.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace peiling::server {

// Whether "host:port" can be listened on now. gRPC itself only says that it could not.
// INVALID_ARGUMENT/ADDRESS_INVALID when it is no address or not one of this machine, UNAVAILABLE/PORT_TAKEN when another process has the
// port, PERMISSION_DENIED/PORT_FORBIDDEN for a privileged port.
absl::Status CheckListenAddress(const std::string& address);

}  // namespace peiling::server
