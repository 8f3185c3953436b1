#include "services/fieldwork/invitations/token.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"

namespace peiling::fieldwork {
namespace {

constexpr char kInvitation[] = "surveys/*/waves/*/invitations/*";
constexpr char kColleague[] = "surveys/*/waves/*/invitations/*/colleagues/*";
// Characters of 32 bytes.
constexpr size_t kSignatureLength = 43;
// Of what comes before: four ids of at most 100 characters and the slashes between them, as base64url.
constexpr size_t kMaxIdLength = 540;

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// A text has one form in base64url and no other: what does not come out as it went in is refused.
std::optional<std::string> Decode(std::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(absl::string_view(text.data(), text.size()), &bytes)) return std::nullopt;
  if (absl::WebSafeBase64Escape(bytes) != absl::string_view(text.data(), text.size())) return std::nullopt;
  return bytes;
}

// "survey/wave/municipality[/colleague]" as the name of what it stands for.
std::optional<LinkId> ReadIds(std::string_view text) {
  static constexpr std::string_view kCollections[] = {"surveys/", "/waves/", "/invitations/", "/colleagues/"};
  std::string subject;
  for (const std::string_view collection : kCollections) {
    const size_t slash = text.find('/');
    subject.append(collection).append(text.substr(0, slash));
    if (slash == std::string_view::npos) return LinkId::Of(subject);
    text.remove_prefix(slash + 1);
  }
  return std::nullopt;
}

std::string WriteIds(const LinkId& id) {
  const std::string subject = id.Subject();
  return absl::StrJoin(*names::Match(subject, id.colleague.empty() ? kInvitation : kColleague), "/");
}

std::string Sign(const LinkId& id, int32_t issue, std::string_view key) {
  // No name has a line end in it, so that no two links are signed as one.
  const std::string text = absl::StrCat(id.invitation, "\n", id.colleague, "\n", issue);
  std::string signature(SHA256_DIGEST_LENGTH, '\0');
  // Without it there are no tokens, and no way to go on.
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(),
           reinterpret_cast<unsigned char*>(signature.data()), nullptr) == nullptr) {
    std::abort();
  }
  return signature;
}

}  // namespace

std::string LinkId::Subject() const { return colleague.empty() ? invitation : absl::StrCat(invitation, "/colleagues/", colleague); }

std::optional<LinkId> LinkId::Of(std::string_view subject) {
  if (names::Match(subject, kInvitation)) return LinkId{.invitation = std::string(subject)};
  const auto ids = names::Match(subject, kColleague);
  if (!ids) return std::nullopt;
  const std::string& colleague = ids->back();
  const bool is_number = colleague[0] != '0' && std::all_of(colleague.begin(), colleague.end(), absl::ascii_isdigit);
  if (!is_number) return std::nullopt;
  constexpr size_t kBetween = std::string_view("/colleagues/").size();
  return LinkId{.invitation = std::string(subject.substr(0, subject.size() - kBetween - colleague.size())), .colleague = colleague};
}

std::string MakeToken(const LinkId& id, int32_t issue, std::string_view key) {
  return absl::StrCat(std::string(kTokenPrefix), absl::WebSafeBase64Escape(WriteIds(id)), "_",
                      absl::WebSafeBase64Escape(Sign(id, issue, key)));
}

std::optional<LinkId> ParseToken(std::string_view token) {
  if (!token.starts_with(kTokenPrefix)) return std::nullopt;
  token.remove_prefix(kTokenPrefix.size());
  // From the end, since base64url has '_' among its characters.
  if (token.size() < kSignatureLength + 1 || token.size() > kMaxIdLength + 1 + kSignatureLength) return std::nullopt;
  const size_t separator = token.size() - kSignatureLength - 1;
  if (token[separator] != '_' || !Decode(token.substr(separator + 1))) return std::nullopt;
  const auto ids = Decode(token.substr(0, separator));
  return ids ? ReadIds(*ids) : std::nullopt;
}

std::string HashOfToken(std::string_view token) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(Bytes(token), token.size(), reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

bool TokenMatches(std::string_view token, std::string_view hash) {
  const std::string made = HashOfToken(token);
  if (hash.size() != made.size()) return false;
  return CRYPTO_memcmp(made.data(), hash.data(), made.size()) == 0;
}

}  // namespace peiling::fieldwork
