// Request ids (AIP-155): a repeat with the same id gets the first answer again.
#pragma once

#include <string>
#include <vector>

namespace peiling::ctl {

// A random UUID: every run of a command is a request of its own.
std::string RandomRequestId();

// The same for the same parts, so that doing something twice is doing it once: lower-case hex SHA-256 over them.
std::string DerivedRequestId(const std::vector<std::string>& parts);

}  // namespace peiling::ctl
