// Single values of fields, from and to text.
#pragma once

#include <string>
#include <string_view>

#include "google/protobuf/message.h"

namespace peiling::gateway {

// Sets the field, or adds to it when it is repeated. The field is a scalar, an enum (by name or number) or one of IsWrittenAsText; bytes
// are base64, standard or URL-safe, whole numbers may be written 1e3 or 2.0. A text is valid UTF-8 already. False, and nothing is set, when
// the text is no such value.
bool SetScalar(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field, std::string_view text);

// What SetScalar takes: "want a whole number from 0 to 4294967295", "want one of …".
std::string WantedScalar(const google::protobuf::FieldDescriptor& field);

}  // namespace peiling::gateway
