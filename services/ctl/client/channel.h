// The way to the suite, and what is shown to be let in.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/common/tls/tls.h"

namespace peiling::ctl {

struct Credentials {
  // Files with an API key, or a token of the municipality's own log-in. A secret is never taken on the command line, where others see it.
  std::string key_file;
  std::string token_file;
  // An API key itself, from the environment.
  std::string key;
  // Authorities of the server's certificate, and a certificate to show; by default those the system believes, and none.
  tls::Files tls;
};

// A channel to "host:port" or "https://host:port". It speaks TLS to the second, and whenever `tls` has something. Every call shows the key
// or token, which is read anew each time.
// Usage error when there are several secrets, when the file holds none, or when one would go over the network in plaintext;
// NOT_FOUND/FILE_NOT_FOUND; the errors of tls::Load.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const std::string& server, const Credentials& credentials);

}  // namespace peiling::ctl
