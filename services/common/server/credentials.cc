#include "services/common/server/credentials.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/common/server/listen.h"
#include "services/common/status/errors.h"

namespace peiling::server {
namespace {

absl::Status TlsRequired(const std::string& what, const std::string& way_out) {
  return status::Error(absl::StatusCode::kFailedPrecondition, "TLS_REQUIRED", absl::StrCat(what, ": ", way_out));
}

}  // namespace

absl::Status CheckExposure(const std::string& address, const Options& options, bool checks_callers) {
  const std::string listen = absl::StrCat("cannot listen on ", address);
  if (options.insecure && !IsLoopback(address)) {
    return TlsRequired(absl::StrCat(listen, " with --insecure"), "it is for development on 127.0.0.1 alone; leave it out");
  }
  if (!options.tls.certificate.empty() || !options.tls.key.empty()) {
    if (options.tls.certificate.empty()) return TlsRequired(listen, "--tls-key is of no use without --tls-certificate");
    if (options.tls.key.empty()) return TlsRequired(listen, "--tls-certificate is of no use without --tls-key");
    if (checks_callers || !options.tls.ca.empty()) return absl::OkStatus();
    return TlsRequired(listen, "give --tls-client-ca, the authority of the certificates that callers must show");
  }
  const std::string with = checks_callers ? "--tls-certificate and --tls-key" : "--tls-certificate, --tls-key and --tls-client-ca";
  if (!IsLoopback(address))
    return TlsRequired(absl::StrCat(listen, " without TLS"), absl::StrCat("give ", with, ", or listen on 127.0.0.1"));
  if (options.insecure || checks_callers) return absl::OkStatus();
  return TlsRequired(absl::StrCat(listen, " without TLS"), absl::StrCat("give ", with, ", or for development --insecure"));
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ListenerCredentials(const Options& options, bool) {
  if (options.tls.certificate.empty()) return grpc::InsecureServerCredentials();
  return absl::UnimplementedError("TLS");
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> PeerCredentials(const std::string& address, const Options& options) {
  const std::string& ca = options.peer_tls.ca.empty() ? options.tls.ca : options.peer_tls.ca;
  if (ca.empty()) {
    if (IsLoopback(address)) return grpc::InsecureChannelCredentials();
    return TlsRequired(absl::StrCat("cannot call ", address, " without TLS"),
                       "give --peer-ca, the authority of its certificate, with --peer-certificate and --peer-key");
  }
  return absl::UnimplementedError("TLS");
}

}  // namespace peiling::server
