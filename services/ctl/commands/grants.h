// What a caller may do, as words; shared by `keys` and `whoami`.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "peiling/access/v1/identity.pb.h"

namespace peiling::ctl {

// "researcher", "researcher:surveys/a,surveys/b/waves/2022". A usage error when there is no such role.
absl::StatusOr<access::v1::Grant> ParseGrant(const std::string& text);

// The same texts, separated by spaces.
std::string GrantsText(const google::protobuf::RepeatedPtrField<access::v1::Grant>& grants);

}  // namespace peiling::ctl
