// Bodies as forms and mail programs send them: application/x-www-form-urlencoded and multipart/form-data (RFC 7578).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {

inline constexpr char kFormType[] = "application/x-www-form-urlencoded";
inline constexpr char kMultipartType[] = "multipart/form-data";

// How a form is written.
struct FormEncoding {
  // What parts a multipart form; empty: it is URL-encoded.
  std::string boundary;
};

// Of a body with this header Content-Type, in UTF-8; nullopt: it is no form, or one that cannot be read.
std::optional<FormEncoding> FormEncodingOf(std::string_view content_type);

// Names and values, in their order.
using FormFields = std::vector<std::pair<std::string, std::string>>;

// "a=b&c=d", as a query has it, too; false when it cannot be decoded or is no UTF-8.
bool SplitUrlEncoded(std::string_view text, FormFields& fields);

// Reads a form into an empty message, whose fields are called as in JSON and are set by SetScalar. What is wrong with them is added to
// `bad` as by ReadJson: unknown and double names, values of another type. INVALID_ARGUMENT/BODY_MALFORMED for what is no such form, has a
// file in it, or more than 100 fields or 64 KiB.
absl::Status ReadForm(const FormEncoding& encoding, std::string_view body, google::protobuf::Message& message, status::BadRequest& bad);

}  // namespace peiling::gateway
