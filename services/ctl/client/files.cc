#include "services/ctl/client/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::ctl {
namespace {

namespace fs = std::filesystem;

absl::Status CannotRead(const std::string& path, const std::string& why) {
  return status::Error(absl::StatusCode::kNotFound, "FILE_NOT_FOUND", absl::StrCat("cannot read ", path, ": ", why), {{"path", path}});
}

absl::Status CannotWrite(absl::StatusCode code, const std::string& path) {
  return status::Error(code, "FILE_NOT_WRITABLE", absl::StrCat("cannot write ", path, ": ", std::strerror(errno)), {{"path", path}});
}

absl::StatusOr<std::string> ReadStream(std::istream& in, const std::string& path, size_t max_bytes) {
  std::string text;
  char piece[64 << 10];
  while (in.read(piece, sizeof(piece)), in.gcount() > 0) {
    text.append(piece, static_cast<size_t>(in.gcount()));
    if (text.size() > max_bytes) {
      return status::Error(absl::StatusCode::kInvalidArgument, "FILE_TOO_LARGE",
                           absl::StrCat(path, " is larger than ", max_bytes >> 20, " MiB"));
    }
  }
  if (in.bad()) return CannotRead(path, std::strerror(errno));
  return text;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  if (path == "-") return ReadStream(std::cin, "standard input", max_bytes);
  std::error_code error;
  if (fs::is_directory(path, error)) return CannotRead(path, "it is a folder");
  std::ifstream in(path, std::ios::binary);
  if (!in) return CannotRead(path, std::strerror(errno));
  return ReadStream(in, path, max_bytes);
}

absl::StatusOr<std::ifstream> OpenFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return CannotRead(path, std::strerror(errno));
  // Opening a folder succeeds; reading it does not.
  if (file.peek() == std::ifstream::traits_type::eof()) return CannotRead(path, "it is empty or a folder");
  return file;
}

WholeFile::WholeFile(const std::string& path, mode_t permissions) : path_(path), part_(path + ".part") {
  // One that was left behind may be open to others.
  unlink(part_.c_str());
  const int descriptor = open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions);
  if (descriptor >= 0) {
    close(descriptor);
    out_.open(part_, std::ios::binary);
  } else {
    out_.setstate(std::ios::failbit);
  }
}

absl::StatusOr<std::unique_ptr<WholeFile>> WholeFile::Create(const std::string& path, mode_t permissions) {
  std::unique_ptr<WholeFile> file(new WholeFile(path, permissions));
  if (file->out_) return file;
  return CannotWrite(absl::StatusCode::kNotFound, path);
}

WholeFile::~WholeFile() {
  if (out_.is_open()) unlink(part_.c_str());
}

absl::Status WholeFile::Keep() {
  out_.flush();
  const int descriptor = open(part_.c_str(), O_RDONLY | O_CLOEXEC);
  const bool safe = out_ && descriptor >= 0 && fsync(descriptor) == 0 && rename(part_.c_str(), path_.c_str()) == 0;
  const absl::Status status = safe ? absl::OkStatus() : CannotWrite(absl::StatusCode::kResourceExhausted, path_);
  if (descriptor >= 0) close(descriptor);
  if (safe) out_.close();
  return status;
}

absl::StatusOr<std::vector<std::string>> FindYamlFiles(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    const size_t before = files.size();
    for (const auto& entry : fs::directory_iterator(path, error)) {
      const auto extension = entry.path().extension();
      if (extension == ".yaml" || extension == ".yml") files.push_back(entry.path().string());
    }
    if (error) return CannotRead(path, error.message());
    if (files.size() == before) return CannotRead(path, "there is no *.yaml or *.yml in this folder");
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  return files;
}

}  // namespace peiling::ctl
