// What a client takes and sends, as its headers say (RFC 9110, 12 and 13).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace peiling::gateway {

inline constexpr char kJsonType[] = "application/json";
inline constexpr char kNdjsonType[] = "application/x-ndjson";
inline constexpr char kEventsType[] = "text/event-stream";

// Which of the types on offer a client that sends this header Accept likes most, the first of those it likes as much; empty: none of them.
// Without the header all are fine.
std::string PreferredType(std::string_view accept, const std::vector<std::string>& offered);

// Whether a client that sends this header Accept-Encoding takes gzip.
bool TakesGzip(std::string_view accept_encoding);

// Whether a body with this header Content-Type is of the type, in UTF-8.
bool IsOfType(std::string_view content_type, std::string_view type);

// The entity-tag in If-Match, without quotes; nullopt for "*". INVALID_ARGUMENT/IF_MATCH_UNREADABLE for what is not one strong tag or "*".
absl::StatusOr<std::optional<std::string>> ReadIfMatch(std::string_view if_match);

// Whether If-None-Match has the entity-tag ("\"…\"") or is "*".
bool HasTag(std::string_view if_none_match, std::string_view etag);

}  // namespace peiling::gateway
