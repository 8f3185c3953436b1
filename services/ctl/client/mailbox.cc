#include "services/ctl/client/mailbox.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/files.h"

namespace peiling::ctl {
namespace {

namespace fs = std::filesystem;

// Behind the name of a mail in `cur`: its flags, in the order of the alphabet.
constexpr std::string_view kInfo = ":2,";

absl::Status CannotRead(const std::string& path, const std::string& why) {
  return status::Error(absl::StatusCode::kNotFound, "FILE_NOT_FOUND", absl::StrCat("cannot read ", path, ": ", why), {{"path", path}});
}

bool IsSeen(const std::string& name) {
  const size_t info = name.rfind(kInfo);
  return info != std::string::npos && name.find('S', info) != std::string::npos;
}

// Takes text in until it is too large.
class Mail {
 public:
  explicit Mail(size_t max_bytes) : max_bytes_(max_bytes) {}

  void Add(std::string_view text) { text_.append(text.substr(0, max_bytes_ + 1 - text_.size())); }
  const std::string& text() const { return text_; }
  void Clear() { text_.clear(); }

 private:
  const size_t max_bytes_;
  std::string text_;
};

absl::StatusOr<std::string> ReadMail(const std::string& path, size_t max_bytes) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return CannotRead(path, std::strerror(errno));
  std::string text(max_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return CannotRead(path, std::strerror(errno));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

using Visit = std::function<void(const std::string& place, std::string_view mail)>;

absl::Status ReadMaildir(const std::string& path, size_t max_bytes, const Visit& visit) {
  std::vector<std::string> places;
  for (const char* folder : {"new", "cur"}) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(fs::path(path) / folder, error)) {
      const std::string name = entry.path().filename().string();
      if (name[0] != '.' && !IsSeen(name) && entry.is_regular_file(error)) places.push_back(absl::StrCat(folder, "/", name));
    }
    if (error) return CannotRead(absl::StrCat(path, "/", folder), error.message());
  }
  std::sort(places.begin(), places.end());
  for (const std::string& place : places) {
    const auto text = ReadMail(absl::StrCat(path, "/", place), max_bytes);
    if (!text.ok()) return text.status();
    visit(place, *text);
  }
  return absl::OkStatus();
}

// Mails behind lines that begin with "From "; in a mail such lines have a '>' before them.
absl::Status ReadMbox(std::istream& in, const std::string& path, size_t max_bytes, const Visit& visit) {
  Mail mail(max_bytes);
  std::string line;
  bool after_blank = true;
  int64_t number = 0, begun = 0;
  while (std::getline(in, line)) {
    ++number;
    if (after_blank && line.compare(0, 5, "From ") == 0) {
      if (begun > 0) visit(absl::StrCat(path, ":", begun), mail.text());
      mail.Clear();
      begun = number;
      after_blank = false;
      continue;
    }
    after_blank = line.empty() || line == "\r";
    const size_t quotes = line.find_first_not_of('>');
    const bool quoted = quotes != std::string::npos && quotes > 0 && line.compare(quotes, 5, "From ") == 0;
    mail.Add(quoted ? std::string_view(line).substr(1) : std::string_view(line));
    mail.Add("\n");
  }
  if (begun > 0) visit(absl::StrCat(path, ":", begun), mail.text());
  return in.bad() ? CannotRead(path, std::strerror(errno)) : absl::OkStatus();
}

}  // namespace

absl::Status ForEachMail(const std::string& path, size_t max_bytes, const Visit& visit) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (!fs::is_directory(path + "/new", error) || !fs::is_directory(path + "/cur", error)) {
      return CannotRead(path, "a folder that is no Maildir, with new and cur in it");
    }
    return ReadMaildir(path, max_bytes, visit);
  }
  auto file = OpenFile(path);
  if (!file.ok()) return file.status();
  char begin[5] = {};
  file->read(begin, sizeof(begin));
  const bool is_mbox = file->gcount() == sizeof(begin) && std::string_view(begin, sizeof(begin)) == "From ";
  file->clear();
  file->seekg(0);
  if (is_mbox) return ReadMbox(*file, path, max_bytes, visit);
  const auto text = ReadMail(path, max_bytes);
  if (!text.ok()) return text.status();
  visit(path, *text);
  return absl::OkStatus();
}

void MarkSeen(const std::string& path, const std::string& place) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return;
  const std::string name = fs::path(place).filename().string();
  const size_t info = name.rfind(kInfo);
  std::string flags = info == std::string::npos ? "" : name.substr(info + kInfo.size());
  flags += 'S';
  std::sort(flags.begin(), flags.end());
  fs::rename(fs::path(path) / place, fs::path(path) / "cur" / absl::StrCat(name.substr(0, info), std::string(kInfo), flags), error);
}

}  // namespace peiling::ctl
