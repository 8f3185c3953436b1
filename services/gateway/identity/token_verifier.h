// Checks OIDC access tokens.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/gateway/identity/access_file.h"
#include "services/gateway/identity/digest.h"
#include "services/gateway/identity/key_source.h"
#include "services/gateway/identity/signed_token.h"
#include "services/gateway/identity/verdict.h"

namespace peiling::gateway {

struct TrustedIssuer {
  IssuerRules rules;
  std::shared_ptr<KeySource> keys;
};

// The issuer of a token is the one whose key has signed it; what the token says is read only after that. A token by a key nobody has makes
// the issuers' keys be read again, if that was not done just now, and waits for it. A token that held is told by its digest until it
// expires or its issuer's keys change. Thread-safe.
class TokenVerifier : public std::enable_shared_from_this<TokenVerifier> {
 public:
  TokenVerifier(std::vector<TrustedIssuer> issuers, std::chrono::seconds skew, Clock clock = std::chrono::system_clock::now);

  // Calls `done` once, maybe at once. Does not block; a signature takes some 30 to 100 µs.
  void Check(std::string_view token, const OnVerdict& done);
  // Of a token that held: whether it has not expired since, and its issuer is still believed and has keys. That the one key is gone it does
  // not see.
  bool StillHolds(const access::v1::Identity& caller) const;

 private:
  // A token that held.
  struct Known {
    access::v1::Identity identity;
    std::chrono::system_clock::time_point until;
    const KeySource* source;
    std::shared_ptr<const TokenKeys> keys;
  };
  // What came of looking for the key of a token.
  struct Attempt {
    // Some issuer has a key of that id.
    bool key_found = false;
    // The keys of some issuer are not known yet.
    bool keys_missing = false;
    // Empty unless one of them signed it.
    std::optional<Verdict> verdict;
  };

  std::shared_ptr<const Known> Recognise(const Digest& digest);
  // Looks for the key of a token among those there are.
  Attempt Try(const SignedToken& token, const Digest& digest);
  Verdict Conclude(Attempt attempt) const;
  // Has the keys of all issuers read again, and tries once more.
  void TryWithNewKeys(std::string_view token, const Attempt& attempt, const OnVerdict& done);

  const std::vector<TrustedIssuer> issuers_;
  const std::chrono::seconds skew_;
  const Clock clock_;
  RecentCredentials<std::shared_ptr<const Known>> known_;
};

}  // namespace peiling::gateway
