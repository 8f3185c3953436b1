// gRPC's credentials from files that may change while the process runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "services/common/tls/watched.h"

namespace peiling::server {

enum class ClientCertificates { kAskedFor, kRequired };

// For a listener: every connection gets the certificate and the authorities of its time. gRPC's own watcher of files refuses all
// connections while a key and its certificate do not match, and its credentials cannot be given anything else to watch. Where client
// certificates are required, the caller's identity (identity::kIdentityKey) is taken from certificates with one of `gateway_names` alone;
// PERMISSION_DENIED for a call that carries one from others.
std::shared_ptr<grpc::ServerCredentials> ListenerTls(std::shared_ptr<tls::Watched> files, ClientCertificates certificates,
                                                     std::vector<std::string> gateway_names);

// For channels: the server's name is checked, new connections show the certificate of their time.
std::shared_ptr<grpc::ChannelCredentials> ChannelTls(const tls::Files& files);

}  // namespace peiling::server
