// How the store itself is.
#pragma once

#include <string>

#include "services/ctl/commands/doctor_findings.h"

namespace peiling::ctl {

// Looks at the servers of a Redis, or whether a file can be opened, without changing anything.
void CheckStore(const std::string& address, Findings& findings);

}  // namespace peiling::ctl
