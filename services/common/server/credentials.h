// What listeners and channels of a process are secured by.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "services/common/server/server.h"

namespace peiling::server {

// Whether a listener at `address` (also one of HTTP) may be opened as the options say: with TLS anywhere, in plaintext on loopback alone,
// and there only with `insecure` or for a module that checks callers. FAILED_PRECONDITION/TLS_REQUIRED names the way out.
absl::Status CheckExposure(const std::string& address, const Options& options, bool checks_callers);

// Of the listener. The errors of tls::Load.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ListenerCredentials(const Options& options, bool checks_callers);

// To options.peers. The errors of tls::Load; FAILED_PRECONDITION/TLS_REQUIRED when one is not on loopback and would be called in plaintext.
absl::StatusOr<Channels> ConnectPeers(const Options& options);

}  // namespace peiling::server
