// The gateway's Authenticator, put together: API keys, OIDC access tokens, tokens of invitations and client certificates.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/gateway/identity/authenticator.h"

namespace peiling::gateway {

struct IdentityOptions {
  // Issuers of tokens, certificates and proxies (access_file.h); empty: none.
  std::string access_file;
  // How far the clocks of issuers may be off.
  std::chrono::seconds clock_skew{60};
  // After which the keys of an issuer are read again.
  std::chrono::seconds token_keys_interval{600};
  // Authorities whose certificates are believed of issuers, PEM; empty: the system's.
  std::string token_keys_ca;
  // Threads that hash keys seen for the first time; each holds 16 MiB while it does. 0: half as many as there are cores, at most 4.
  int key_threads = 0;
  // Not a flag of its own: set from --insecure. Whoever shows nothing is "development", with all roles.
  bool allow_anonymous = false;
};

// Adds the flags above, with environment variables PEILING_GATEWAY_… and PEILING_ACCESS_FILE.
void AddFlags(CLI::App& app, IdentityOptions& options);

// Thread-safe. Counts peiling_gateway_authentications_total{credential,result}; why something was refused is logged, at most so often.
class GatewayAuthenticator : public Authenticator {
 public:
  // Begins to follow keys, issuers and the access file. To be called once.
  virtual void Start() = 0;
  // Ends that, and every call to Authenticate that still waits (UNAVAILABLE/CREDENTIALS_UNCHECKABLE). May be called twice; the destructor
  // does it.
  virtual void Stop() = 0;
  // Why it cannot tell yet who calls; empty once it can. Issuers do not count: a gateway serves though one of them is down.
  virtual std::string not_ready_reason() const = 0;
  // Whether a certificate is that of a proxy, which is believed about the client in front of it.
  virtual bool IsProxy(std::string_view certificate) const = 0;
};

// INVALID_ARGUMENT with every mistake of the access file by line; FAILED_PRECONDITION when it cannot be read. Keys come from `access`;
// invitations are asked of `fieldwork`.
absl::StatusOr<std::unique_ptr<GatewayAuthenticator>> MakeAuthenticator(const IdentityOptions& options,
                                                                        const std::shared_ptr<grpc::Channel>& access,
                                                                        const std::shared_ptr<grpc::Channel>& fieldwork);

}  // namespace peiling::gateway
