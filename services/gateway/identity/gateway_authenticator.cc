#include "services/gateway/identity/gateway_authenticator.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "services/common/status/errors.h"
#include "services/gateway/identity/access_file.h"
#include "services/gateway/identity/authentication_log.h"
#include "services/gateway/identity/certificates.h"
#include "services/gateway/identity/invitation_checker.h"
#include "services/gateway/identity/key_checker.h"
#include "services/gateway/identity/key_ring.h"
#include "services/gateway/identity/key_source.h"
#include "services/gateway/identity/token_verifier.h"

namespace peiling::gateway {
namespace {

using Result = Verdict::Result;

constexpr std::chrono::seconds kRetryDelay(1);

absl::Status ErrorOf(Result result) {
  using absl::StatusCode;
  switch (result) {
    case Result::kMissing:
      return status::Error(StatusCode::kUnauthenticated, "CREDENTIALS_MISSING",
                           "show an API key, access token or invitation (authorization: Bearer …) or a client certificate");
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

// What comes behind "Bearer ", whose case does not matter (RFC 9110); empty, which is no key, when it is something else.
std::string_view Bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view scheme = authorization.substr(0, kScheme.size());
  if (!absl::EqualsIgnoreCase({scheme.data(), scheme.size()}, {kScheme.data(), kScheme.size()})) return {};
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  while (authorization.ends_with(' ')) authorization.remove_suffix(1);
  return authorization;
}

int ThreadsOf(const IdentityOptions& options) {
  if (options.key_threads > 0) return options.key_threads;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()) / 2, 1, 4);
}

// What follows from one reading of the access file.
struct Trust {
  std::shared_ptr<TokenVerifier> tokens;
  std::shared_ptr<Certificates> certificates;
};

class AuthenticatorOfAll final : public GatewayAuthenticator {
 public:
  AuthenticatorOfAll(const IdentityOptions& options, const std::shared_ptr<grpc::Channel>& access,
                     const std::shared_ptr<grpc::Channel>& fieldwork, std::unique_ptr<AccessFile> file)
      : options_(options),
        file_(std::move(file)),
        ring_(access::v1::AccessService::NewStub(access)),
        keys_(ring_, {.threads = ThreadsOf(options)}),
        invitations_(fieldwork::v1::InvitationService::NewStub(fieldwork), {}) {
    Believe(file_ == nullptr ? AccessRules() : file_->rules());
  }
  ~AuthenticatorOfAll() override { Stop(); }

  void Start() override {
    ring_.Start();
    for (const auto& [address, source] : sources_) source->Start();
    started_ = true;
    if (file_ != nullptr) file_->Start([this](const AccessRules& rules) { Believe(rules); });
  }
  void Stop() override {
    if (file_ != nullptr) file_->Stop();
    ring_.Stop();
    keys_.Stop();
    invitations_.Stop();
    for (const auto& [address, source] : sources_) source->Stop();
  }
  std::string not_ready_reason() const override { return ring_.not_ready_reason(); }
  bool IsProxy(std::string_view certificate) const override { return trust().certificates->IsProxy(certificate); }

  void Authenticate(const Credentials& credentials, Done done) override {
    const auto answer = [this, done = std::move(done)](CredentialShown shown) {
      return [this, done, shown](Verdict verdict) {
        log_.Note(shown, verdict);
        if (verdict.result != Result::kHolds) return done(ErrorOf(verdict.result));
        done(std::move(verdict.identity));
      };
    };
    const Trust trust = this->trust();
    if (!credentials.authorization.empty()) {
      const std::string_view shown = Bearer(credentials.authorization);
      if (LooksLikeInvitation(shown)) return invitations_.Check(shown, credentials.origin, answer(CredentialShown::kInvitation));
      // What looks like none of them is treated as a key, so that it costs as much as one.
      return LooksLikeToken(shown) ? trust.tokens->Check(shown, answer(CredentialShown::kToken))
                                   : keys_.Check(shown, answer(CredentialShown::kKey));
    }
    // A proxy's own certificate says nothing about who calls through it.
    if (!credentials.certificate.empty() && !trust.certificates->IsProxy(credentials.certificate)) {
      return answer(CredentialShown::kCertificate)(trust.certificates->Check(credentials.certificate));
    }
    answer(CredentialShown::kNone)(options_.allow_anonymous ? Verdict::Holds(Anonymous())
                                                            : Verdict::Refused(Result::kMissing, "nothing shown"));
  }

