// What all operations share: credentials, headers, refusals.
#pragma once

#include "absl/status/status.h"
#include "services/gateway/openapi/json.h"
#include "services/gateway/openapi/schema_writer.h"

namespace peiling::gateway {

// "security" of operations that say nothing else.
void WriteSecurity(Json& json);

// "components". To be written last: the schemas are those that were referred to until now.
absl::Status WriteComponents(SchemaWriter& schemas, Json& json);

}  // namespace peiling::gateway
