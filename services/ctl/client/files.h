// Files named on the command line.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace peiling::ctl {

// The whole file, "-" for standard input. NOT_FOUND/FILE_NOT_FOUND; INVALID_ARGUMENT/FILE_TOO_LARGE above `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// Each file as it is; for a folder the *.yaml and *.yml files in it, by name. NOT_FOUND/FILE_NOT_FOUND, also for a folder without any.
absl::StatusOr<std::vector<std::string>> FindYamlFiles(const std::vector<std::string>& paths);

}  // namespace peiling::ctl
