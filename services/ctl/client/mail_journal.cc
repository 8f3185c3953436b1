#include "services/ctl/client/mail_journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/util/json_util.h"
#include "services/common/status/errors.h"
#include "services/ctl/output/format.h"

namespace peiling::ctl {
namespace {

namespace fs = std::filesystem;

// One outcome has a few hundred bytes.
constexpr off_t kMaxBytes = 1 << 20;

absl::Status CannotWrite(absl::StatusCode code, const std::string& path) {
  return status::Error(code, "FILE_NOT_WRITABLE", absl::StrCat("cannot write ", path, ": ", std::strerror(errno)), {{"path", path}});
}

absl::Status InUse(const std::string& path) {
  return status::Error(absl::StatusCode::kFailedPrecondition, "MAIL_RUN_IN_USE",
                       absl::StrCat("another `mail run` of this wave uses ", path, "; a second one needs a --state folder of its own"));
}

absl::Status Unreadable(const std::string& path) {
  return status::Error(absl::StatusCode::kFailedPrecondition, "MAIL_RUN_UNREADABLE",
                       absl::StrCat(path, " should say what was sent and not told, but cannot be read: look at it, and take it away"));
}

// A file that was just made is there after a power cut, too.
void KeepName(const std::string& folder) {
  const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  fsync(directory);
  close(directory);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MailJournal>> MailJournal::Open(const std::string& folder, const std::string& server,
                                                               const std::string& wave) {
  std::error_code error;
  if (!fs::exists(folder, error)) {
    fs::create_directories(folder, error);
    fs::permissions(folder, fs::perms::owner_all, error);
  }
  const std::string path = absl::StrCat(folder, "/mail-run.", absl::StrReplaceAll(wave, {{"/", "."}}), ".json");
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return CannotWrite(absl::StatusCode::kNotFound, path);
  std::unique_ptr<MailJournal> journal(new MailJournal(path, server, file));
  if (flock(file, LOCK_EX | LOCK_NB) != 0) return InUse(path);
  if (fchmod(file, 0600) != 0) return CannotWrite(absl::StatusCode::kNotFound, path);
  KeepName(folder);
  if (absl::Status read = journal->Read(wave); !read.ok()) return read;
  return journal;
}

MailJournal::~MailJournal() { close(file_); }

// One line: the server, and the request as JSON. Without its end it never was whole, since the power went: nobody knows.
absl::Status MailJournal::Read(const std::string& wave) {
  struct stat info {};
  if (fstat(file_, &info) != 0 || info.st_size > kMaxBytes) return Unreadable(path_);
  std::string text(static_cast<size_t>(info.st_size), '\0');
  if (pread(file_, text.data(), text.size(), 0) != info.st_size) return Unreadable(path_);
  if (text.empty() || text.back() != '\n') return absl::OkStatus();
  const size_t end = text.find(' ');
  fieldwork::v1::CompleteMailRequest completion;
  if (!google::protobuf::util::JsonStringToMessage(end == std::string::npos ? "" : text.substr(end + 1), &completion).ok() ||
      completion.parent() != wave) {
    return Unreadable(path_);
  }
  if (const std::string server = text.substr(0, end); server != server_) {
    return status::Error(absl::StatusCode::kFailedPrecondition, "MAIL_RUN_UNTOLD",
                         absl::StrCat(path_, " says what was sent and was not told yet, to the server at ", server, ": run with --server ",
                                      server, " first, or take the file away"));
  }
  untold_ = std::move(completion);
  return absl::OkStatus();
}

absl::Status MailJournal::Keep(const fieldwork::v1::CompleteMailRequest& completion) {
  const std::string text = absl::StrCat(server_, " ", ToJson(completion, /*pretty=*/false));
  const bool kept =
      ftruncate(file_, 0) == 0 && pwrite(file_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) && fdatasync(file_) == 0;
  return kept ? absl::OkStatus() : CannotWrite(absl::StatusCode::kResourceExhausted, path_);
}

// What is lost of this by a power cut is told again, which does no harm.
void MailJournal::Forget() {
  untold_.reset();
  (void)!ftruncate(file_, 0);
}

std::string DefaultStateFolder() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') return absl::StrCat(state, "/peilingctl");
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return absl::StrCat(home, "/.local/state/peilingctl");
  return "";
}

}  // namespace peiling::ctl
