#include "services/common/server/credentials.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/common/server/listen.h"
#include "services/common/server/tls_credentials.h"
#include "services/common/status/errors.h"
#include "services/common/tls/watched.h"

namespace peiling::server {
namespace {

absl::Status TlsRequired(const std::string& what, const std::string& way_out) {
  return status::Error(absl::StatusCode::kFailedPrecondition, "TLS_REQUIRED", absl::StrCat(what, ": ", way_out));
}

tls::Files PeerFiles(const Options& options) {
  tls::Files files = options.peer_tls;
  if (files.certificate.empty() && files.key.empty()) {
    files.certificate = options.tls.certificate;
    files.key = options.tls.key;
  }
  if (files.ca.empty()) files.ca = options.tls.ca;
  return files;
}

// Null for plaintext.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> PeerCredentials(const tls::Files& files) {
  if (files.ca.empty()) return nullptr;
  if (const auto usable = tls::Check(files); !usable.ok()) return usable;
  return ChannelTls(files);
}

}  // namespace

absl::Status CheckExposure(const std::string& address, const Options& options, bool checks_callers) {
  const std::string listen = absl::StrCat("cannot listen on ", address);
  if (options.insecure && !IsLoopback(address)) {
    return TlsRequired(absl::StrCat(listen, " with --insecure"), "it is for development on 127.0.0.1 alone; leave it out");
  }
  if (!options.tls.certificate.empty() || !options.tls.key.empty()) {
    if (checks_callers || !options.tls.ca.empty()) return absl::OkStatus();
    return TlsRequired(listen, "give --tls-client-ca, the authority of the certificates that callers must show");
  }
  const std::string with = checks_callers ? "--tls-certificate and --tls-key" : "--tls-certificate, --tls-key and --tls-client-ca";
  if (!IsLoopback(address))
    return TlsRequired(absl::StrCat(listen, " without TLS"), absl::StrCat("give ", with, ", or listen on 127.0.0.1"));
  if (options.insecure || checks_callers) return absl::OkStatus();
  return TlsRequired(absl::StrCat(listen, " without TLS"), absl::StrCat("give ", with, ", or for development --insecure"));
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ListenerCredentials(const Options& options, bool checks_callers) {
  if (options.tls.certificate.empty()) return grpc::InsecureServerCredentials();
  auto files = tls::Watched::Open(options.tls);
  if (!files.ok()) return files.status();
  return ListenerTls(*std::move(files), checks_callers ? ClientCertificates::kAskedFor : ClientCertificates::kRequired,
                     options.gateway_names);
}

absl::StatusOr<Channels> ConnectPeers(const Options& options) {
  const auto credentials = PeerCredentials(PeerFiles(options));
  if (!credentials.ok()) return credentials.status();
  Channels channels;
  for (const auto& [name, address] : options.peers) {
    if (*credentials == nullptr && !IsLoopback(address)) {
      return TlsRequired(absl::StrCat("cannot call ", address, " without TLS"),
                         "give --peer-ca, the authority of its certificate, with --peer-certificate and --peer-key");
    }
    channels[name] = Connect(address, *credentials == nullptr ? grpc::InsecureChannelCredentials() : *credentials);
  }
  return channels;
}

}  // namespace peiling::server
