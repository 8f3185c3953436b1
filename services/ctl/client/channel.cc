#include "services/ctl/client/channel.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/client_interceptor.h"
#include "services/common/server/connect.h"
#include "services/common/server/listen.h"
#include "services/ctl/client/errors.h"
#include "services/ctl/client/files.h"

namespace peiling::ctl {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

constexpr std::string_view kHttps = "https://";
// Tokens of large organisations are a few KiB.
constexpr size_t kMostSecretBytes = 16 << 10;

// Gives what is shown at a call.
using Secret = std::function<absl::StatusOr<std::string>()>;

absl::StatusOr<std::string> CheckSecret(std::string text, const std::string& origin) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!text.empty() && printable) return text;
  return UsageError(absl::StrCat(origin, " holds no key or token: want one line without spaces"));
}

absl::StatusOr<std::string> ReadSecret(const std::string& file) {
  auto text = ReadFile(file, kMostSecretBytes);
  if (!text.ok()) return text.status();
  return CheckSecret(*std::move(text), file);
}

// Null when there is none.
absl::StatusOr<Secret> SecretOf(const Credentials& credentials) {
  const std::string &key_file = credentials.key_file, &token_file = credentials.token_file, &key = credentials.key;
  if (!key_file.empty() + !token_file.empty() + !key.empty() > 1) {
    return UsageError("several keys or tokens are given: want one of --key-file, --token-file (or their variables) and PEILING_API_KEY");
  }
  Secret secret;
  if (!key.empty()) secret = [key] { return CheckSecret(key, "PEILING_API_KEY"); };
  if (const std::string& file = key_file.empty() ? token_file : key_file; !file.empty()) secret = [file] { return ReadSecret(file); };
  if (secret == nullptr) return secret;
  if (const auto readable = secret(); !readable.ok()) return readable.status();
  return secret;
}

// gRPC's own credentials of calls are for TLS alone; on loopback there may be none.
class ShowSecret final : public Interceptor {
 public:
  explicit ShowSecret(const Secret& secret) : secret_(secret) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      // One that is gone by now is not shown, and the server says so.
      if (const auto secret = secret_(); secret.ok()) {
        methods->GetSendInitialMetadata()->emplace("authorization", absl::StrCat("Bearer ", *secret));
      }
    }
    methods->Proceed();
  }

 private:
  const Secret& secret_;
};

class ShowSecrets final : public ClientInterceptorFactoryInterface {
 public:
  explicit ShowSecrets(Secret secret) : secret_(std::move(secret)) {}
  Interceptor* CreateClientInterceptor(ClientRpcInfo*) override { return new ShowSecret(secret_); }

 private:
  const Secret secret_;
};

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> TlsCredentials(const tls::Files& files) {
  const auto material = tls::Load(files);
  if (!material.ok()) return material.status();
  return grpc::SslCredentials({.pem_root_certs = material->ca, .pem_private_key = material->key, .pem_cert_chain = material->certificate});
}

// "host:port" of "https://host".
std::string TargetOf(std::string_view server) {
  if (!server.starts_with(kHttps)) return std::string(server);
  server.remove_prefix(kHttps.size());
  while (server.ends_with('/')) server.remove_suffix(1);
  const size_t colon = server.rfind(':');
  const bool has_port = colon != std::string_view::npos && server.find(']', colon) == std::string_view::npos;
  return absl::StrCat(std::string(server), has_port ? "" : ":443");
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const std::string& server, const Credentials& credentials) {
  auto secret = SecretOf(credentials);
  if (!secret.ok()) return secret.status();
  const bool tls = server.starts_with(kHttps) || credentials.tls != tls::Files();
  if (!tls && *secret != nullptr && !server::IsLoopback(server)) {
    return UsageError(
        absl::StrCat("a key or token is not sent to ", server, " in plaintext: give --tls-ca FILE, or the server as ", "https://", server));
  }
  std::shared_ptr<grpc::ChannelCredentials> channel = grpc::InsecureChannelCredentials();
  if (tls) {
    auto made = TlsCredentials(credentials.tls);
    if (!made.ok()) return made.status();
    channel = *std::move(made);
  }
  std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> interceptors;
  if (*secret != nullptr) interceptors.push_back(std::make_unique<ShowSecrets>(*std::move(secret)));
  grpc::ChannelArguments settings = server::ChannelSettings();
  // A proxy (http_proxy) would see a key that is meant for this machine alone.
  if (!tls) settings.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::experimental::CreateCustomChannelWithInterceptors(TargetOf(server), channel, settings, std::move(interceptors));
}

}  // namespace peiling::ctl
