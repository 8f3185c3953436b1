#include "services/common/storage/receipts.h"

#include <openssl/sha.h>

#include "services/common/proto/canonical_bytes.h"
#include "services/common/status/errors.h"

namespace peiling::storage {

std::string ReceiptKey(const std::string& request_id) { return "receipt/" + request_id; }

std::string RequestDigest(const google::protobuf::Message& request) {
  // The type belongs to the content: an id used for two methods is a mistake even when both requests are empty.
  std::string content = request.GetDescriptor()->full_name();
  content.push_back('\0');
  content += proto::CanonicalBytes(request);
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

absl::Status RequestIdReused() {
  return status::Error(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED", "request_id was used for another request");
}

absl::StatusOr<bool> FindReceipt(Store& store, const std::string& partition, const std::string& request_id, const std::string& digest,
                                 google::protobuf::Message& answer, uint64_t* sequence) {
  auto document = store.Get(partition, ReceiptKey(request_id));
  if (!document.ok()) return document.status();
  if (!document->has_value()) return false;
  if (absl::Status durable = store.Confirm(partition); !durable.ok()) return durable;
  const std::string& receipt = (*document)->value;
  if (receipt.compare(0, digest.size(), digest) != 0) return RequestIdReused();
  if (!answer.ParsePartialFromArray(receipt.data() + digest.size(), static_cast<int>(receipt.size() - digest.size()))) {
    return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", "the receipt of a request cannot be read");
  }
  if (sequence != nullptr) *sequence = (*document)->sequence;
  return true;
}

Write ReceiptWrite(const std::string& request_id, const std::string& digest, const google::protobuf::Message& answer) {
  Write write{.key = ReceiptKey(request_id), .value = digest, .expected_version = 0};
  answer.AppendPartialToString(&*write.value);
  return write;
}

}  // namespace peiling::storage
