// Addresses to listen on.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace peiling::server {

// A socket that listens on "host:port"; port 0 takes a free one, no host, 0.0.0.0 and [::] take connections of IPv4 and IPv6. The caller
// closes it. Non-blocking, and the only one on its port.
// INVALID_ARGUMENT/ADDRESS_INVALID when it is no address or not one of this machine, UNAVAILABLE/PORT_TAKEN when another process has the
// port, PERMISSION_DENIED/PORT_FORBIDDEN for a privileged port.
absl::StatusOr<int> Listen(const std::string& address);

// Whether Listen could do so now, for those that listen by themselves and only say that they could not.
absl::Status CheckListenAddress(const std::string& address);

// Whether "host:port", "host", or a target of gRPC's such as "dns:///localhost:7400", is this machine itself by what is written: localhost
// or an address of loopback, and so is all of a list.
bool IsLoopback(std::string_view address);

}  // namespace peiling::server
