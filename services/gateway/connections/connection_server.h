// Listens for connections, over TLS or not, and runs them on a few threads, whatever is spoken on them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/tls/server_contexts.h"
#include "services/gateway/connections/transport.h"

namespace peiling::gateway {

// What is spoken on one connection. One thread's. Lives until the connection is over and nobody holds it.
class Session {
 public:
  virtual ~Session() = default;

  virtual void Start() = 0;
  // Whether nothing is asked of it, so that it may make room for another.
  virtual bool waiting() const = 0;
  // Ends it: at once when it waits, else after what is under way.
  virtual void Close() = 0;
  // Ends it at once; its client is gone to whoever answers.
  virtual void Abort() = 0;
};

// Makes what is spoken on a connection. `changed` is to be called whenever waiting() may be another, and when the connection is over (with
// true), on its thread.
using SessionFactory =
    std::function<std::shared_ptr<Session>(std::unique_ptr<Transport> transport, std::function<void(bool over)> changed)>;

struct ConnectionServerOptions {
  // host:port; port 0 takes a free one.
  std::string listen;
  // Null: plaintext.
  std::shared_ptr<tls::ServerContexts> tls;
  int threads = 2;
  // At once. Of those that wait the one that has waited longest makes room for a new one; when none waits, the new one is turned away. No
  // more than three eighths of the files the process may have open: there may be two listeners, and a file for others.
  int max_connections = 8192;
  // From the connection to the end of TLS's handshake.
  std::chrono::milliseconds handshake_time{10'000};
  // Label of the metrics.
  std::string protocol;
};

// Thread-safe. Metrics: peiling_gateway_connections{protocol}, peiling_gateway_connections_turned_away_total{protocol,reason}.
class ConnectionServer {
 public:
  // `make` is called on the server's threads, from Start until Stop returns; nothing it makes must block. The errors of server::Listen.
  static absl::StatusOr<std::unique_ptr<ConnectionServer>> Start(const ConnectionServerOptions& options, SessionFactory make);
  virtual ~ConnectionServer() = default;  // Stops.

  virtual int port() const = 0;
  // Takes no more connections, and closes those that are open. May be called twice.
  virtual void Close() = 0;
  // The same, and aborts those that are not over after `grace`. When it returns, all are. May be called twice.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace peiling::gateway
