// Links to unsubscribe with one click (RFC 8058). A link holds a token that stands for an address: nothing is stored about it, and it holds
// for as long as the key it was made with is known.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/vault/vault.h"
#include "services/fieldwork/mail/suppression_list.h"

namespace peiling::fieldwork {

// Thread-safe.
class Unsubscriber {
 public:
  // Both must outlive it. `public_url`: what reaches the gateway from outside, "https://peiling.example.nl".
  Unsubscriber(const vault::Vault& vault, SuppressionList& suppressions, std::string public_url)
      : vault_(vault), suppressions_(suppressions), public_url_(std::move(public_url)) {}

  // For List-Unsubscribe of mail to an address (ContactStore::AddressToken). Errors of the vault.
  absl::StatusOr<std::string> LinkFor(const std::string& address_token) const;
  // The same with any token.
  std::string LinkWith(std::string_view token) const { return public_url_ + "/v1/unsubscriptions/" + std::string(token); }
  // Sends no more mail to the address a token stands for; once more is the same. INVALID_ARGUMENT/TOKEN_INVALID, and errors of the store.
  absl::Status Unsubscribe(std::string_view token);

 private:
  absl::StatusOr<std::string> TokenFor(const std::string& key_id, const std::string& address) const;

  const vault::Vault& vault_;
  SuppressionList& suppressions_;
  const std::string public_url_;
};

}  // namespace peiling::fieldwork
