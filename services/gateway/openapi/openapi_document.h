// The description of the HTTP interface that the gateway serves at /v1/openapi.json.
#pragma once

#include <string_view>

namespace peiling::gateway {

// OpenAPI 3.0 in JSON, made from the contracts when this was built; see document_writer.h. Lives as long as the process. Thread-safe.
std::string_view OpenApiDocument();

}  // namespace peiling::gateway
