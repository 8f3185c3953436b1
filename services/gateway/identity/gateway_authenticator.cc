#include "services/gateway/identity/gateway_authenticator.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"
#include "services/gateway/identity/key_checker.h"
#include "services/gateway/identity/key_ring.h"
#include "services/gateway/identity/refusal_log.h"

namespace peiling::gateway {
namespace {

using Result = Verdict::Result;

constexpr std::chrono::seconds kRetryDelay(1);

absl::Status ErrorOf(Result result) {
  using absl::StatusCode;
  switch (result) {
    case Result::kMissing:
      return status::Error(StatusCode::kUnauthenticated, "CREDENTIALS_MISSING",
                           "show an API key or access token (authorization: Bearer …) or a client certificate");
    case Result::kExpired:
      return status::Error(StatusCode::kUnauthenticated, "TOKEN_EXPIRED", "the token or key has expired");
    case Result::kUncheckable:
      return status::Error(StatusCode::kUnavailable, "CREDENTIALS_UNCHECKABLE", "credentials cannot be checked at the moment");
    case Result::kTooMany:
      return status::RetryAfter(
          status::Error(StatusCode::kResourceExhausted, "TOO_MANY_CREDENTIALS", "too many credentials are being checked at the moment"),
          kRetryDelay);
    default:
      return status::Error(StatusCode::kUnauthenticated, "CREDENTIALS_INVALID", "the credentials do not hold");
  }
}

access::v1::Identity Anonymous() {
  access::v1::Identity identity;
  identity.set_subject("development");
  identity.set_credential(access::v1::CREDENTIAL_KIND_NONE);
  for (int role = access::v1::Role_MIN + 1; role <= access::v1::Role_MAX; ++role) {
    identity.add_grants()->set_role(static_cast<access::v1::Role>(role));
  }
  return identity;
}

// What comes behind "Bearer ", whose case does not matter (RFC 9110); anything else as it is, which no key and no token looks like.
std::string_view Bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view scheme = authorization.substr(0, kScheme.size());
  if (!absl::EqualsIgnoreCase({scheme.data(), scheme.size()}, {kScheme.data(), kScheme.size()})) return authorization;
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  while (authorization.ends_with(' ')) authorization.remove_suffix(1);
  return authorization;
}

class AuthenticatorOfAll final : public GatewayAuthenticator {
 public:
  AuthenticatorOfAll(const IdentityOptions& options, const std::shared_ptr<grpc::Channel>& access)
      : options_(options), ring_(access::v1::AccessService::NewStub(access)), keys_(ring_, {.threads = options.key_threads}) {}
  ~AuthenticatorOfAll() override { Stop(); }

  void Start() override { ring_.Start(); }
  void Stop() override {
    ring_.Stop();
    keys_.Stop();
  }
  std::string not_ready_reason() const override { return ring_.not_ready_reason(); }
  bool IsProxy(std::string_view) const override { return false; }

  void Authenticate(const Credentials& credentials, Done done) override {
    const auto answer = [this, done = std::move(done)](CredentialName credential) {
      return [this, done, credential](Verdict verdict) {
        log_.Note(credential, verdict);
        if (verdict.result != Result::kHolds) return done(ErrorOf(verdict.result));
        done(std::move(verdict.identity));
      };
    };
    if (!credentials.authorization.empty()) return keys_.Check(Bearer(credentials.authorization), answer("key"));
    answer("none")(options_.allow_anonymous ? Verdict::Holds(Anonymous()) : Verdict::Refused(Result::kMissing, "nothing shown"));
  }

 private:
  const IdentityOptions options_;
  RefusalLog log_;
  KeyRing ring_;
  KeyChecker keys_;
};

}  // namespace

void AddFlags(CLI::App& app, IdentityOptions& options) {
  const auto seconds = [&app](const char* flag, const char* environment, std::chrono::seconds& value, const char* help) {
    app.add_option_function<int64_t>(
           flag, [&value](int64_t given) { value = std::chrono::seconds(given); }, help)
        ->envname(environment)
        ->check(CLI::Range(0, 86400))
        ->default_str(std::to_string(value.count()));
  };
  app.add_option("--access-file", options.access_file, "Issuers of tokens, certificates and proxies that are believed (YAML)")
      ->envname("PEILING_ACCESS_FILE");
  seconds("--token-clock-skew", "PEILING_GATEWAY_TOKEN_CLOCK_SKEW", options.clock_skew, "Seconds that clocks of issuers may be off");
  seconds("--token-keys-interval", "PEILING_GATEWAY_TOKEN_KEYS_INTERVAL", options.token_keys_interval,
          "Seconds after which the keys of issuers are read again");
  app.add_option("--token-keys-ca", options.token_keys_ca, "Authorities believed of issuers, PEM; default: the system's")
      ->envname("PEILING_GATEWAY_TOKEN_KEYS_CA");
  app.add_option("--key-threads", options.key_threads, "Threads that hash API keys shown for the first time")
      ->envname("PEILING_GATEWAY_KEY_THREADS")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<GatewayAuthenticator>> MakeAuthenticator(const IdentityOptions& options,
                                                                        const std::shared_ptr<grpc::Channel>& access) {
  return std::make_unique<AuthenticatorOfAll>(options, access);
}

}  // namespace peiling::gateway
