// Stored documents as messages.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"

namespace peiling::storage {

// DATA_LOSS/STORAGE_CORRUPT when the value is no such message.
template <typename Message>
absl::StatusOr<Message> Parse(const Document& document) {
  Message message;
  if (!message.ParseFromString(document.value)) {
    return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat("document ", document.key, " cannot be read"));
  }
  return message;
}

}  // namespace peiling::storage
