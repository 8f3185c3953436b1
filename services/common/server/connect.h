// How channels between services are made.
#pragma once

#include "grpcpp/support/channel_arguments.h"

namespace peiling::server {

// Limits, keepalive, load balancing, deadlines and retries of every channel, over a socket or in process.
grpc::ChannelArguments ChannelSettings();

}  // namespace peiling::server
