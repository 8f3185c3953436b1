#include "services/fieldwork/invitations/token.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/hmac/hmac.h"
#include "services/common/names/resource_names.h"

namespace peiling::fieldwork {
namespace {

constexpr char kInvitation[] = "surveys/*/waves/*/invitations/*";
constexpr char kIssue[] = "surveys/*/waves/*/invitations/*/issues/*";
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

// A name without what stands behind its last '/', and the collection before that: "…/issues/2" without "/issues/2".
std::string Above(std::string_view name) {
  const size_t collection = name.rfind('/', name.rfind('/') - 1);
  return std::string(name.substr(0, collection));
}

bool IsNumber(std::string_view text) { return text[0] != '0' && std::all_of(text.begin(), text.end(), absl::ascii_isdigit); }

std::optional<LinkId> ReadColleague(std::string_view name) {
  const auto ids = names::Match(name, kColleague);
  if (!ids || !IsNumber(ids->back())) return std::nullopt;
  return LinkId{.invitation = Above(name), .colleague = ids->back()};
}

// "survey/wave/municipality[/colleague]".
std::optional<LinkId> ReadIds(std::string_view text) {
  static constexpr std::string_view kCollections[] = {"surveys/", "/waves/", "/invitations/", "/colleagues/"};
  std::string name;
  for (const std::string_view collection : kCollections) {
    const size_t slash = text.find('/');
    name.append(collection).append(text.substr(0, slash));
    if (slash == std::string_view::npos) return names::Match(name, kInvitation) ? LinkId{.invitation = name} : ReadColleague(name);
    text.remove_prefix(slash + 1);
  }
  return std::nullopt;
}

std::string WriteIds(const LinkId& id) {
  std::vector<std::string> ids = *names::Match(id.invitation, kInvitation);
  if (!id.colleague.empty()) ids.push_back(id.colleague);
  return absl::StrJoin(ids, "/");
}

std::string Sign(const LinkId& id, std::string_view random, std::string_view key) {
  // No name has a line end in it, so that no two links are signed as one.
  std::string text = absl::StrCat(id.invitation, "\n", id.colleague, "\n");
  text.append(random);
  return hmac::Sha256(key, text);
}

}  // namespace

std::string LinkId::Subject() const {
  return colleague.empty() ? absl::StrCat(invitation, "/issues/", issue) : absl::StrCat(invitation, "/colleagues/", colleague);
}

std::optional<LinkId> LinkId::Of(std::string_view subject) {
  const auto ids = names::Match(subject, kIssue);
  if (!ids) return ReadColleague(subject);
  LinkId id{.invitation = Above(subject)};
  if (!IsNumber(ids->back()) || !absl::SimpleAtoi(ids->back(), &id.issue)) return std::nullopt;
  return id;
}

std::string MakeToken(const LinkId& id, std::string_view random, std::string_view key) {
  return absl::StrCat(std::string(kTokenPrefix), absl::WebSafeBase64Escape(WriteIds(id)), "_",
                      absl::WebSafeBase64Escape(Sign(id, random, key)));
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
