// The description of the HTTP interface, made from the contracts: OpenAPI 3.0.3, as the NLGov REST API Design Rules ask.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"

namespace peiling::gateway {

// JSON with all methods of the services that are called over HTTP (google.api.http) from outside (peiling.access.v1.access). `introduction`
// is what a reader is told first, Markdown. The descriptors must have source info for what their comments say. The same contracts give the
// same text. INVALID_ARGUMENT when annotations are wrong, or two types have one name.
absl::StatusOr<std::string> OpenApiDocumentOf(const std::vector<const google::protobuf::ServiceDescriptor*>& services,
                                              std::string_view introduction);

}  // namespace peiling::gateway
