#include "services/common/server/tls_credentials.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string_view>
#include <utility>

#include "grpc/grpc_security.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "services/common/identity/identity.h"
#include "services/common/log/log.h"

namespace peiling::server {
namespace {

constexpr unsigned int kWatchSeconds = 2;

// Lets one line through every ten seconds. Thread-safe.
class SometimesWarns {
 public:
  void Warn(const char* message) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::seconds(10);
    if (last_.exchange(now) != now) log::Warning(message);
  }

 private:
  std::atomic<int64_t> last_ = 0;
};

// Whether calls may say who their caller is.
class IdentityRule {
 public:
  explicit IdentityRule(std::vector<std::string> gateway_names) : gateway_names_(std::move(gateway_names)) {}

  // As gRPC has it: a pure function of the connection and the call.
  static void Process(void* self, grpc_auth_context* connection, const grpc_metadata* metadata, size_t size,
                      grpc_process_auth_metadata_done_cb done, void* call) {
    auto& rule = *static_cast<IdentityRule*>(self);
    const bool refused = CarriesIdentity(metadata, size) && !rule.IsGateway(*connection);
    if (refused) rule.warner_.Warn("an identity was refused: the certificate of the caller has none of --gateway-names");
    done(call, nullptr, 0, nullptr, 0, refused ? GRPC_STATUS_PERMISSION_DENIED : GRPC_STATUS_OK,
         refused ? "who calls is believed of gateways alone" : nullptr);
  }
  static void Destroy(void* self) { delete static_cast<IdentityRule*>(self); }

 private:
  static bool CarriesIdentity(const grpc_metadata* metadata, size_t size) {
    return std::any_of(metadata, metadata + size,
                       [](const grpc_metadata& entry) { return grpc_slice_str_cmp(entry.key, identity::kIdentityKey) == 0; });
  }

  bool IsGateway(const grpc_auth_context& connection) const {
    return HasName(connection, GRPC_PEER_DNS_PROPERTY_NAME) || HasName(connection, GRPC_PEER_URI_PROPERTY_NAME);
  }

  bool HasName(const grpc_auth_context& connection, const char* kind) const {
    auto names = grpc_auth_context_find_properties_by_name(&connection, kind);
    while (const auto* name = grpc_auth_property_iterator_next(&names)) {
      const std::string_view value(name->value, name->value_length);
      if (std::find(gateway_names_.begin(), gateway_names_.end(), value) != gateway_names_.end()) return true;
    }
    return false;
  }

  const std::vector<std::string> gateway_names_;
  SometimesWarns warner_;
};

// gRPC asks for the files at every connection; the C++ interface has no way to answer.
class WatchedCredentials final : public grpc::ServerCredentials {
 public:
  WatchedCredentials(std::shared_ptr<tls::Watched> files, grpc_ssl_client_certificate_request_type request) : files_(std::move(files)) {
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(request, &WatchedCredentials::Fetch, this));
  }
  ~WatchedCredentials() override { grpc_server_credentials_release(credentials_); }

  void Enforce(std::unique_ptr<IdentityRule> rule) {
    grpc_server_credentials_set_auth_metadata_processor(credentials_, {&IdentityRule::Process, &IdentityRule::Destroy, rule.release()});
  }
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // Called by the one thread that accepts connections.
  static grpc_ssl_certificate_config_reload_status Fetch(void* self, grpc_ssl_server_certificate_config** config) {
    auto& credentials = *static_cast<WatchedCredentials*>(self);
    auto material = credentials.files_->Current();
    if (material == credentials.used_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair{.private_key = material->key.c_str(), .cert_chain = material->certificate.c_str()};
    // gRPC wants authorities even where it asks nobody for a certificate.
    const std::string& ca = material->ca.empty() ? material->certificate : material->ca;
    *config = grpc_ssl_server_certificate_config_create(ca.c_str(), &pair, 1);
    credentials.used_ = std::move(material);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const std::shared_ptr<tls::Watched> files_;
  std::shared_ptr<const tls::Material> used_;
  grpc_server_credentials* credentials_ = nullptr;
};

grpc_ssl_client_certificate_request_type RequestType(const tls::Material& material, ClientCertificates certificates) {
  if (certificates == ClientCertificates::kRequired) return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  return material.ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
}

}  // namespace

std::shared_ptr<grpc::ServerCredentials> ListenerTls(std::shared_ptr<tls::Watched> files, ClientCertificates certificates,
                                                     std::vector<std::string> gateway_names) {
  const auto request = RequestType(*files->Current(), certificates);
  auto credentials = std::make_shared<WatchedCredentials>(std::move(files), request);
  if (certificates == ClientCertificates::kRequired) credentials->Enforce(std::make_unique<IdentityRule>(std::move(gateway_names)));
  return credentials;
}

std::shared_ptr<grpc::ChannelCredentials> ChannelTls(const tls::Files& files) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(files.key, files.certificate, files.ca, kWatchSeconds));
  options.watch_root_certs();
  if (!files.certificate.empty()) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace peiling::server
