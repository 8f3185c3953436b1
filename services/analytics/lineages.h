// What municipalities of one date were on another, from the registry, remembered.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "peiling/registry/v1/registry.pb.h"

namespace peiling::analytics {

// Thread-safe.
class Lineages {
 public:
  explicit Lineages(std::shared_ptr<registry::v1::RegistryService::StubInterface> registry) : registry_(std::move(registry)) {}

  // All municipalities of the day `from` (YYYY-MM-DD), with what they were on `to`. The registry's answer depends on its reference data
  // alone, so it is asked once for each pair of days. The registry's errors.
  absl::StatusOr<std::shared_ptr<const registry::v1::TraceLineageResponse>> Trace(const std::string& from, const std::string& to);

 private:
  const std::shared_ptr<registry::v1::RegistryService::StubInterface> registry_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const registry::v1::TraceLineageResponse>> known_;
};

}  // namespace peiling::analytics
