// What a token says, once its signature has been checked.
#pragma once

#include <chrono>
#include <string_view>

#include "services/gateway/identity/access_file.h"
#include "services/gateway/identity/verdict.h"

namespace peiling::gateway {

// What the claims of a token by this issuer are worth at a time. `payload` is base64url of JSON. They must have: `iss`, the issuer;
// `aud`, a text or list with the audience; `sub`, 1 to 200 letters, digits, '-', '_', '.', ':', '|', '+', '=', '/' (which becomes "%2F" in
// the identity's subject; '@' is not among them, for an address would tell who it is); `exp`. `nbf` is heeded. A token that is bound to a
// key of its holder (`cnf`) is refused, as nobody here could check that this is the holder, and so is one whose roles together give more
// than identity::CheckGrants lets through. Clocks may be off by `skew`.
Verdict JudgeClaims(std::string_view payload, const IssuerRules& issuer, std::chrono::system_clock::time_point now,
                    std::chrono::seconds skew);

}  // namespace peiling::gateway
