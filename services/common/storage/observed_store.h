// A store whose operations are measured and traced.
#pragma once

#include <memory>
#include <string>

#include "services/common/storage/store.h"

namespace peiling::storage {

// `store`, seen from outside: peiling_store_operation_seconds{store,operation,outcome} (outcome is the status code: "OK", "ABORTED" …),
// peiling_store_up{store} (what Health last said), and, where a span is current, a span for every operation. Waiting for a feed is no
// operation. `name` is the owner's ("intake"), `system` the kind of store ("sqlite", "redis").
std::unique_ptr<Store> Observe(std::unique_ptr<Store> store, const std::string& name, const std::string& system);

}  // namespace peiling::storage
