// An access token, taken apart: a JSON Web Token (RFC 7519) as a JWS in compact form (RFC 7515).
//
// OpenSSL and rapidjson rather than libcpp-jwt 1.4, Debian's only header library for it, whose code (/usr/include/jwt) shows that it
// - reads out of bounds for bytes from 0x80 in a token: base64.hpp, DMap::at with a negative index;
// - reads and compares claims before it has checked the signature, and aborts (assert) or throws through its error_code interface when
// "alg"
//   is no text: impl/jwt.ipp;
// - takes "aud" as one text alone, checks "exp" and "nbf" only when they are there, never heard of "crit", takes names that are there
// twice,
//   bounds nothing, and cannot be told what time it is;
// - defines a function in a header that is not inline, so that two sources cannot include it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/gateway/identity/token_keys.h"

namespace peiling::gateway {

// Nothing of it is to be believed before its signature is checked; which key is to have made that is all that is read before. Points into
// the token.
struct SignedToken {
  Algorithm algorithm = Algorithm::kRs256;
  std::string key_id;
  // What was signed: header and payload as they are written.
  std::string_view text;
  // Base64url of JSON.
  std::string_view payload;
  std::string signature;
};

// Whether a text has the form of a token: three parts with dots between them.
bool LooksLikeToken(std::string_view text);

// INVALID_ARGUMENT saying why it cannot be an access token we check: longer than 16 KiB, a header that is no strict base64url or JSON,
// another algorithm than RS256 and ES256, no key id or one of more than 200 bytes, a "crit" header, or a "typ" that is something else.
absl::StatusOr<SignedToken> TakeApart(std::string_view token);

}  // namespace peiling::gateway
