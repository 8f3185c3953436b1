// Passing gRPC calls on as they are: bytes, metadata, deadlines, cancellation, status and error details, for unary and streaming calls
// alike; once the door has let them in.
//
// Nothing here blocks. Flow control is end to end: one message is read from one side only when the other side has taken the one before.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "grpcpp/channel.h"
#include "services/common/server/places.h"
#include "services/common/server/server_calls.h"
#include "services/gateway/door.h"
#include "services/gateway/grpc/rpc_stream.h"
#include "services/gateway/route_table.h"

namespace peiling::gateway {

// Refusals are those of the door. A backend that cannot be reached is UNAVAILABLE/BACKEND_UNAVAILABLE (metadata: service). A client that
// lets itself be waited for for too long gets DEADLINE_EXCEEDED/CLIENT_IDLE, or, when it does not even take that, nothing more; a watch
// that is silent is not its client's fault.
//
// A message of the client is looked at (Visit::Check) before it is passed on, and the backend hears of the call with the first one. Beside
// what belongs to a connection, these entries of a client's metadata are not passed on: credentials, "peiling-…", and what is said of a
// client by a proxy.
//
// Thread-safe.
class Proxy {
 public:
  // `door` must outlive the proxy, which must outlive its calls. `server` is the label of the calls' metrics. `health` is where anybody may
  // call grpc.health.v1; null: nowhere.
  Proxy(Door& door, const RouteTable& routes, const std::string& server, std::shared_ptr<grpc::Channel> health);
  ~Proxy();

  void Handle(std::shared_ptr<RpcStream> stream);

  // Which sides may send more than one message.
  enum class Shape { kUnary, kServerStream, kClientStream };

 private:
  struct Method {
    Shape shape = Shape::kUnary;
    // Anybody may call it.
    bool open = false;
  };

  Method Find(const std::string& name) const;

  Door& door_;
  // Of the methods in the contracts; others are refused before it matters.
  std::unordered_map<std::string, Method> methods_;
  server::CallObserver observer_;
  const Backend health_;
  server::Places health_places_{1000};
};

}  // namespace peiling::gateway
