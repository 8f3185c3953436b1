#include "services/common/files/exposure.h"

#include <sys/stat.h>
#include <unistd.h>

#include <mutex>
#include <set>

#include "absl/strings/str_cat.h"
#include "services/common/log/log.h"

namespace peiling::files {

std::string Exposure(const std::string& path) {
  struct stat file;
  if (::stat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode)) return "";
  const mode_t others = file.st_uid == ::geteuid() ? S_IRGRP | S_IROTH : S_IROTH;
  return (file.st_mode & others) == 0 ? "" : absl::StrCat("others than its owner can read ", path, ": chmod 600 ", path);
}

void WarnWhenExposed(const std::string& path) {
  static std::mutex mutex;
  static auto& told = *new std::set<std::string>;
  const std::string exposure = Exposure(path);
  const std::lock_guard lock(mutex);
  if (!exposure.empty() && told.insert(path).second) log::Warning("a secret is exposed", {{"file", path}, {"why", exposure}});
}

}  // namespace peiling::files
