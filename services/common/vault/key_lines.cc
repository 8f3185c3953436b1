#include "services/common/vault/key_lines.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/files/exposure.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"

namespace peiling::vault {
namespace {

using absl::StatusCode;

constexpr size_t kMaxId = 20;
// Of 32 bytes, with padding.
constexpr size_t kBase64Length = 44;
constexpr size_t kMaxFile = 1 << 16;
// In place of a key that is lost.
constexpr char kLost[] = "lost";

bool IsKeyId(std::string_view id) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !id.empty() && id.size() <= kMaxId && std::all_of(id.begin(), id.end(), fits);
}

// Tells where and what, never what stands there.
absl::Status Invalid(int line, std::string_view why) {
  return status::Error(StatusCode::kFailedPrecondition, "PERSONAL_DATA_KEYS_INVALID",
                       absl::StrCat("line ", line, " of the keys of personal data: ", std::string(why)), {{"line", absl::StrCat(line)}});
}

absl::Status Unusable(const std::string& path, const std::string& doing, int error) {
  return status::Error(StatusCode::kFailedPrecondition, "PERSONAL_DATA_KEYS_MISSING",
                       absl::StrCat("keys of personal data: cannot ", doing, " ", path, ": ", std::strerror(error)), {{"file", path}});
}

// "" when it is good.
std::string Add(const std::vector<std::string>& words, KeyLines& lines) {
  if (words.size() != 2) return "want \"<id> <32 bytes in base64>\"";
  if (!IsKeyId(words[0])) return absl::StrCat("want an id of 1 to ", kMaxId, " lower-case letters, digits and '-'");
  auto& [keys, lost] = lines;
  if (std::any_of(keys.begin(), keys.end(), [&](const auto& key) { return key.first == words[0]; }) ||
      std::find(lost.begin(), lost.end(), words[0]) != lost.end()) {
    return "the id is there twice";
  }
  if (words[1] == kLost) {
    lost.push_back(words[0]);
    return "";
  }
  std::string key;
  if (words[1].size() != kBase64Length || !absl::Base64Unescape(words[1], &key) || key.size() != kKeyBytes) {
    return "want 32 bytes in base64 after the id";
  }
  keys.emplace_back(words[0], std::move(key));
  return "";
}

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

bool SyncFolder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const Descriptor descriptor(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return descriptor.get() >= 0 && ::fsync(descriptor.get()) == 0;
}

}  // namespace

absl::StatusOr<KeyLines> ParseKeyLines(std::string_view lines) {
  KeyLines parsed;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(absl::string_view(lines.data(), lines.size()), '\n')) {
    ++number;
    const absl::string_view said = line.substr(0, line.find('#'));
    const std::vector<std::string> words = absl::StrSplit(said, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    if (const std::string wrong = Add(words, parsed); !wrong.empty()) return Invalid(number, wrong);
  }
  if (parsed.keys.empty()) return Invalid(number, "there is no key");
  return parsed;
}

absl::StatusOr<std::string> ReadKeyFile(const std::string& path) {
  files::WarnWhenExposed(path);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string lines(kMaxFile, '\0');
  if (!file || (file.read(lines.data(), static_cast<std::streamsize>(lines.size())), file.bad())) {
    return Unusable(path, "read", errno != 0 ? errno : EIO);
  }
  lines.resize(static_cast<size_t>(file.gcount()));
  return lines;
}

absl::Status EnsureKeyFile(const std::string& path, const std::string& line) {
  if (::access(path.c_str(), F_OK) == 0) return absl::OkStatus();
  // Written apart and linked to its name, so that nobody ever reads half of it, and of two who do this at once one wins.
  std::string draft = path + ".XXXXXX";
  const Descriptor descriptor(::mkostemp(draft.data(), O_CLOEXEC));
  if (descriptor.get() < 0) return Unusable(path, "make", errno);
  const bool written = ::write(descriptor.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                       ::fsync(descriptor.get()) == 0 && (::link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int error = errno;
  ::unlink(draft.c_str());
  if (!written) return Unusable(path, "write", error);
  if (!SyncFolder(path)) return Unusable(path, "make durable", errno);
  log::Info("made a key for personal data: without that file they cannot be read, so keep a copy apart from the store", {{"file", path}});
  return absl::OkStatus();
}

}  // namespace peiling::vault
