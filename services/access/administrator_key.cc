#include "services/access/administrator_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/files/exposure.h"
#include "services/common/identity/key_secret.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"

namespace peiling::access {
namespace {

// More than a secret with what an editor may add; a file beyond it is another one.
constexpr size_t kMaxBytes = 1024;

absl::Status Unusable(const std::string& path, int error) {
  return status::Error(absl::StatusCode::kFailedPrecondition, "ADMINISTRATOR_KEY_UNUSABLE",
                       absl::StrCat("cannot keep the administrator's key in ", path, ": ", std::strerror(error)));
}

class File {
 public:
  File(const std::string& path, int flags) : descriptor_(open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR)) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool open_ok() const { return descriptor_ >= 0; }
  bool Write(const std::string& text) const {
    return write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(descriptor_) == 0;
  }
  // Up to kMaxBytes; nullopt with errno set when it cannot be read.
  std::optional<std::string> Read() const {
    std::string text(kMaxBytes, '\0');
    size_t size = 0;
    while (size < text.size()) {
      const ssize_t more = read(descriptor_, text.data() + size, text.size() - size);
      if (more < 0) return std::nullopt;
      if (more == 0) break;
      size += more;
    }
    text.resize(size);
    return text;
  }

 private:
  const int descriptor_;
};

// Under another name first, so that the file is never there half, and put in place only where none is.
bool Make(const std::string& path) {
  const std::string part = absl::StrCat(path, ".", identity::NewKeyId());
  bool made = false;
  {
    const File file(part, O_WRONLY | O_CREAT | O_EXCL);
    if (!file.open_ok()) return false;
    made = file.Write(identity::NewSecret(identity::NewKeyId()) + "\n") && (link(part.c_str(), path.c_str()) == 0 || errno == EEXIST);
  }
  const int error = errno;
  unlink(part.c_str());
  errno = error;
  return made;
}

}  // namespace

absl::StatusOr<std::string> ReadOrMakeAdministratorKey(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) {
    if (!Make(path)) return Unusable(path, errno);
    log::Info("made a key for the first administrator", {{"file", path}});
  }
  const File file(path, O_RDONLY);
  if (!file.open_ok()) return Unusable(path, errno);
  const std::optional<std::string> text = file.Read();
  if (!text.has_value()) return Unusable(path, errno);
  files::WarnWhenExposed(path);
  return std::string(absl::StripAsciiWhitespace(*text));
}

}  // namespace peiling::access