  bool StillHolds(const access::v1::Identity& caller) const override {
    switch (caller.credential()) {
      case access::v1::CREDENTIAL_KIND_KEY:
        return keys_.StillHolds(caller);
      case access::v1::CREDENTIAL_KIND_TOKEN:
        return trust().tokens->StillHolds(caller);
      case access::v1::CREDENTIAL_KIND_CERTIFICATE:
        return trust().certificates->StillHolds(caller);
      case access::v1::CREDENTIAL_KIND_INVITATION:
        return invitations_.StillHolds(caller);
      case access::v1::CREDENTIAL_KIND_NONE:
        // Nothing was shown that could cease to hold.
        return true;
      default:
        return false;
    }
  }

 private:
  using Sources = std::map<std::string, std::shared_ptr<KeySource>>;

  Trust trust() const {
    const std::lock_guard lock(mutex_);
    return trust_;
  }

  // From now on goes by these rules. Keys of issuers that stay are kept. Called by the constructor and the thread that watches the file.
  void Believe(const AccessRules& rules) {
    Sources sources;
    std::vector<TrustedIssuer> issuers;
    for (const IssuerRules& issuer : rules.issuers) {
      std::shared_ptr<KeySource>& source = sources[issuer.jwks];
      if (source == nullptr) source = SourceOf(issuer.jwks);
      issuers.push_back({issuer, source});
    }
    Trust trust{std::make_shared<TokenVerifier>(std::move(issuers), options_.clock_skew), std::make_shared<Certificates>(rules)};
    {
      const std::lock_guard lock(mutex_);
      trust_ = std::move(trust);
    }
    sources_.swap(sources);
    for (const auto& [address, source] : sources) {
      if (!sources_.contains(address)) source->Stop();
    }
  }

  std::shared_ptr<KeySource> SourceOf(const std::string& address) {
    if (const auto known = sources_.find(address); known != sources_.end()) return known->second;
    KeySource::Options options;
    options.limits.ca = options_.token_keys_ca;
    options.interval = options_.token_keys_interval;
    auto source = std::make_shared<KeySource>(address, options);
    if (started_) source->Start();
    return source;
  }

  const IdentityOptions options_;
  AuthenticationLog log_;
  const std::unique_ptr<AccessFile> file_;
  mutable std::mutex mutex_;
  Trust trust_;
  // Of the thread that watches the file, once it runs.
  Sources sources_;
  bool started_ = false;
  KeyRing ring_;
  KeyChecker keys_;
  InvitationChecker invitations_;
};

}  // namespace

void AddFlags(CLI::App& app, IdentityOptions& options) {
  const auto seconds = [&app](const char* flag, const char* environment, std::chrono::seconds& value, int least, int most,
                              const char* help) {
    app.add_option_function<int64_t>(
           flag, [&value](int64_t given) { value = std::chrono::seconds(given); }, help)
        ->envname(environment)
        ->check(CLI::Range(least, most))
        ->default_str(std::to_string(value.count()));
  };
  app.add_option("--access-file", options.access_file, "Issuers of tokens, certificates and proxies that are believed (YAML)")
      ->envname("PEILING_ACCESS_FILE");
  seconds("--token-clock-skew", "PEILING_GATEWAY_TOKEN_CLOCK_SKEW", options.clock_skew, 0, 86400,
          "Seconds that clocks of issuers may be off");
  // Half of the day that keys are believed without being read again (key_source.h).
  seconds("--token-keys-interval", "PEILING_GATEWAY_TOKEN_KEYS_INTERVAL", options.token_keys_interval, 1, 43200,
          "Seconds after which the keys of issuers are read again");
  app.add_option("--token-keys-ca", options.token_keys_ca, "Authorities believed of issuers, PEM; default: the system's")
      ->envname("PEILING_GATEWAY_TOKEN_KEYS_CA");
  app.add_option("--key-threads", options.key_threads,
                 "Threads that hash API keys shown for the first time; 0: half as many as cores, at most 4")
      ->envname("PEILING_GATEWAY_KEY_THREADS")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<GatewayAuthenticator>> MakeAuthenticator(const IdentityOptions& options,
                                                                        const std::shared_ptr<grpc::Channel>& access,
                                                                        const std::shared_ptr<grpc::Channel>& fieldwork) {
  std::unique_ptr<AccessFile> file;
  if (!options.access_file.empty()) {
    auto opened = AccessFile::Open(options.access_file);
    if (!opened.ok()) return opened.status();
    file = *std::move(opened);
  }
  return std::make_unique<AuthenticatorOfAll>(options, access, fieldwork, std::move(file));
}

}  // namespace peiling::gateway
