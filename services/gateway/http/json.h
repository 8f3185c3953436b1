// Messages as JSON (https://protobuf.dev/programming-guides/proto3/#json). For both directions nothing is known but the descriptors.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {

// Objects and lists within each other, at most.
constexpr int kMaxJsonDepth = 64;

// The field that JSON calls so, or else the contract; null: none.
const google::protobuf::FieldDescriptor* FieldCalled(const google::protobuf::Descriptor& type, const std::string& name);

// The message, with names in lowerCamelCase (unless the contract says otherwise), 64-bit numbers as text and enums by name. Fields that
// have a default are written though they have it, so that readers need not know it; messages, members of a oneof and optional fields only
// when they are set.
std::string WriteJson(const google::protobuf::Message& message);

// Reads one JSON object into an empty message; names in lowerCamelCase or as in the contract, null for what is absent. What is wrong with
// fields is added to `bad`, all of it, with JSON pointers as "#/response/answers/answers/3/text", names as they stand there: unknown and
// double names, values of another type, two members of a oneof.
// INVALID_ARGUMENT/BODY_MALFORMED for what is no JSON (metadata: byte), no UTF-8, or nested deeper than kMaxJsonDepth.
absl::Status ReadJson(std::string_view json, google::protobuf::Message& message, status::BadRequest& bad);

}  // namespace peiling::gateway
