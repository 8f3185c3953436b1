// What one connection may take of a server.
#pragma once

#include "grpcpp/server_builder.h"

namespace peiling::server {

// How long connections last, how long one that says nothing, how often it may ping, and that its messages are not compressed.
void SetConnectionLimits(grpc::ServerBuilder& builder);

// gRPC's reflection (for tools such as grpcurl) is part of every server of a program that it is linked into. A stream of it holds a thread
// for as long as its client likes: it is for callers that are known.
void LeaveOutReflection(grpc::ServerBuilder& builder);

}  // namespace peiling::server
