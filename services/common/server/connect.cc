#include "services/common/server/connect.h"

#include "grpcpp/grpcpp.h"
#include "services/common/server/client_calls.h"
#include "services/common/server/server.h"
#include "services/common/server/service_config.h"

namespace peiling::server {

grpc::ChannelArguments ChannelSettings() {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfigJson);
  arguments.SetMaxReceiveMessageSize(Options().max_message_bytes);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, Options().max_metadata_bytes);
  // A peer that vanished without a word is noticed within 40 s; servers allow pings this frequent.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A service that was restarted is found again within a second or two.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  // Despite its name, the least time an attempt to connect is given: a busy server answers, but not within a tenth of a second.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);
  return arguments;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments = ChannelSettings();
  // Services are in one network, or on one machine without TLS: http_proxy is for what lies outside.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // "ipv4:10.0.0.1:7400,10.0.0.2:7400" has no name of its own to look for in certificates: all are to be good for the first.
  if (const size_t end = address.find(','); end != std::string::npos) {
    const size_t begin = address.find(':') + 1;
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, address.substr(begin, end - begin));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(address, credentials, arguments, ObserveClientCalls());
}

}  // namespace peiling::server
