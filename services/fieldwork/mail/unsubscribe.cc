#include "services/fieldwork/mail/unsubscribe.h"

#include <openssl/crypto.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/hmac/hmac.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

constexpr char kPurpose[] = "unsubscribe-token";
// An address token's bytes, and as many of HMAC-SHA-256 over them.
constexpr size_t kAddressBytes = 16;
constexpr size_t kMacBytes = 16;
constexpr size_t kMaxToken = 200;

std::string Mac(const std::string& key, const std::string& data) { return hmac::Sha256(key, data).substr(0, kMacBytes); }

absl::Status Invalid() { return status::Error(absl::StatusCode::kInvalidArgument, "TOKEN_INVALID", "this is no link to unsubscribe with"); }

}  // namespace

// "<key id>.<base64url>".
absl::StatusOr<std::string> Unsubscriber::TokenFor(const std::string& key_id, const std::string& address) const {
  const auto key = vault_.Derive(key_id, kPurpose);
  if (!key.ok()) return key.status();
  return absl::StrCat(key_id, ".", absl::WebSafeBase64Escape(absl::StrCat(address, Mac(*key, address))));
}

absl::StatusOr<std::string> Unsubscriber::LinkFor(const std::string& address_token) const {
  const auto token = TokenFor(vault_.key_id(), absl::HexStringToBytes(address_token));
  if (!token.ok()) return token.status();
  return LinkWith(*token);
}

absl::Status Unsubscriber::Unsubscribe(std::string_view token) {
  const size_t point = token.find('.');
  std::string bytes;
  if (token.size() > kMaxToken || point == std::string_view::npos ||
      !absl::WebSafeBase64Unescape({token.data() + point + 1, token.size() - point - 1}, &bytes) ||
      bytes.size() != kAddressBytes + kMacBytes) {
    return Invalid();
  }
  const std::string address = bytes.substr(0, kAddressBytes);
  const auto made = TokenFor(std::string(token.substr(0, point)), address);
  // Its key is none of ours (any more).
  if (!made.ok()) return Invalid();
  if (made->size() != token.size() || CRYPTO_memcmp(made->data(), token.data(), token.size()) != 0) return Invalid();
  return suppressions_.Add(absl::BytesToHexString(address), v1::SUPPRESSION_REASON_UNSUBSCRIBED, "", "").status();
}

}  // namespace peiling::fieldwork
