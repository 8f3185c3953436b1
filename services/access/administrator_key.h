// The file of the first administrator's key: how one gets in where nobody has a key yet.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace peiling::access {

// The secret the file holds, without white space around it. A file that is missing is made, for its owner's eyes alone, with a new
// secret; of two processes that do so at once, both get that of the one. One that others can read is taken with a warning.
// FAILED_PRECONDITION/ADMINISTRATOR_KEY_UNUSABLE when it cannot be read or made.
absl::StatusOr<std::string> ReadOrMakeAdministratorKey(const std::string& path);

}  // namespace peiling::access
