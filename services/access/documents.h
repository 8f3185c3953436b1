// What access keeps, as messages.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"

namespace peiling::access {

// DATA_LOSS/STORAGE_CORRUPT when it does not parse.
template <typename Message>
absl::StatusOr<Message> Parse(const storage::Document& document) {
  Message message;
  if (!message.ParseFromString(document.value)) {
    return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat("document ", document.key, " cannot be read"));
  }
  return message;
}

}  // namespace peiling::access
