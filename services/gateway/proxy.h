// Passing gRPC calls on as they are: bytes, metadata, deadlines, cancellation, status and error details, for unary and streaming calls
// alike; once the door has let them in.
//
// Callback API: nothing here blocks. Flow control is end to end: one message is read from one side only when the other side has taken the
// one before.
#pragma once

#include <chrono>
#include <string>
#include <unordered_map>

#include "grpcpp/generic/async_generic_service.h"
#include "services/gateway/door.h"
#include "services/gateway/proxy_watchdog.h"
#include "services/gateway/route_table.h"

namespace peiling::gateway {

struct ProxyOptions {
  // How long a client may keep a call waiting that it is to send something to, or to take something of: then the call ends with
  // DEADLINE_EXCEEDED/CLIENT_IDLE, or, when it does not even take that, without a word. A watch that is silent is not its client's fault.
  std::chrono::milliseconds client_patience = std::chrono::seconds(120);
};

// Refusals are those of the door. A backend that cannot be reached is UNAVAILABLE/BACKEND_UNAVAILABLE (metadata: service).
//
// A message of the client is looked at (Visit::Check) before it is passed on, and the backend hears of the call with the first one. Beside
// what belongs to a connection, these entries of a client's metadata are not passed on: credentials, "peiling-…", and what is said of a
// client by a proxy.
class Proxy final : public grpc::CallbackGenericService {
 public:
  // Both must outlive the proxy.
  Proxy(Door& door, const RouteTable& routes, const ProxyOptions& options);
  ~Proxy() override;

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

  // Which sides may send more than one message.
  enum class Shape { kUnary, kServerStream, kClientStream };

 private:
  Door& door_;
  Watchdog watchdog_;
  // Of the methods in the contracts; others are refused before it matters.
  std::unordered_map<std::string, Shape> shapes_;
};

}  // namespace peiling::gateway
