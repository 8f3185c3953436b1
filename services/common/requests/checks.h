// Checks that requests of all services have in common. Each adds what is wrong with a field. Thread-safe, without state.
#pragma once

#include <string_view>

#include "services/common/status/errors.h"

namespace peiling::requests {

// At most so many characters.
void CheckText(std::string_view field, std::string_view text, size_t most, status::BadRequest& bad);
// The same, and not empty.
void RequireText(std::string_view field, std::string_view text, size_t most, status::BadRequest& bad);
// `request_id` of a write (AIP-155): 1 to 100 characters.
void RequireRequestId(std::string_view request_id, status::BadRequest& bad);
// `reason` of a decision: at most 1,000 characters.
void CheckReason(std::string_view reason, status::BadRequest& bad);
// A field that the service sets.
void RequireUnset(std::string_view field, bool set, status::BadRequest& bad);

}  // namespace peiling::requests
