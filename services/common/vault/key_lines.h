// Lines with keys, and the file beside a store that has them. Private to this library.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace peiling::vault {

inline constexpr size_t kKeyBytes = 32;

struct KeyLines {
  // Ids and keys, in their order; at least one.
  std::vector<std::pair<std::string, std::string>> keys;
  // Ids of keys that are said to be lost.
  std::vector<std::string> lost;
};
// FAILED_PRECONDITION/PERSONAL_DATA_KEYS_INVALID (metadata: line).
absl::StatusOr<KeyLines> ParseKeyLines(std::string_view lines);

// What is in a file of keys. FAILED_PRECONDITION/PERSONAL_DATA_KEYS_MISSING when it cannot be read. Warns of one that others may read.
absl::StatusOr<std::string> ReadKeyFile(const std::string& path);

// Puts `line` into a file that is not there yet, whole and durable; leaves alone what is there. PERSONAL_DATA_KEYS_MISSING when it cannot.
absl::Status EnsureKeyFile(const std::string& path, const std::string& line);

}  // namespace peiling::vault
