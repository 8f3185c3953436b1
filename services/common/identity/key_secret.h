// API keys as text, and what is kept to recognise them: a slow hash (scrypt, RFC 7914). Thread-safe, without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "peiling/access/v1/access.pb.h"

namespace peiling::identity {

// What a new key is called behind "keys/": 16 lower-case hex digits, random.
std::string NewKeyId();

// A new secret of a key: "peiling_<id>_<43 characters base64url of 32 random bytes>".
std::string NewSecret(std::string_view key_id);

// The id in a secret; nullopt for what does not look like one.
std::optional<std::string> ParseKeyId(std::string_view secret);

// The hash of a secret with a salt of its own. Takes some 50 ms and 16 MiB.
access::v1::SecretHash Hash(std::string_view secret);

// Whether the secret is the one of the hash. Takes the time and memory of the hash's parameters, whatever the answer. A hash that would
// take more than 64 MiB or four times the work of Hash, or that has another shape, matches nothing, at once.
bool Matches(std::string_view secret, const access::v1::SecretHash& hash);

}  // namespace peiling::identity
