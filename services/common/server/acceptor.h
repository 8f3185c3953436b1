// Connections of a gRPC server, taken by ourselves: gRPC 1.51 stops listening for good at the first connection for which the process has
// no file descriptor left.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "grpcpp/server_builder.h"

namespace peiling::server {

class Acceptor {
 public:
  using Sink = grpc::experimental::ExternalConnectionAcceptor;

  // Listens on "host:port"; who connects waits until Start. The errors of Listen (listen.h).
  static absl::StatusOr<std::unique_ptr<Acceptor>> Open(const std::string& address);
  ~Acceptor();  // Stops.

  int port() const { return port_; }

  // To be called while a server is built; what it gives is for Start.
  static std::unique_ptr<Sink> AddTo(grpc::ServerBuilder& builder, std::shared_ptr<grpc::ServerCredentials> credentials);

  // Hands connections to a server that has started. When the process is nearly out of file descriptors, new connections are closed at once
  // (peiling_connections_refused_total): those there are, files and calls to other services keep theirs.
  void Start(std::unique_ptr<Sink> sink);
  // Closes the port. To be called before the server shuts down; may be called twice.
  void Stop();

 private:
  Acceptor(int socket, int wake, int port);
  void Run();
  // Whether there may be more to take at once.
  bool TakeOne();
  bool WaitForStop(int milliseconds) const;

  const int socket_;
  // Readable once it is to stop.
  const int wake_;
  const int port_;
  const int most_descriptors_;
  std::unique_ptr<Sink> sink_;
  std::thread thread_;
};

}  // namespace peiling::server
