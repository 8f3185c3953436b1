// Deadlines of calls. A deadline given as a time of the wall clock is turned by gRPC into its own time with what that clock said when the
// process began: once somebody has set the clock back, every call is over before it has begun, and once set forward, none ever is.
#pragma once

#include <chrono>

#include "grpcpp/client_context.h"

namespace peiling::deadline {

// The call ends this long from now, at the latest.
void Set(grpc::ClientContext& context, std::chrono::system_clock::duration timeout);

// The call ends at `end`, as the clock stands now. system_clock::time_point::max(): no deadline.
void Set(grpc::ClientContext& context, std::chrono::system_clock::time_point end);

}  // namespace peiling::deadline
