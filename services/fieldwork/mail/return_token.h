// What shows that mail that came back is of a message: the envelope's sender holds it (VERP), and nobody can guess it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/common/vault/vault.h"

namespace peiling::fieldwork {

// 16 lower-case letters and digits, made of the message's name with the vault's first key. Errors of the vault.
absl::StatusOr<std::string> ReturnTokenOf(const vault::Vault& vault, const std::string& message);
// Whether it is the message's, of any key the vault has.
bool IsReturnToken(const vault::Vault& vault, const std::string& message, std::string_view token);

}  // namespace peiling::fieldwork
