// Who calls, proved by a credential.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "peiling/access/v1/identity.pb.h"

namespace peiling::gateway {

// What a client shows.
struct Credentials {
  // Value of the header "authorization", as sent; empty: none.
  std::string authorization;
  // The client's certificate in PEM, whose key the client holds (TLS checked, here or at a proxy in front); empty: none.
  std::string certificate;
  // Address of the client. It proves nothing; what one address shows does not hold up others.
  std::string origin;
};

class Authenticator {
 public:
  using Done = std::function<void(absl::StatusOr<access::v1::Identity>)>;

  virtual ~Authenticator() = default;

  // Calls `done` once: at once on this thread when it can tell without waiting, else later on another. It must not block. What is shown
  // in `authorization` goes before the certificate.
  // UNAUTHENTICATED/CREDENTIALS_MISSING when nothing is shown; UNAUTHENTICATED/CREDENTIALS_INVALID (one message, about the same time,
  // whatever is wrong: the log alone tells why) for what does not hold, TOKEN_EXPIRED for a token or key that once held; UNAVAILABLE/
  // CREDENTIALS_UNCHECKABLE while it cannot be told; RESOURCE_EXHAUSTED/TOO_MANY_CREDENTIALS with RetryInfo when too many wait.
  virtual void Authenticate(const Credentials& credentials, Done done) = 0;

  // Whether the credential that somebody was let in with would still let them in, as far as it can be told by who they are: it has not
  // expired, a key is not revoked, an issuer or the name of a certificate is still believed. Of a token of an invitation, that it was let
  // in a moment ago. Takes no time to speak of; thread-safe.
  virtual bool StillHolds(const access::v1::Identity& caller) const = 0;
};

}  // namespace peiling::gateway
