// Pages (AIP-158): sizes and tokens, the same in every list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "services/common/status/errors.h"

namespace peiling::paging {

inline constexpr int32_t kDefaultPageSize = 100;
inline constexpr int32_t kMaxPageSize = 1000;

struct Page {
  int32_t size = kDefaultPageSize;
  // Key after which the page begins; empty on the first.
  std::string after;
};

// Reads fields `page_size` and `page_token` of a list request; a token goes with the request's other fields. Problems are added to `bad`.
Page ReadPage(const google::protobuf::Message& request, status::BadRequest& bad);

// The token for the page after the one that ended at `last_key`.
std::string NextPageToken(const google::protobuf::Message& request, std::string_view last_key);

}  // namespace peiling::paging
