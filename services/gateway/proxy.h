// Passing gRPC calls on as they are: bytes, metadata, deadlines, cancellation, status and error details, for unary and streaming calls
// alike.
//
// Callback API: nothing here blocks. Flow control is end to end: one message is read from one side only when the other side has taken the
// one before.
#pragma once

#include <atomic>
#include <memory>

#include "grpcpp/generic/async_generic_service.h"
#include "services/gateway/route_table.h"

namespace peiling::gateway {

struct ProxyLimits {
  // Calls under way at once; one more gets RESOURCE_EXHAUSTED/TOO_MANY_CALLS.
  int max_calls = 1024;
  // Of those, to one backend, so that one that hangs leaves room for the others; one more gets RESOURCE_EXHAUSTED/BACKEND_BUSY.
  int max_calls_per_backend = 512;
};

// A method of no backend is UNIMPLEMENTED/UNKNOWN_SERVICE. A backend that cannot be reached is UNAVAILABLE/BACKEND_UNAVAILABLE (metadata:
// service).
class Proxy final : public grpc::CallbackGenericService {
 public:
  // `routes` must outlive the proxy.
  Proxy(const RouteTable& routes, ProxyLimits limits);
  ~Proxy() override;

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

  // From its return on no call to a backend is begun, those under way go on; new ones get UNAVAILABLE/SHUTTING_DOWN. To be called before
  // backends of the same process go: gRPC 1.51 crashes when a call is begun on an in-process channel whose server is shut down.
  void Close();

  // Counts the calls under way; a call holds its place until it is over.
  class CallSlots;

 private:
  const RouteTable& routes_;
  std::shared_ptr<CallSlots> slots_;
};

}  // namespace peiling::gateway
