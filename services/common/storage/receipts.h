// Receipts make writes idempotent (AIP-155): the answer to a request is committed together with its effect, under its request_id, and a
// repeat gets that answer again. Kept as long as the partition.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "services/common/storage/store.h"

namespace peiling::storage {

// Where the receipt of a request is kept. Keys beginning with "receipt/" belong to receipts.
std::string ReceiptKey(const std::string& request_id);

// Digest of a request's content (its deterministic serialisation with `request_id` cleared by the caller).
std::string RequestDigest(const google::protobuf::Message& request);
// The same of a request with its `request_id`, which does not count.
template <typename Request>
std::string DigestOf(Request request) {
  request.clear_request_id();
  return RequestDigest(request);
}

// ALREADY_EXISTS/REQUEST_ID_REUSED.
absl::Status RequestIdReused();

// Fills `answer` and returns true when this request was answered before; false when it is new.
// What it found is durable: the answer, or the refusal, may be given. ALREADY_EXISTS/REQUEST_ID_REUSED when the id was used with other
// content. `sequence`, when given, becomes that of the event the receipt was written with (Document::sequence).
absl::StatusOr<bool> FindReceipt(Store& store, const std::string& partition, const std::string& request_id, const std::string& digest,
                                 google::protobuf::Message& answer, uint64_t* sequence = nullptr);

// The write that leaves the receipt; put it in the batch of the effect. It must not exist yet: of two equal requests at once, one
// gets ABORTED and finds the receipt when it tries again. Where repeats are rare, FindReceipt may wait for that ABORTED.
Write ReceiptWrite(const std::string& request_id, const std::string& digest, const google::protobuf::Message& answer);

}  // namespace peiling::storage
