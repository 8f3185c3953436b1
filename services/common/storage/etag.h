// Etags with which a caller says of which state they speak.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::storage {

// That the resource of this name has another etag: ABORTED/ETAG_MISMATCH.
inline absl::Status EtagMismatch(const std::string& name, const std::string& etag) {
  return status::Error(absl::StatusCode::kAborted, "ETAG_MISMATCH", absl::StrCat("the etag is now \"", etag, "\""), {{"name", name}});
}

// OK when the caller's etag is that of the resource, or empty: they take it as it is.
inline absl::Status CheckEtag(const std::string& callers, const std::string& name, const std::string& etag) {
  return callers.empty() || callers == etag ? absl::OkStatus() : EtagMismatch(name, etag);
}

}  // namespace peiling::storage
