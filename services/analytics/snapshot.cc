#include "services/analytics/snapshot.h"

#include <openssl/evp.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

absl::Status Fits(const snapshot::Header& saved, const snapshot::Header& wanted) {
  const char* other = nullptr;
  if (saved.format() != wanted.format()) {
    other = "format";
  } else if (saved.questionnaire_fingerprint() != wanted.questionnaire_fingerprint()) {
    other = "questionnaire";
  } else if (saved.frame_fingerprint() != wanted.frame_fingerprint()) {
    other = "frame";
  }
  if (other == nullptr) return absl::OkStatus();
  return status::Error(absl::StatusCode::kFailedPrecondition, "SNAPSHOT_DOES_NOT_FIT", absl::StrCat("the snapshot is of another ", other));
}

std::string Sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr);
  return std::string(reinterpret_cast<const char*>(digest), length);
}

snapshot::Part& PartWriter::RoomFor(size_t bytes) {
  if (bytes_ > 0 && bytes_ + bytes > kMaxPartBytes) Close();
  bytes_ += bytes;
  return part_;
}

std::vector<std::string> PartWriter::Finish() {
  if (bytes_ > 0) Close();
  return std::move(parts_);
}

// Cleared, not made anew: the part keeps the memory of its texts and words.
void PartWriter::Close() {
  parts_.push_back(part_.SerializeAsString());
  part_.Clear();
  bytes_ = 0;
}

}  // namespace peiling::analytics
