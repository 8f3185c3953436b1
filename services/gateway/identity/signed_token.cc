#include "services/gateway/identity/signed_token.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "services/gateway/identity/json.h"

namespace peiling::gateway {
namespace {

constexpr size_t kMostBytes = 16 << 10;
constexpr size_t kMostKeyIdBytes = 200;
// Of RSA with 8192 bits.
constexpr size_t kMostSignatureBytes = 1024;

absl::Status Refused(const char* why) { return absl::InvalidArgumentError(why); }

// Whether a header says that this is an access token, or nothing about what it is: a logout token, say, is signed with the same key.
bool IsAccessToken(const rapidjson::Value& header) {
  if (MemberOf(header, "typ") == nullptr) return true;
  const auto text = TextOf(header, "typ");
  if (!text.has_value()) return false;
  std::string type = absl::AsciiStrToLower({text->data(), text->size()});
  if (type.starts_with("application/")) type.erase(0, sizeof("application/") - 1);
  return type == "jwt" || type == "at+jwt";
}

absl::Status ReadHeader(std::string_view encoded, SignedToken& token) {
  const auto text = DecodeBase64Url(encoded);
  if (!text.has_value()) return Refused("token: header is not base64url");
  const auto header = ParseJsonObject(*text);
  if (!header.ok()) return Refused("token: header is not a plain JSON object");
  const auto algorithm = AlgorithmNamed(TextOf(*header, "alg").value_or(""));
  if (!algorithm.has_value()) return Refused("token: algorithm is neither RS256 nor ES256");
  const auto key_id = TextOf(*header, "kid");
  if (!key_id.has_value() || key_id->empty() || key_id->size() > kMostKeyIdBytes) return Refused("token: no id of a key");
  // Whatever is critical is unknown here (RFC 7515, 4.1.11).
  if (MemberOf(*header, "crit") != nullptr) return Refused("token: header with critical extensions");
  if (!IsAccessToken(*header)) return Refused("token: of another type than an access token");
  token.algorithm = *algorithm;
  token.key_id = std::string(*key_id);
  return absl::OkStatus();
}

}  // namespace

bool LooksLikeToken(std::string_view text) { return std::count(text.begin(), text.end(), '.') == 2; }

absl::StatusOr<SignedToken> TakeApart(std::string_view token) {
  if (token.size() > kMostBytes) return Refused("token: too long");
  if (!LooksLikeToken(token)) return Refused("token: not three parts");
  const size_t first = token.find('.');
  const size_t second = token.find('.', first + 1);
  SignedToken taken;
  taken.text = token.substr(0, second);
  taken.payload = token.substr(first + 1, second - first - 1);
  if (absl::Status header = ReadHeader(token.substr(0, first), taken); !header.ok()) return header;
  auto signature = DecodeBase64Url(token.substr(second + 1));
  if (!signature.has_value() || signature->empty() || signature->size() > kMostSignatureBytes) return Refused("token: no signature");
  taken.signature = *std::move(signature);
  return taken;
}

}  // namespace peiling::gateway
