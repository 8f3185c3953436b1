// Whether files that hold secrets keep them.
#pragma once

#include <string>

namespace peiling::files {

// What is wrong when others than its owner can read a file, and the way out; empty when they cannot, or it is no file. A file of another
// owner may be the group's, who then are those it was given to: so does Kubernetes with Secrets.
std::string Exposure(const std::string& path);

// Logs that, once for each file. Thread-safe.
void WarnWhenExposed(const std::string& path);

}  // namespace peiling::files
