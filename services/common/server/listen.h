// Addresses to listen on.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace peiling::server {

// Whether "host:port" can be listened on now. gRPC itself only says that it could not.
// INVALID_ARGUMENT/ADDRESS_INVALID when it is no address or not one of this machine, UNAVAILABLE/PORT_TAKEN when another process has the
// port, PERMISSION_DENIED/PORT_FORBIDDEN for a privileged port.
absl::Status CheckListenAddress(const std::string& address);

// Whether "host:port", or a target of gRPC's such as "dns:///localhost:7400", is this machine itself by what is written: localhost or an
// address of loopback.
bool IsLoopback(std::string_view address);

}  // namespace peiling::server
