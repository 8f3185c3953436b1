// Files named on the command line.
#pragma once

#include <sys/types.h>

#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace peiling::ctl {

// The whole file, "-" for standard input. NOT_FOUND/FILE_NOT_FOUND; INVALID_ARGUMENT/FILE_TOO_LARGE above `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// A file to be read in pieces. NOT_FOUND/FILE_NOT_FOUND, also when it is empty.
absl::StatusOr<std::ifstream> OpenFile(const std::string& path);

// A file that stands under its name only once it is whole and safe on disk; until then, or when it is given up, the name keeps what it had.
class WholeFile {
 public:
  // With these permissions, less the process's umask. NOT_FOUND/FILE_NOT_WRITABLE.
  static absl::StatusOr<std::unique_ptr<WholeFile>> Create(const std::string& path, mode_t permissions = 0666);
  ~WholeFile();

  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  std::ostream& out() { return out_; }
  // RESOURCE_EXHAUSTED/FILE_NOT_WRITABLE when the disk does not take it.
  absl::Status Keep();

 private:
  WholeFile(const std::string& path, mode_t permissions);

  const std::string path_;
  const std::string part_;
  std::ofstream out_;
};

// Each file as it is; for a folder the *.yaml and *.yml files in it, by name. NOT_FOUND/FILE_NOT_FOUND, also for a folder without any.
absl::StatusOr<std::vector<std::string>> FindYamlFiles(const std::vector<std::string>& paths);

}  // namespace peiling::ctl
