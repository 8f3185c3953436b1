// JSON of strangers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rapidjson/document.h"

namespace peiling::gateway {

// An object, whose names are there once each, at every level, and that is at most 16 levels deep: what two readers could understand in two
// ways is refused. UTF-8. INVALID_ARGUMENT says why not, without quoting it. The caller bounds the size of the text.
absl::StatusOr<rapidjson::Document> ParseJsonObject(std::string_view text);

// A member of an object that is a text; nullopt when it is absent or something else.
std::optional<std::string_view> TextOf(const rapidjson::Value& object, std::string_view name);
// A member of an object; null when it is absent.
const rapidjson::Value* MemberOf(const rapidjson::Value& object, std::string_view name);

// Strict base64url (RFC 7515): no padding, no other characters, no bits left over. nullopt for anything else.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace peiling::gateway
