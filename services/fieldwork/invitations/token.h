// Tokens of links as text: "peiling-uitnodiging_<base64url of "survey/wave/municipality[/colleague]">_<43 characters base64url of 32
// bytes>". The bytes are an HMAC-SHA-256 (RFC 2104) of whose link it is and of random bytes that are kept with it, with a key that is not
// in the store: so every mail can have the link, whoever has the store alone has none, and whoever has the key alone neither. All functions
// are thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peiling::fieldwork {

inline constexpr std::string_view kTokenPrefix = "peiling-uitnodiging_";

// Whose link it is.
struct LinkId {
  // "surveys/…/waves/…/invitations/GM0363".
  std::string invitation;
  // Number of the colleague; empty: who holds the invitation.
  std::string colleague;
  // Of who holds the invitation: in which issue, since that is somebody else in another. 0: that is not said, as in a token; of a
  // colleague, whose number is nobody else's.
  int32_t issue = 0;

  // As an identity says it (Identity.subject): the invitation with "/issues/2" behind it, for a colleague with "/colleagues/2".
  std::string Subject() const;
  // Of that; nullopt for another subject.
  static std::optional<LinkId> Of(std::string_view subject);

  bool operator==(const LinkId&) const = default;
};

// The token of a link. `random`: others are another token. `key`: 32 bytes, for this purpose alone.
std::string MakeToken(const LinkId& id, std::string_view random, std::string_view key);

// Whose link a token says it is; nullopt for what has another form than MakeToken gives. Proves nothing.
std::optional<LinkId> ParseToken(std::string_view token);

// What is kept of a token: its SHA-256. It needs no salt and no slowness, since a token holds 256 bits nobody can guess.
std::string HashOfToken(std::string_view token);

// Whether the hash is that of this token; takes as long whatever it is. What is no hash ("") matches nothing.
bool TokenMatches(std::string_view token, std::string_view hash);

}  // namespace peiling::fieldwork
